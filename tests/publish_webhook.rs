//! Who may publish is asked of a service of the operator's.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;
use support::{Server, session};

const PLAYLIST: &str = "/live/main/video/index.m3u8";
const WITH_KEY: &str = "ffmpeg-5.1-key-in-stream-name.rtmp";

/// A question as it came: the signature, and the body.
type Question = (String, Value);

/// A service that says this each time, and tells what it was asked.
fn service(status: &'static str) -> (SocketAddr, Receiver<Question>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, questions) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // The test is over when nobody listens any more.
            if asked.send(answer(stream.unwrap(), status)).is_err() {
                return;
            }
        }
    });
    (address, questions)
}

fn answer(mut stream: TcpStream, status: &str) -> Question {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut signature, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            assert_eq!(line, "POST /may-publish HTTP/1.1\r\n");
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "touchline-signature" => value.clone_into(&mut signature),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    (signature, serde_json::from_slice(&body).unwrap())
}

fn asks(service: SocketAddr) -> Server {
    let url = format!("http://{service}/may-publish");
    Server::start(&format!("[publish]\nwebhook = \"{url}\"\nwebhook_secret = \"0123456789abcdef\"\n"))
}

#[test]
fn whom_the_service_knows_publishes_and_is_not_asked_for_at_once_again() {
    let (address, questions) = service("204 No Content");
    let server = asks(address);
    server.replay(WITH_KEY);
    server.text(PLAYLIST);
    let (signature, question) = questions.recv().unwrap();
    assert!(signature.starts_with("t=") && signature.split(",v1=").nth(1).unwrap().len() == 64, "{signature}");
    assert_eq!((&question["channel"], &question["key"]), (&"main".into(), &"secret".into()));
    assert_eq!(question["protocol"], "RTMP");
    server.replay(WITH_KEY);
    assert!(questions.try_recv().is_err(), "the answer is known");
    assert!(!server.log().contains("secret"), "{}", server.log());
}

#[test]
fn whom_the_service_does_not_know_is_refused() {
    let (address, _questions) = service("403 Forbidden");
    let server = asks(address);
    let answer = server.publish(&session(WITH_KEY)).finish();
    assert!(answer.contains("the key is missing or wrong"), "{answer}");
    assert_eq!(server.get(PLAYLIST).0, 404);
}

#[test]
fn without_an_answer_nobody_new_publishes_and_the_operator_is_told() {
    let (address, _questions) = service("500 Internal Server Error");
    let server = asks(address);
    let answer = server.publish(&session(WITH_KEY)).finish();
    assert!(answer.contains("the service that decides who may publish here does not answer"), "{answer}");
    let log = server.log();
    assert!(log.contains("gives no verdict: it answers 500") && log.contains("there is no earlier answer"), "{log}");
}
