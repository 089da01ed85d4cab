//! HTTP/1.1 as it is on the wire.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use touchline_edge::Settings;

use crate::sockets::{PATIENCE, Server, until};
use crate::stage::Stage;

const PLAYLIST: &str = "/live/main/video/index.m3u8";

fn request(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: edge.test\r\n{fields}\r\n")
}

fn get(target: &str) -> String {
    request("GET", target, "")
}

/// One answer.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: String,
    /// Sorted, without the date.
    fields: Vec<String>,
    body: Vec<u8>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|field| field.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Reads an answer, which has a body unless it is one to HEAD.
async fn read(stream: &mut TcpStream, has_body: bool) -> Answer {
    let read = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().lines().map(str::to_owned);
        let status = lines.next().unwrap();
        let (mut dates, mut fields): (Vec<_>, Vec<_>) = lines.partition(|field| field.starts_with("date: "));
        assert!(dates.pop().is_some_and(|date| date.ends_with(" GMT")) && dates.is_empty(), "{head}");
        fields.sort();
        let mut answer = Answer { status, fields, body: Vec::new() };
        let len = answer.field("content-length").map_or(0, |len| len.parse().unwrap());
        answer.body.resize(if has_body { len } else { 0 }, 0);
        stream.read_exact(&mut answer.body).await.unwrap();
        answer
    };
    timeout(PATIENCE, read).await.expect("an answer comes")
}

async fn ask(stream: &mut TcpStream, request: &str) -> Answer {
    stream.write_all(request.as_bytes()).await.unwrap();
    read(stream, !request.starts_with("HEAD")).await
}

/// The path of a script of the pages: more than a hundred kilobytes.
async fn long_asset(stream: &mut TcpStream) -> String {
    let page = String::from_utf8(ask(stream, &get("/watch/main")).await.body).unwrap();
    page.split('"').find(|text| text.starts_with("/assets/") && text.contains(".js")).unwrap().to_owned()
}

async fn is_over(stream: &mut TcpStream) -> bool {
    let end = timeout(PATIENCE, stream.read(&mut [0; 1])).await.expect("the connection ends");
    matches!(end, Ok(0) | Err(_))
}

/// A request that tells the length of its body, which is none, is left to hyper.
#[tokio::test]
async fn whoever_reads_a_request_it_is_answered_alike() {
    let server = Server::start(Settings::default());
    let segment = format!("/live/main/video/{}", Stage::name("seg100", "m4s"));
    let init = format!("/live/main/audio/{}", Stage::name("init0", "mp4"));
    let cases = [
        ("GET", "/", ""),
        ("GET", "/", "Accept-Encoding: gzip\r\n"),
        ("GET", "/", "Accept-Encoding: br\r\nAccept-Encoding: gzip;q=0\r\n"),
        ("GET", "/watch/main/", ""),
        ("GET", "/channels.json", ""),
        ("GET", "/live/main/index.m3u8", "accept-encoding: br, GZIP\r\n"),
        ("GET", PLAYLIST, "User-Agent: a player\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"),
        ("HEAD", PLAYLIST, ""),
        ("OPTIONS", PLAYLIST, "Origin: https://a.test\r\n"),
        ("GET", "/live/main/video/index.m3u8?_HLS_msn=100&_HLS_part=0&token=%20", ""),
        ("GET", "/live/main/video/index.m3u8?_HLS_msn=many", ""),
        ("GET", &segment, ""),
        ("HEAD", &segment, ""),
        ("GET", &segment, "Range: bytes=2-5\r\n"),
        ("GET", &segment, "Range: bytes=2-5\r\nRange: bytes=3-6\r\n"),
        ("GET", &segment, "Range: bytes=2-5\r\nIf-Range: \"etag\"\r\n"),
        ("GET", &segment, "Range: bytes=100000-\r\n"),
        ("GET", &segment, "Connection: close\r\n"),
        ("GET", &segment, "Connection: keep-alive, Close\r\n"),
        ("GET", &init, ""),
        ("GET", "/live/other/index.m3u8", ""),
        ("GET", "/live/%2e%2e/index.m3u8", ""),
        ("GET", "/?", ""),
    ];
    for (method, target, fields) in cases {
        let mut answers = Vec::new();
        for also in ["", "Content-Length: 0\r\n"] {
            let mut stream = server.connect().await;
            answers.push(ask(&mut stream, &request(method, target, &format!("{fields}{also}"))).await);
            if fields.contains("lose") {
                assert!(is_over(&mut stream).await, "{method} {target} {fields}{also}");
            }
        }
        assert_eq!(answers[0], answers[1], "{method} {target} {fields}");
    }
}

