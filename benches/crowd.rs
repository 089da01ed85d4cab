//! What a waiting crowd costs, over real sockets: memory per held request, builds per part, and how long the release takes.
//!
//! `cargo bench -p touchline-benches --bench crowd`; needs two descriptors per waiter (`ulimit -n`).

use std::error::Error;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use touchline_benches::{RECORDED, packaged};
use touchline_edge::{Hub, Metrics, Settings, channel, listen, serve};
use touchline_media::ChannelName;
use touchline_packager::{self as packager, Event, Part, RenditionId};

fn main() -> Result<(), Box<dyn Error>> {
    for waiters in [2_000, 5_000] {
        measure(waiters)?;
    }
    Ok(())
}

fn measure(waiters: usize) -> Result<(), Box<dyn Error>> {
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let metrics = Metrics::register(&mut Registry::default());
    let settings = Settings { cores: 1, ..Settings::default() };
    let hub = Hub::new(settings, metrics.clone());
    let (mut writer, coming) = open(&hub)?;
    let address = server.block_on(async {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        tokio::spawn(serve([listener.into()], hub, settings, CancellationToken::new()));
        Ok::<_, std::io::Error>(address)
    })?;

    let before = resident_bytes()?;
    let crowd = gather(address, &coming, &metrics, waiters)?;
    let each = (resident_bytes()? - before) / waiters as u64;
    println!("{waiters} held requests: {each} bytes of memory each, connection included");

    let built = metrics.playlists_built.get();
    // The viewers' thread stamps each answer when its first byte is there.
    let viewers = std::thread::spawn(move || release(crowd));
    let released = Instant::now();
    writer.apply(&[Event::Part(coming)]);
    let applied = released.elapsed();
    let mut delays: Vec<Duration> =
        viewers.join().map_err(|_| "the viewers' thread panicked")??.iter().map(|at| *at - released).collect();
    delays.sort();
    let at = |permille: usize| delays.get((delays.len() - 1) * permille / 1_000).copied().unwrap_or_default();
    println!(
        "released by one part: {} playlist built, {} compressed; answers after {:.1?} (first), {:.1?} (half), {:.1?} (99 %), \
         {:.1?} (last); {applied:.1?} of the packager's time",
        metrics.playlists_built.get() - built,
        metrics.gzips_built.get(),
        at(0),
        at(500),
        at(990),
        at(1_000),
    );
    Ok(())
}

/// When the answer of each viewer had come.
fn release(crowd: Vec<TcpStream>) -> std::io::Result<Vec<Instant>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut answers = tokio::task::JoinSet::new();
        for viewer in crowd {
            viewer.set_nonblocking(true)?;
            let viewer = tokio::net::TcpStream::from_std(viewer)?;
            answers.spawn(async move {
                viewer.readable().await?;
                let at = Instant::now();
                let mut head = [0; 12];
                viewer.try_read(&mut head)?;
                assert_eq!(&head, b"HTTP/1.1 200", "a held request is answered with its playlist");
                Ok::<_, std::io::Error>(at)
            });
        }
        answers.join_all().await.into_iter().collect()
    })
}

/// A live channel, all of whose recorded parts are there but one of the video's.
fn open(hub: &Hub) -> Result<(channel::Writer, Part), Box<dyn Error>> {
    let (presentation, mut events) = packaged(RECORDED, packager::Settings::default());
    let last = events.iter().rposition(|event| matches!(event, Event::Part(part) if part.rendition == RenditionId(0)));
    let Some(Event::Part(coming)) = last.and_then(|last| events.get(last).cloned()) else {
        return Err("the recording has no video part".into());
    };
    events.truncate(last.unwrap_or(0));
    let name: ChannelName = "main".parse()?;
    let mut writer = hub.open(name, presentation);
    writer.apply(&events);
    Ok((writer, coming))
}

/// Viewers who ask for the playlist that the part will bring, each held before the next one comes.
fn gather(
    address: SocketAddr,
    coming: &Part,
    metrics: &Metrics,
    waiters: usize,
) -> Result<Vec<TcpStream>, Box<dyn Error>> {
    let path = format!("/live/main/video/index.m3u8?_HLS_msn={}&_HLS_part={}", coming.msn, coming.index);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: gzip\r\n\r\n");
    let mut crowd = Vec::with_capacity(waiters);
    for held in 1..=waiters {
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
