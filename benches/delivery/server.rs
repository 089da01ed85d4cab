//! A server that is measured, and what it serves.

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command};

use touchline_benches::process;

/// What browsers send with a request that hls.js makes, but for what follows from the object.
pub(crate) const HEADERS: [&str; 6] = [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Accept: */*",
    "Accept-Language: en-GB,en;q=0.9",
    "Origin: https://club.example",
    "Referer: https://club.example/",
    "Sec-Fetch-Mode: cors",
];

/// A running server.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) http1: SocketAddr,
    /// In the clear.
    pub(crate) http2: SocketAddr,
    pub(crate) process: Child,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) path: String,
    /// Whether it is asked for compressed.
    pub(crate) gzip: bool,
    /// The bytes of the body, as they are sent.
    pub(crate) body: Vec<u8>,
}

impl Server {
    /// Processor time used so far, in seconds.
    pub(crate) fn usage(&self) -> io::Result<f64> {
        process::family(self.process.id())
    }
}

impl Object {
    /// What is at a path of a server now.
    pub(crate) fn fetch(server: SocketAddr, name: &str, path: &str, gzip: bool) -> Result<Self, Box<dyn Error>> {
        let (name, path) = (name.to_owned(), path.to_owned());
        let mut object = Self { name, path, gzip, body: Vec::new() };
        let mut stream = TcpStream::connect(server)?;
        let headers = object.headers().iter().fold(String::new(), |all, header| all + header + "\r\n");
        write!(stream, "GET {} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n{headers}\r\n", object.path)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or("the answer has no end of a head")?;
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(format!(
                "{}: {}",
                object.path,
                String::from_utf8_lossy(answer.get(..head).unwrap_or_default())
            )
            .into());
        }
        object.body = answer.split_off(head + 4);
        Ok(object)
    }

    /// The request's headers.
    pub(crate) fn headers(&self) -> Vec<&'static str> {
        let encoding = if self.gzip { "Accept-Encoding: gzip, deflate, br, zstd" } else { "Accept-Encoding: identity" };
        HEADERS.into_iter().chain([encoding]).collect()
    }
}

/// A program that may use these cores alone: the first `count` of them, or, for a load, the others. All, where that leaves
/// nothing.
pub(crate) fn on_cores(program: &str, threads: u8, load: bool) -> Command {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = usize::from(threads);
    if threads >= cores {
        return Command::new(program);
    }
    let list = if load { format!("{threads}-{}", cores - 1) } else { format!("0-{}", threads - 1) };
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &list, program]);
    command
}