#[tokio::test]
async fn what_is_not_for_us_is_left_to_hyper_and_so_is_what_follows() {
    let server = Server::start(Settings::default());
    for (odd, status) in [
        (request("POST", PLAYLIST, "Content-Length: 3\r\n") + "abc", "HTTP/1.1 405 Method Not Allowed"),
        (get(PLAYLIST).replace("HTTP/1.1", "HTTP/1.0"), "HTTP/1.0 200 OK"),
        (get(&format!("http://edge.test{PLAYLIST}")), "HTTP/1.1 200 OK"),
        (request("GET", PLAYLIST, &"X-Field: 1\r\n".repeat(80)), "HTTP/1.1 200 OK"),
        ("GET /\r\n\r\n".to_owned(), "HTTP/1.1 400 Bad Request"),
    ] {
        let mut stream = server.connect().await;
        assert_eq!(ask(&mut stream, &get("/channels.json")).await.status, "HTTP/1.1 200 OK");
        let answer = ask(&mut stream, &odd).await;
        assert_eq!(answer.status, status);
        if status == "HTTP/1.1 400 Bad Request" || status.starts_with("HTTP/1.0") {
            assert!(is_over(&mut stream).await, "{odd}");
        } else {
            assert_eq!(ask(&mut stream, &get(PLAYLIST)).await.status, "HTTP/1.1 200 OK");
        }
    }
}

#[tokio::test]
async fn requests_are_answered_in_turn_in_whatever_pieces_they_come() {
    let server = Server::start(Settings::default());
    let mut stream = server.connect().await;
    let all = [get("/channels.json"), request("HEAD", PLAYLIST, ""), get("/nothing"), get(PLAYLIST)].concat();
    for pieces in [all.len(), 1, 7, 100] {
        for piece in all.as_bytes().chunks(pieces) {
            stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut answers = Vec::new();
        for has_body in [true, false, true, true] {
            answers.push(read(&mut stream, has_body).await);
        }
        let types: Vec<_> = answers.iter().map(|answer| answer.field("content-type").unwrap()).collect();
        assert_eq!(
            types,
            ["application/json", "application/vnd.apple.mpegurl", "application/json", "application/vnd.apple.mpegurl"]
        );
        assert!(answers[0].status.ends_with("200 OK") && answers[2].status.ends_with("404 Not Found"));
        assert_eq!(answers[3].body.len().to_string(), answers[1].field("content-length").unwrap());
    }
}

#[tokio::test]
async fn who_asks_for_more_while_it_is_held_is_answered_when_its_turn_comes() {
    let mut server = Server::start(Settings::default());
    let mut stream = server.connect().await;
    let more = get("/channels.json");
    let count = 60 * 1_024 / more.len();
    let all = get(&format!("{PLAYLIST}?_HLS_msn=101")) + &more.repeat(count);
    let (mut reader, mut writer) = stream.split();
    let writing = async move { writer.write_all(all.as_bytes()).await.unwrap() };
    let held = async {
        until(|| server.stage.metrics.held.get() == 1).await;
        server.stage.end_segment();
        let mut first = [0; 15];
        reader.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
    };
    tokio::join!(writing, held);
    // The rest of the head and the playlist, up to what follows.
    let mut seen = Vec::new();
    while !seen.ends_with(b"HTTP/1.1 200 OK") {
        seen.push(stream.read_u8().await.unwrap());
    }
    assert!(String::from_utf8(seen).unwrap().contains(&Stage::name("seg101", "m4s")));
    let mut next = Vec::new();
    while !next.ends_with(b"\r\n\r\n") {
        next.push(stream.read_u8().await.unwrap());
    }
    let list = timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap();
    assert_eq!(list, b'{');
}

/// The kernel sends it from a file, from the eighth answer on.
#[tokio::test]
async fn what_many_take_is_the_same_for_all_of_them() {
    let server = Server::start(Settings::default());
    let mut stream = server.connect().await;
    let asset = long_asset(&mut stream).await;
    let first = ask(&mut stream, &get(&asset)).await;
    assert!(first.body.len() > 100_000);
    for _ in 0..20 {
        assert!(ask(&mut stream, &get(&asset)).await == first);
    }
    // More than a socket has room for, so that each is sent in pieces.
    let mut slow = server.connect().await;
    slow.write_all(get(&asset).repeat(100).as_bytes()).await.unwrap();
    for _ in 0..100 {
        assert!(read(&mut slow, true).await == first);
    }
    assert_eq!(ask(&mut stream, &request("HEAD", &asset, "")).await.fields, first.fields);
}
