//! A second reader, m3u8-rs: what both know must be the same.

use super::Media;

/// m3u8-rs keeps durations as `f32`, which tells milliseconds apart up to here, in seconds.
const MAX_DURATION_ERROR: f64 = 0.001;

/// Characters of its errors that are shown.
const MAX_SHOWN_ERROR: usize = 60;

/// What m3u8-rs reads differently from `media`, which was read from the same `text`.
pub(crate) fn disagreements(text: &str, media: &Media) -> Vec<String> {
    let other = match m3u8_rs::parse_media_playlist_res(text.as_bytes()) {
        Ok(other) => other,
        Err(error) => return vec![format!("m3u8-rs cannot read the playlist: {}", first_words(&error.to_string()))],
    };
    let mut told = Vec::new();
    let mut compare = |what: &str, ours: u64, theirs: u64| {
        if ours != theirs {
            told.push(format!("{what} is {ours} for this reader and {theirs} for m3u8-rs"));
        }
    };
    compare("the target duration", media.target_duration.map_or(0, |(seconds, _)| seconds), other.target_duration);
    compare("the media sequence number", media.first_msn(), other.media_sequence);
    compare("the number of segments", media.complete().count() as u64, other.segments.len() as u64);
    for (ours, theirs) in media.complete().zip(&other.segments) {
        let uri = ours.uri.as_deref().unwrap_or_default();
        if uri != theirs.uri {
            told.push(format!("segment {} is {uri} for this reader and {} for m3u8-rs", ours.msn, theirs.uri));
        }
        let duration = ours.duration.map_or(0.0, super::super::seconds::Seconds::as_f64);
        if (duration - f64::from(theirs.duration)).abs() > MAX_DURATION_ERROR {
            told.push(format!(
                "segment {} lasts {duration} s for this reader and {} s for m3u8-rs",
                ours.msn, theirs.duration
            ));
        }
    }
    told
}

/// The beginning: m3u8-rs shows the whole playlist, byte by byte.
fn first_words(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(MAX_SHOWN_ERROR).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_agree_on_a_plain_playlist_and_not_on_a_broken_one() {
        let good =
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n#EXTINF:2.002,\na.m4s\n#EXTINF:2.002,\nb.m4s\n";
        assert_eq!(disagreements(good, &Media::read(good)), Vec::<String>::new());
        let other = good.replace("SEQUENCE:5", "SEQUENCE:6").replace("b.m4s", "c.m4s");
        let told = disagreements(&other, &Media::read(good));
        assert_eq!(told.len(), 2, "{told:?}");
    }
}
