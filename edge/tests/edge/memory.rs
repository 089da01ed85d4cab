//! What a held request costs.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use tokio_util::sync::CancellationToken;
use touchline_edge::{Settings, listen, serve};

use crate::stage::Stage;

const CROWD: u64 = 5_000;
/// What hls.js in a browser sends, more or less.
const HEADERS: &str = "Host: edge.test\r\nConnection: keep-alive\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 \
    (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\nAccept: */*\r\nOrigin: https://example.com\r\nReferer: \
    https://example.com/match\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n\r\n";

/// Over real sockets, whose viewers' ends are bare descriptors: all memory that comes to be is the server's. The kernel's
/// socket buffers come on top.
#[tokio::test]
#[ignore = "a measurement, of this process alone, with 10,000 descriptors: cargo test -p touchline-edge -- --ignored --nocapture memory"]
async fn a_held_request_costs_less_than_32_kib_with_its_connection() {
    let stage = Stage::live();
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, stage.hub.clone(), Settings::default(), CancellationToken::new()));
    let before = resident_bytes();
    let mut crowd = Vec::new();
    for held in 1..=CROWD {
        let mut viewer = TcpStream::connect(address).unwrap();
        viewer
            .write_all(format!("GET /live/main/video/index.m3u8?_HLS_msn=101 HTTP/1.1\r\n{HEADERS}").as_bytes())
            .unwrap();
        crowd.push(viewer);
        while stage.metrics.held.get().unsigned_abs() < held {
            tokio::task::yield_now().await;
        }
    }
    let each = (resident_bytes() - before) / CROWD;
    eprintln!("{each} bytes for each of {CROWD} held requests, connection included");
    assert!(each < 32 * 1_024, "{each}");
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}
