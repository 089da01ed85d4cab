//! Our server, in a process of its own: a live channel made of recorded media.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use touchline_benches::{RECORDED, packaged};
use touchline_edge::{Hub, Metrics, Settings, listen, serve as serve_viewers};
use touchline_packager::{self as packager, Event, Item, Name, Part, RenditionId};

use crate::server::{Object, Server, on_cores};

/// Parts of the length that players get, and of another that makes them about 20 KB.
const CHANNELS: [(&str, Duration, usize); 2] =
    [("part20", Duration::from_millis(50), 20_000), ("part75", Duration::from_millis(200), 75_000)];

/// Our server, and what is to be had from it. Ends with this process.
pub(crate) struct Origin {
    pub(crate) server: Server,
    pub(crate) objects: Vec<Object>,
}

/// Starts this program again as the server.
pub(crate) fn start(threads: u8) -> Result<Origin, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let mut command = on_cores(program.to_str().ok_or("a path that is no text")?, threads, false);
    command.args(["--serve", "--threads", &threads.to_string()]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(process.stdout.take().ok_or("no standard output")?).lines();
    let mut line = || lines.next().ok_or("the server ended before it listened")?.map_err(Box::<dyn Error>::from);
    let address: SocketAddr = line()?.parse()?;
    let mut objects = Vec::new();
    for (name, ..) in CHANNELS {
        objects.push(Object::fetch(address, name, &line()?, false)?);
    }
    let playlist = line()?;
    objects.push(Object::fetch(address, "playlist", &playlist, false)?);
    objects.push(Object::fetch(address, "gzip", &playlist, true)?);
    Ok(Origin { server: Server { name: "touchline", http1: address, http2: address, process }, objects })
}

/// Serves until standard input ends. Tells where it listens, then the paths of the parts and of a playlist.
pub(crate) fn serve(threads: u8) -> Result<(), Box<dyn Error>> {
    let settings = Settings { cores: threads.into(), ..Settings::default() };
    let hub = Hub::new(settings, Metrics::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let address = runtime.block_on(async {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        tokio::spawn(serve_viewers([listener.into()], hub.clone(), settings, CancellationToken::new()));
        Ok::<_, std::io::Error>(address)
    })?;
    println!("{address}");
    let mut writers = Vec::new();
    for (channel, length, size) in CHANNELS {
        let settings = packager::Settings { part: length, ..packager::Settings::default() };
        let (presentation, events) = packaged(RECORDED, settings);
        let mut writer = hub.open(channel.parse()?, presentation.clone());
        writer.apply(&events);
        writers.push(writer);
        let parts = events.iter().filter_map(|event| match event {
            Event::Part(part) if part.rendition == RenditionId(0) => Some(part),
            _ => None,
        });
        let part = parts.clone().min_by_key(|part| part.data.len().abs_diff(size)).ok_or("no parts")?;
        println!("/live/{channel}/video/{}", Name { epoch: presentation.epoch, item: Item::Part(part.number) });
        if writers.len() == CHANNELS.len() {
            println!("{}", playlist(channel, parts.last().ok_or("no parts")?));
        }
    }
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The newest playlist, asked for as a player that has waited for it.
fn playlist(channel: &str, newest: &Part) -> String {
    format!("/live/{channel}/video/index.m3u8?_HLS_msn={}&_HLS_part={}", newest.msn, newest.index)
}
