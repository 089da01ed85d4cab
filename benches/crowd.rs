//! What a waiting crowd costs, over real sockets: memory per held request, builds per part, and how long the release takes.
//!
//! `cargo bench -p touchline-benches --bench crowd`; needs two descriptors per waiter (`ulimit -n`).

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use touchline_benches::{RECORDED, samples};
use touchline_edge::{Hub, Metrics, Settings, channel, listen, serve};
use touchline_media::ChannelName;
use touchline_packager::{self as packager, Event, Packager, Part, RenditionId, WallClock};

const WAITERS: usize = 5_000;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let metrics = Metrics::register(&mut Registry::default());
    let hub = Hub::new(Settings::default(), metrics.clone());
    let (mut writer, coming) = open(&hub)?;
    let address = runtime.block_on(async {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        tokio::spawn(serve(listener, hub, Settings::default(), CancellationToken::new()));
        Ok::<_, std::io::Error>(address)
    })?;

    let before = resident_bytes()?;
    let crowd = gather(address, &coming, &metrics)?;
    let each = (resident_bytes()? - before) / WAITERS as u64;
    println!("{WAITERS} held requests: {each} bytes of memory each, connection included");

    let built = metrics.playlists_built.get();
    let released = Instant::now();
    writer.apply(&[Event::Part(coming)]);
    let mut delays = Vec::with_capacity(WAITERS);
    for mut viewer in crowd {
        let mut response = [0; 4_096];
        let read = viewer.read(&mut response)?;
        assert!(
            response.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(response.get(..read).unwrap_or(&[]))
        );
        delays.push(released.elapsed());
    }
    let at = |share: usize| delays.get((delays.len() - 1) * share / 100).copied().unwrap_or_default();
    println!(
        "released by one part: {} playlist built, {} compressed; read one after the other, half by {:.1?}, all by {:.1?}",
        metrics.playlists_built.get() - built,
        metrics.gzips_built.get(),
        at(50),
        at(100),
    );
    Ok(())
}

/// A live channel, all of whose recorded parts are there but one of the video's.
fn open(hub: &Hub) -> Result<(channel::Writer, Part), Box<dyn Error>> {
    let (tracks, samples) = samples(RECORDED);
    let clock = WallClock { instant: Instant::now(), unix: Duration::from_hours(500_000) };
    let mut packager = Packager::new(packager::Settings::default(), clock);
    let mut events = packager.start(&tracks)?;
    events.extend(samples.into_iter().flat_map(|sample| packager.push(sample)));
    let last = events.iter().rposition(|event| matches!(event, Event::Part(part) if part.rendition == RenditionId(0)));
    let Some(Event::Part(coming)) = last.and_then(|last| events.get(last).cloned()) else {
        return Err("the recording has no video part".into());
    };
    events.truncate(last.unwrap_or(0));
    let presentation = events.iter().find_map(|event| match event {
        Event::Opened(presentation) => Some(presentation.clone()),
        _ => None,
    });
    let name: ChannelName = "main".parse()?;
    let mut writer = hub.open(name, presentation.ok_or("the presentation does not open")?);
    writer.apply(&events);
    Ok((writer, coming))
}

/// Viewers who ask for the playlist that the part will bring, each held before the next one comes.
fn gather(address: SocketAddr, coming: &Part, metrics: &Metrics) -> Result<Vec<TcpStream>, Box<dyn Error>> {
    let path = format!("/live/main/video/index.m3u8?_HLS_msn={}&_HLS_part={}", coming.msn, coming.index);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: gzip\r\n\r\n");
    let mut crowd = Vec::with_capacity(WAITERS);
    for held in 1..=WAITERS {
        let mut viewer = TcpStream::connect(address)?;
        viewer.write_all(request.as_bytes())?;
        crowd.push(viewer);
        while usize::try_from(metrics.held.get())? < held {
            std::thread::yield_now();
        }
    }
    Ok(crowd)
}

fn resident_bytes() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1_024)
}
