//! A ladder of renditions to try players on: three rungs and sound, live over LL-HLS for as long as it runs, with a
//! discontinuity now and then. It encodes before it begins and never after, which leaves the machine to the players.
//!
//! `cargo run --release -p touchline-benches --example ladder -- --discontinuity-every 60s`

mod clip;

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use clip::Clip;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use touchline_edge::{self as edge, Hub, Metrics, channel, listen};
use touchline_media::ChannelName;
use touchline_packager::{self as packager, Event, Packager, WallClock};

/// Play a ladder of three rungs (640x360, 480x270, 320x180; 30 frames/s, keyframes every 2 s) and AAC over LL-HLS, until
/// stopped.
///
/// ffmpeg encodes a clip of some seconds when it starts; after that it is repeated with timestamps that go on.
#[derive(Parser)]
#[command(after_help = "Example:\n  ladder --http 127.0.0.1:8080 --discontinuity-every 60s\n  \
                        then open http://127.0.0.1:8080/watch/ladder")]
struct Options {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    http: SocketAddr,
    /// Begin a new timeline after so much time; never, unless given
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    discontinuity_every: Option<Duration>,
    /// The channel
    #[arg(long, default_value = "ladder", value_name = "NAME")]
    channel: ChannelName,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let clip = clip::encode()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let settings = edge::Settings::default();
    let hub = Hub::new(settings, Metrics::register(&mut Registry::default()));
    let address = runtime.block_on(async {
        let listener = listen(options.http)?;
        let address = listener.local_addr()?;
        tokio::spawn(edge::serve([listener.into()], hub.clone(), settings, CancellationToken::new()));
        Ok::<_, std::io::Error>(address)
    })?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "watch http://{address}/watch/{}", options.channel)?;
    out.flush()?;
    Stage::new(hub, options.channel).play(&clip, options.discontinuity_every)
}

/// What the clip is played to.
struct Stage {
    hub: Hub,
    name: ChannelName,
    packager: Packager,
    writer: Option<channel::Writer>,
}

impl Stage {
    fn new(hub: Hub, name: ChannelName) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let packager = Packager::new(packager::Settings::default(), WallClock { instant: Instant::now(), unix });
        Self { hub, name, packager, writer: None }
    }

    /// Plays for ever, stretch after stretch.
    fn play(&mut self, clip: &Clip, discontinuity_every: Option<Duration>) -> Result<(), Box<dyn Error>> {
        let mut began = Instant::now();
        loop {
            let mut lasted = Duration::ZERO;
            let events = self.packager.start(&clip.tracks)?;
            self.publish(&events);
            for (due, mut sample) in clip.repeated() {
                if discontinuity_every.is_some_and(|every| due > every) {
                    break;
                }
                std::thread::sleep((began + due).saturating_duration_since(Instant::now()));
                sample.received = Instant::now();
                let events = self.packager.push(sample);
                self.publish(&events);
                lasted = due;
            }
            // The next timeline begins where this one ends, as when an encoder changes its settings.
            began += lasted;
        }
    }

    fn publish(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Opened(presentation) => {
                    self.writer = Some(self.hub.open(self.name.clone(), presentation.clone()));
                }
                Event::Notice(notice) => eprintln!("ladder: {notice}"),
                _ => {}
            }
        }
        if let Some(writer) = &mut self.writer {
            writer.apply(events);
        }
    }
}
