//! From bytes to the samples of a feed.

use std::time::{Duration, Instant};

use prometheus_client::registry::Registry;
use touchline_ingest::Metrics;
use touchline_ingest::ts::{Publication, Unsupported};
use touchline_media::{Kind, MediaTime, Sample, Timescale, Track, TrackId, feed};

use crate::clip::{ffmpeg, ffmpeg_with, relayed};

/// Everything a reader gets: the tracks and samples of each stretch.
struct Published {
    stretches: Vec<(Vec<Track>, Vec<Sample>)>,
    refused: Option<Unsupported>,
    metrics: String,
}

/// Publishes a clip at the rate of its bytes over four seconds.
async fn publish(clip: &[u8]) -> Published {
    let (writer, mut reader) = feed::channel();
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let mut publication = Publication::new(writer);
    let epoch = Instant::now();
    let count = u32::try_from(clip.len() / 1_316 + 1).unwrap();
    let mut refused = None;
    for (n, piece) in (0_u32..).zip(clip.chunks(1_316)) {
        let received = epoch + Duration::from_secs(4) * n / count;
        if let Err(unsupported) = publication.push(piece, received, &metrics) {
            refused = Some(unsupported);
            break;
        }
    }
    publication.finish(&metrics);
    let mut stretches: Vec<(Vec<Track>, Vec<Sample>)> = Vec::new();
    while let Some(event) = reader.next().await {
        match event {
            feed::Event::Start { tracks, .. } => stretches.push((tracks.to_vec(), Vec::new())),
            feed::Event::Sample(sample) => stretches.last_mut().unwrap().1.push(sample),
        }
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    Published { stretches, refused, metrics: text }
}

fn times(samples: &[Sample], track: TrackId) -> Vec<MediaTime> {
    samples.iter().filter(|sample| sample.track == track).map(|sample| sample.dts).collect()
}

#[tokio::test]
async fn a_contribution_with_two_languages_is_one_stretch_on_regular_grids_across_the_wrap_of_its_clock() {
    let inputs = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30000/1001", "-f", "lavfi", "-i", "sine=440:r=48000"];
    let mapping = ["-t", "4", "-map", "0:v", "-map", "1:a", "-map", "1:a"];
    let encoding = "-c:v libx264 -preset ultrafast -bf 2 -g 30 -c:a aac -metadata:s:a:0 language=eng \
                    -metadata:s:a:1 language=fre -output_ts_offset 95440";
    let published = publish(&ffmpeg_with(&[&inputs[..], &mapping].concat(), encoding)).await;
    let [(tracks, samples)] = &published.stretches[..] else { unreachable!("one stretch") };
    let told: Vec<String> = tracks
        .iter()
        .map(|track| {
            let language = track.language.map_or("-", |language| if language.tag() == "en" { "en" } else { "fr" });
            format!("{} {}/{} {language}", track.id.0, track.timescale.get(), track.frame_ticks.unwrap_or(0))
        })
        .collect();
    assert_eq!(told, ["0 30000/1001 -", "1 48000/1024 en", "2 48000/1024 fr"]);
    for (track, count) in [(&tracks[0], 120), (&tracks[1], 189), (&tracks[2], 189)] {
        let times = times(samples, track.id);
        assert_eq!(times.len(), count);
        let step = MediaTime::new(i64::from(track.frame_ticks.unwrap()), track.timescale);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == step), "{:?} {times:?}", track.id);
    }
    let starts: Vec<i64> =
        tracks.iter().map(|track| times(samples, track.id)[0].rescale(Timescale::MILLIS).ticks()).collect();
    assert!(starts.iter().all(|start| start.abs() < 100), "{starts:?}");
}

#[tokio::test]
async fn a_relay_of_rtmp_has_its_pictures_on_the_grid_again() {
    let inputs =
        ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=60", "-f", "lavfi", "-i", "sine=440:r=44100", "-t", "4"];
    let clip = relayed(&inputs, "-c:v libx264 -preset ultrafast -bf 2 -g 60 -c:a aac");
    let published = publish(&clip).await;
    let [(tracks, samples)] = &published.stretches[..] else { unreachable!("one stretch") };
    assert_eq!((tracks[0].timescale.get(), tracks[0].frame_ticks), (60_000, Some(1_000)));
    let pictures: Vec<&Sample> = samples.iter().filter(|sample| sample.track == tracks[0].id).collect();
    assert_eq!(pictures.len(), 240);
    for (pair, n) in pictures.windows(2).zip(1..) {
        assert_eq!((pair[1].dts - pair[0].dts).ticks(), 1_000, "picture {n}");
        assert_eq!((pair[1].pts - pair[1].dts).ticks() % 1_000, 0, "picture {n}");
    }
}

#[tokio::test]
async fn losses_leave_gaps_on_the_grid_and_are_in_the_metrics() {
    let clip = ffmpeg("-c:v libx264 -preset ultrafast -g 10 -c:a aac");
    let lossy: Vec<u8> =
        clip.chunks(188).enumerate().filter(|(n, _)| n % 150 != 149).flat_map(|(_, packet)| packet.to_vec()).collect();
    let published = publish(&lossy).await;
    let [(tracks, samples)] = &published.stretches[..] else { unreachable!("one stretch") };
    let video = tracks.iter().find(|track| track.format.kind() == Kind::Video).unwrap();
    let pictures = times(samples, video.id);
    assert!(pictures.len() < 100 && pictures.len() > 20, "{}", pictures.len());
    let frame = video.frame_duration().unwrap().ticks();
    assert!(pictures.windows(2).all(|pair| (pair[1] - pair[0]).ticks() % frame == 0));
    for counted in [
        "touchline_ingest_mpegts_packets_total ",
        "touchline_ingest_mpegts_troubles_total{reason=\"gaps\"} ",
        "touchline_ingest_mpegts_troubles_total{reason=\"damaged_pes\"} ",
        "touchline_ingest_dropped_units_total{reason=\"missing\"} ",
        "touchline_ingest_dropped_units_total{reason=\"awaits_repair\"} ",
        "touchline_ingest_units_total{kind=\"video\"} ",
    ] {
        assert!(published.metrics.contains(counted), "{counted}: {}", published.metrics);
    }
}

#[tokio::test]
async fn what_cannot_be_served_is_refused() {
    let published = publish(&ffmpeg("-c:v mpeg2video -c:a aac")).await;
    assert_eq!(published.refused, Some(Unsupported::Video("MPEG-2")));
}
