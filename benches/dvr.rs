//! What a window of six hours costs: bytes per reload with and without delta updates, memory, and time per part.
//!
//! `cargo bench -p touchline-benches --bench dvr`

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use touchline_benches::{RECORDED, samples};
use touchline_edge::spool::Spool;
use touchline_edge::{self as edge, Hub, Metrics};
use touchline_media::{MediaTime, Sample, Track};
use touchline_packager::{Event, Packager, Presentation, RenditionId, Settings, Skip, WallClock, Window};

const HOUR: Duration = Duration::from_hours(1);
/// Renderings that a time is the average of.
const RENDERINGS: u32 = 200;
/// The size of a frame of 3 Mb/s.
const FRAME: usize = 12_500;
/// Segments that may wait for the disk.
const WAITING: i64 = 4;

fn main() -> Result<(), Box<dyn Error>> {
    // First, so that no memory that others have let go of hides what it takes.
    measure_media(HOUR)?;
    println!("window     listed  whole (gzip)          update (gzip)      part   update     whole      gzip    memory");
    for window in [HOUR / 120, HOUR / 12, HOUR, 6 * HOUR] {
        measure(window)?;
    }
    Ok(())
}

/// Plays video of 3 Mb/s into a channel that keeps what is far from the live edge in files.
fn measure_media(length: Duration) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let metrics = Metrics::default();
    let hub = Hub::spooling(edge::Settings::default(), metrics.clone(), Spool::open(directory.path().into())?);
    let mut source = Source::new(Settings { window: length, ..Settings::default() }, FRAME)?;
    let mut writer = None;
    let before = resident_bytes()?;
    while source.played < length {
        let events = source.next();
        for event in &events {
            if let Event::Opened(presentation) = event {
                writer = Some(hub.open("main".parse()?, Arc::clone(presentation)));
            }
        }
        writer.as_mut().ok_or("the presentation does not open")?.apply(&events);
        // An hour passes in seconds: the disk is waited for.
        while metrics.spool_waiting_segments.get() > WAITING {
            std::thread::yield_now();
        }
    }
    println!(
        "{} s of 3 Mb/s in files: {} MB written, {} kB of memory",
        length.as_secs(),
        metrics.spooled_bytes.get() / 1_000_000,
        resident_bytes()?.saturating_sub(before) / 1_024,
    );
    Ok(())
}

/// Plays video of 30 frames/s, whose frames have a byte each, for a little longer than the window is.
fn measure(length: Duration) -> Result<(), Box<dyn Error>> {
    let before = resident_bytes()?;
    let mut source = Source::new(Settings { window: length, ..Settings::default() }, 1)?;
    let mut window = None;
    while source.played < length + Duration::from_secs(14) {
        for event in source.next() {
            let opened = |presentation: &Arc<Presentation>| Window::new(Arc::clone(presentation), RenditionId(0));
            if let Event::Opened(presentation) = &event {
                window = Some(opened(presentation));
            }
            window.as_mut().map(|window| window.apply(&event));
        }
    }
    let mut window = window.ok_or("the presentation does not open")?;
    let memory = resident_bytes()?.saturating_sub(before);

    let whole = window.playlist(&[]).to_string();
    let update = || window.playlist(&[]).delta(Skip::SegmentsAndDateRanges).map(|update| update.to_string());
    let update_text = update().unwrap_or_else(|| whole.clone());
    let update_time = average(|| drop(update()));
    let whole_time = average(|| drop(window.playlist(&[]).to_string()));
    let gzip_time = average(|| drop(gzip(&whole)));
    let part_time = part_time(&mut source, &mut window);
    println!(
        "{:>6} s {:>10} {:>9} ({:>8}) {:>9} ({:>8}) {:>9.1?} {:>9.1?} {:>9.1?} {:>9.1?} {:>7} kB",
        length.as_secs(),
        whole.matches("#EXTINF").count(),
        whole.len(),
        gzip(&whole)?.len(),
        update_text.len(),
        gzip(&update_text)?.len(),
        part_time,
        update_time,
        whole_time,
        gzip_time,
        memory / 1_024,
    );
    Ok(())
}

/// What a part costs the window: taking it, letting go of what is past its time, and the snapshot for its playlist.
fn part_time(source: &mut Source, window: &mut Window) -> Duration {
    let (mut spent, mut parts) = (Duration::ZERO, 0);
    while parts < RENDERINGS {
        for event in source.next() {
            let started = Instant::now();
            if window.apply(&event) {
                std::hint::black_box(window.playlist(&[]));
            }
            spent += started.elapsed();
            parts += u32::from(matches!(event, Event::Part(_)));
        }
    }
    spent / parts
}

/// The recorded video track, over and over.
struct Source {
    packager: Packager,
    track: Track,
    sample: Sample,
    frame: i64,
    played: Duration,
    opened: Vec<Event>,
}

impl Source {
    fn new(settings: Settings, frame: usize) -> Result<Self, Box<dyn Error>> {
        let (tracks, samples) = samples(RECORDED);
        let track = tracks.first().ok_or("the recording has no track")?.clone();
        let sample = samples.into_iter().find(|sample| sample.sync).ok_or("the recording has no keyframe")?;
        let sample = Sample { data: vec![b'x'; frame].into(), ..sample };
        let clock = WallClock { instant: sample.received, unix: Duration::from_hours(500_000) };
        let mut packager = Packager::new(settings, clock);
        let opened = packager.start(std::slice::from_ref(&track))?;
        Ok(Self { packager, track, sample, frame: 0, played: Duration::ZERO, opened })
    }

    fn next(&mut self) -> Vec<Event> {
        let ticks = i64::from(self.track.frame_ticks.unwrap_or(1));
        let time = MediaTime::new(self.frame * ticks, self.track.timescale);
        self.played = time.to_duration();
        let sample = Sample {
            dts: time,
            pts: time,
            sync: self.frame % 60 == 0,
            received: self.sample.received + self.played,
            ..self.sample.clone()
        };
        self.frame += 1;
        let mut events = std::mem::take(&mut self.opened);
        events.extend(self.packager.push(sample));
        events
    }
}

fn average(mut work: impl FnMut()) -> Duration {
    let started = Instant::now();
    (0..RENDERINGS).for_each(|_| work());
    started.elapsed() / RENDERINGS
}

fn gzip(text: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

fn resident_bytes() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1_024)
}
