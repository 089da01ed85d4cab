//! What it costs to deliver parts and playlists, next to nginx serving the same bytes from memory: requests per second of
//! the server's processor time.
//!
//! `cargo bench -p touchline-benches --bench delivery`; needs Linux, nginx, wrk and h2load.
//!
//! The load is a closed loop from another process: every connection asks again as soon as it is answered. The servers take
//! turns of some seconds: between two neighbouring turns the machine is the same. What is counted is processor time and not
//! time, so that neither the load nor what else runs on the machine decides. Opening the connections is in it.

mod load;
mod nginx;
mod origin;
mod report;
mod server;

use std::error::Error;

use clap::Parser;

use self::load::{Load, Protocol};
use self::report::{Pair, Turn};
use self::server::{Object, Server};

/// Measure what it costs to deliver parts and playlists, next to nginx.
#[derive(Parser)]
#[command(after_help = "Examples:\n  cargo bench -p touchline-benches --bench delivery\n  \
                        cargo bench -p touchline-benches --bench delivery -- --connections 1000 --objects part20 --protocols http1\n  \
                        cargo bench -p touchline-benches --bench delivery -- --protocols http2 --streams 2,32")]
struct Options {
    /// Connections that are kept open
    #[arg(long, default_value = "64,1000,5000", value_name = "COUNTS", value_delimiter = ',')]
    connections: Vec<usize>,
    /// What is spoken; HTTP/2 in the clear, with prior knowledge
    #[arg(long, default_value = "http1,http2", value_name = "PROTOCOLS", value_delimiter = ',')]
    protocols: Vec<Spoken>,
    /// Requests at once on each HTTP/2 connection
    #[arg(long, default_value = "2,32", value_name = "COUNTS", value_delimiter = ',')]
    streams: Vec<usize>,
    /// What is asked for: parts of about so many kilobytes, a media playlist as it is and compressed
    #[arg(long, default_value = "part20,part75,playlist,gzip", value_name = "NAMES", value_delimiter = ',')]
    objects: Vec<String>,
    /// How long a turn is
    #[arg(long, default_value_t = 4, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Turns of each
    #[arg(long, default_value_t = 3, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Threads of our server and workers of nginx
    #[arg(long, default_value_t = 1, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..))]
    threads: u8,
    /// Serve until standard input ends: how this program calls itself
    #[arg(long, hide = true)]
    serve: bool,
    /// What Cargo calls every bench with
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Spoken {
    Http1,
    Http2,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    if options.serve {
        return origin::serve(options.threads);
    }
    let ours = origin::start(options.threads)?;
    let objects: Vec<Object> =
        ours.objects.iter().filter(|object| options.objects.contains(&object.name)).cloned().collect();
    let theirs = nginx::start(&ours, &objects, options.threads)?;
    report::head(options.seconds, options.rounds, options.threads);
    for load in loads(&options) {
        for object in &objects {
            let pair = measure(&ours.server, &theirs.server, object, load, &options)?;
            report::row(object, load, &pair);
        }
    }
    Ok(())
}

fn loads(options: &Options) -> Vec<Load> {
    let protocols = options.protocols.iter().flat_map(|spoken| match spoken {
        Spoken::Http1 => vec![Protocol::Http1],
        Spoken::Http2 => options.streams.iter().map(|&streams| Protocol::Http2 { streams }).collect(),
    });
    let (seconds, threads) = (options.seconds, options.threads);
    let of =
        |protocol| options.connections.iter().map(move |&connections| Load { protocol, connections, seconds, threads });
    protocols.flat_map(of).collect()
}

/// The turns of both, one after the other. A short one goes before, for the connections that a server has never had.
fn measure(
    ours: &Server,
    theirs: &Server,
    object: &Object,
    load: Load,
    options: &Options,
) -> Result<Pair, Box<dyn Error>> {
    let mut pair = Pair::default();
    let warm_up = Load { seconds: 1, ..load };
    for server in [ours, theirs] {
        turn(server, object, warm_up)?;
    }
    for round in 1..=options.rounds {
        eprint!("\r{load}, {}: turn {round} of {}   ", object.name, options.rounds);
        pair.ours.push(turn(ours, object, load)?);
        pair.theirs.push(turn(theirs, object, load)?);
    }
    eprint!("\r\x1b[K");
    Ok(pair)
}

fn turn(server: &Server, object: &Object, load: Load) -> Result<Turn, Box<dyn Error>> {
    let before = server.usage()?;
    let requests = load.run(server, object).map_err(|error| format!("{}, {load}: {error}", server.name))?;
    Ok(Turn { requests, seconds: server.usage()? - before })
}
