//! The load: a program that others have made, in a process of its own.

use std::error::Error;
use std::fmt;

use crate::server::{Object, Server, on_cores};

/// How a server is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) protocol: Protocol,
    pub(crate) connections: usize,
    pub(crate) seconds: u32,
    /// Threads of the server, which the load keeps away from where it can.
    pub(crate) threads: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    /// In the clear, with so many requests at once on each connection.
    Http2 {
        streams: usize,
    },
}

impl Load {
    /// Asks for an object again and again, and tells how often it was answered.
    pub(crate) fn run(&self, server: &Server, object: &Object) -> Result<u64, Box<dyn Error>> {
        let (program, address) = match self.protocol {
            Protocol::Http1 => ("wrk", server.http1),
            Protocol::Http2 { .. } => ("h2load", server.http2),
        };
        let mut command = on_cores(program, self.threads, true);
        match self.protocol {
            Protocol::Http1 => command.args(["--threads", "1", "--timeout", "30s"]),
            Protocol::Http2 { streams } => command.args(["--threads", "1", "-m", &streams.to_string()]),
        };
        command.args([format!("--duration={}", self.seconds), format!("-c{}", self.connections)]);
        for header in object.headers() {
            command.args(["--header", header]);
        }
        let output = command.arg(format!("http://{address}{}", object.path)).output();
        let output = output.map_err(|error| format!("cannot run {program}: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let requests = match self.protocol {
            Protocol::Http1 => of_wrk(&said),
            Protocol::Http2 { .. } => of_h2load(&said),
        };
        requests.ok_or_else(|| format!("{program}: {said}{}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// `  123456 requests in 4.00s, 2.32GB read`, without lines that tell of failures.
fn of_wrk(said: &str) -> Option<u64> {
    let failed = said.contains("Socket errors") || said.contains("Non-2xx");
    let line = said.lines().find(|line| line.contains(" requests in "))?;
    line.split_whitespace().next()?.parse().ok().filter(|_| !failed)
}

/// `requests: 123 total, 123 started, 123 done, 123 succeeded, 0 failed, 0 errored, 0 timeout`.
fn of_h2load(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.strip_prefix("requests: "))?;
    let count = |what| {
        line.split(", ")
            .find_map(|field| field.split_once(' ').filter(|(_, of)| *of == what))
            .and_then(|(count, _)| count.parse::<u64>().ok())
    };
    count("succeeded").filter(|done| *done > 0 && count("failed") == Some(0))
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            Protocol::Http1 => write!(f, "HTTP/1.1, {} connections", self.connections),
            Protocol::Http2 { streams } => write!(f, "HTTP/2, {} connections x {streams}", self.connections),
        }
    }
}
