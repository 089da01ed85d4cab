//! An encoder whose clocks do not agree with what it calls a frame.

use std::collections::VecDeque;

use super::*;

const HOUR: i64 = 3_600;
/// As far as sound may be from its pictures, in milliseconds.
const TOGETHER: f64 = 20.0;

/// The time of the `n`th frame, in seconds, by a clock that is so many parts per million slow.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn time_of(n: i64, per_frame: f64, ppm: f64) -> f64 {
    n as f64 * per_frame * (1.0 + ppm / 1e6)
}

impl Bench {
    /// Sends a frame that was taken at `time`. Milliseconds by which frames lie beside the times at which they were taken,
    /// each with its track, and how many stretches have begun.
    fn send(&mut self, track: TrackId, clock: Clock, time: f64, taken: &mut BTreeMap<TrackId, VecDeque<f64>>) -> Sent {
        #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
        let dts = (time * f64::from(clock.timescale.get())).round() as i64;
        let received = self.epoch + Duration::from_secs_f64(time);
        taken.entry(track).or_default().push_back(time);
        self.intake.push(Unit { track, dts, offset: 0, sync: true, data: Bytes::from_static(b"x"), received });
        let mut sent = Sent::default();
        while let Some(event) = self.reader.try_next() {
            match event {
                feed::Event::Start { .. } => sent.stretches += 1,
                feed::Event::Sample(sample) => {
                    let taken = taken.get_mut(&sample.track).and_then(VecDeque::pop_front).unwrap();
                    sent.beside.push((sample.track, 1_000.0 * (sample.pts.as_secs_f64() - taken)));
                }
            }
        }
        sent
    }
}

#[derive(Debug, Default)]
struct Sent {
    beside: Vec<(TrackId, f64)>,
    stretches: usize,
}

#[tokio::test]
async fn sound_and_pictures_stay_together_for_an_hour_of_clocks_that_drift() {
    for clock in [Clock::RTMP, Clock::MPEG] {
        for (video_ppm, audio_ppm) in [(0.0, 100.0), (0.0, -100.0), (100.0, 0.0), (-100.0, 0.0)] {
            let mut bench = Bench::new();
            let config = touchline_media::avc::Config::parse(RECORD).unwrap();
            bench.intake.configure(VIDEO, clock, Format::Avc(config), FrameRate::from_f64(30.0));
            let config = touchline_media::aac::Config::parse(Bytes::from_static(&[0x11, 0x90])).unwrap();
            bench.intake.configure(AUDIO, clock, Format::Aac(config), None);
            let (mut pictures, mut sounds, mut taken) = (0, 0, BTreeMap::new());
            let (mut stretches, mut latest, mut worst) = (0, BTreeMap::from([(VIDEO, 0.0), (AUDIO, 0.0)]), 0.0_f64);
            while pictures < 30 * HOUR {
                let picture = time_of(pictures, 1.0 / 30.0, video_ppm);
                let sound = time_of(sounds, 1_024.0 / 48_000.0, audio_ppm);
                let sent = if picture <= sound {
                    pictures += 1;
                    bench.send(VIDEO, clock, picture, &mut taken)
                } else {
                    sounds += 1;
                    bench.send(AUDIO, clock, sound, &mut taken)
                };
                stretches += sent.stretches;
                latest.extend(sent.beside);
                worst = worst.max((latest[&AUDIO] - latest[&VIDEO]).abs());
            }
            let case = format!("{clock:?}, {video_ppm} and {audio_ppm} ppm: {worst:.1} ms");
            assert!(stretches == 1 && worst <= TOGETHER, "{case}, {stretches} stretches");
        }
    }
}
