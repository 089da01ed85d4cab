//! What operators and autoscalers are told, by real servers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;

use ring::hmac;
use serde_json::Value;
use support::{Server, get, send, session, until};
use tokio::runtime::Runtime;

const FIXTURE: &str = "ffmpeg-5.1-h264-aac-bframes.rtmp";
/// What somebody asks for who says who he is (CTA-5004).
const WATCHED: &str = "/live/main/video/index.m3u8?CMCD=sid%3D%22one%22";
/// Small nodes, so that a few viewers need several.
const SMALL: &str = "[hints]\nnode_viewers = 1\n";

fn json(address: SocketAddr, path: &str) -> Value {
    let (status, body) = get(address, path);
    assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

/// POST with a body.
fn post(address: SocketAddr, path: &str, body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}"
    );
    write!(socket, "{head}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    (answer.split_whitespace().nth(1).unwrap().parse().unwrap(), answer)
}

/// A call as KEDA makes it: a message of `externalscaler.proto` in, one out, by HTTP/2 without TLS.
fn call(address: SocketAddr, method: &str, message: &[u8]) -> Vec<u8> {
    Runtime::new().unwrap().block_on(async {
        let socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(socket).await.unwrap();
        tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        let request = hyper::Request::post(format!("http://{address}/externalscaler.ExternalScaler/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let (response, mut body) = client.send_request(request.body(()).unwrap(), false).unwrap();
        let mut framed = vec![0];
        framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        framed.extend(message);
        body.send_data(framed.into(), true).unwrap();
        let mut answer = response.await.unwrap().into_body();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.data().await {
            let chunk = chunk.unwrap();
            answer.flow_control().release_capacity(chunk.len()).unwrap();
            bytes.extend(chunk);
        }
        let trailers = answer.trailers().await.unwrap().unwrap();
        assert_eq!(trailers.get("grpc-status").unwrap(), "0", "{trailers:?}");
        bytes.split_off(5)
    })
}

/// `GetMetricsRequest { scaled_object_ref: { scaler_metadata: { pool: edges } }, metric_name: nodes }`.
const GET_METRICS: &[u8] = b"\x0a\x0f\x1a\x0d\x0a\x04pool\x12\x05edges\x12\x05nodes";

/// The number that each way tells.
fn told(server: &Server) -> Vec<(&'static str, u64)> {
    let rest = json(server.admin, "/api/v1/hints/edges")["nodes"].as_u64().unwrap();
    let keda = json(server.admin, "/metric?pool=edges")["nodes"].as_u64().unwrap();
    // `GetMetricsResponse { metric_values: [{ metric_name: nodes, metric_value: N, metric_value_float: N }] }`.
    let grpc = call(server.admin, "GetMetrics", GET_METRICS);
    let value = grpc.windows(7).position(|window| window == b"\x0a\x05nodes").unwrap() + 7;
    assert_eq!(grpc[value], 0x10, "{grpc:x?}");
    let metrics = String::from_utf8(get(server.admin, "/metrics").1).unwrap();
    let line = metrics.lines().find(|line| line.starts_with("touchline_hints_nodes{pool=\"edges\"}")).unwrap();
    let prometheus: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    let frame = frame(server);
    let sse = frame["hints"].as_array().unwrap().iter().find(|hint| hint["pool"] == "edges").unwrap()["nodes"].as_u64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some nodes")]
    let prometheus = prometheus as u64;
    vec![
        ("REST", rest),
        ("metrics-api", keda),
        ("gRPC", grpc[value + 1].into()),
        ("Prometheus", prometheus),
        ("SSE", sse.unwrap()),
    ]
}

/// The first frame of the stream.
fn frame(server: &Server) -> Value {
    let mut socket = TcpStream::connect(server.admin).unwrap();
    write!(socket, "GET /api/v1/desk/stream HTTP/1.1\r\nHost: {}\r\n\r\n", server.admin).unwrap();
    let mut lines = BufReader::new(socket).lines().map(Result::unwrap);
    lines.find(|line| line == "event: frame").unwrap();
    let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
    serde_json::from_str(&data).unwrap()
}

#[test]
fn every_way_tells_the_same_number() {
    let server = Server::start(SMALL);
    let _publisher = server.publish(&session(FIXTURE));
    until(|| server.get("/live/main/video/index.m3u8").0 == 200);
    let all_say = |nodes: u64| {
        let told = told(&server);
        told.iter().all(|(_, told)| *told == nodes).then_some(()).ok_or(told)
    };
    until(|| all_say(1).is_ok());
    let (status, answer) = post(server.admin, "/api/v1/hints/edges/surge", r#"{"factor":7,"minutes":30}"#);
    assert_eq!(status, 204, "{answer}");
    // Somebody watches, and seven times as many nodes are asked for as he needs.
    until(|| {
        server.get(WATCHED);
        let nodes = told(&server).into_iter().map(|(_, nodes)| nodes).collect::<BTreeSet<u64>>();
        nodes.len() == 1 && nodes.first() >= Some(&7)
    });
    assert_eq!(call(server.admin, "IsActive", b""), [0x08, 0x01]);
    let spec = call(server.admin, "GetMetricSpec", b"");
    assert!(spec.windows(7).any(|window| window == b"\x0a\x05nodes"), "{spec:x?}");
}

#[test]
fn who_watches_at_an_edge_is_known_at_the_origin() {
    let origin = Server::start("");
    let edge = Server::edge(&[&origin], "[cluster]\nnode = \"edge-1\"\n");
    let _publisher = origin.publish(&session(FIXTURE));
    until(|| edge.get("/live/main/video/index.m3u8").0 == 200);
    until(|| {
        edge.get(WATCHED);
        json(origin.admin, "/api/v1/desk")["audience"]["viewers"] == 1.0
    });
    let node = json(origin.admin, "/api/v1/edges/edge-1");
    assert_eq!((&node["viewers"], &node["stale"]), (&1.0.into(), &false.into()));
    let hint = json(origin.admin, "/api/v1/hints/edges");
    assert_eq!(hint["nodes_now"], 1, "an origin that has edges is none itself: {hint}");
    edge.kill();
    until(|| {
        let alerts = json(origin.admin, "/api/v1/alerts");
        alerts.as_array().unwrap().iter().any(|alert| alert["rule"] == "edge_silent" && alert["node"] == "edge-1")
    });
}

#[test]
fn an_alert_is_delivered_though_the_service_fails_at_first() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/on-call", listener.local_addr().unwrap());
    let server = Server::start(&format!("[alerts]\nwebhook = \"{url}\"\nwebhook_secret = \"0123456789abcdef\"\n"));
    let (taken, messages) = channel();
    std::thread::spawn(move || {
        let answers = ["500 Internal Server Error", "204 No Content", "204 No Content"];
        for (stream, status) in listener.incoming().zip(answers) {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let head: Vec<String> =
                reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            let of = |name: &str| {
                let line = head.iter().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}: ")));
                line.unwrap_or_else(|| panic!("no {name} in {head:?}"))[name.len() + 2..].to_owned()
            };
            let mut body = vec![0; of("content-length").parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            taken.send((of("touchline-delivery"), of("touchline-signature"), body)).unwrap();
        }
    });
    let publisher = server.publish(&session(FIXTURE));
    until(|| server.get("/live/main/video/index.m3u8").0 == 200);
    publisher.finish();
    let (first, again) = (messages.recv().unwrap(), messages.recv().unwrap());
    assert_eq!((&first.0, &first.2), (&again.0, &again.2), "the same message is tried again");
    let message: Value = serde_json::from_slice(&again.2).unwrap();
    let alert = &message["alert"];
    assert_eq!(
        (&message["kind"], &alert["rule"], &alert["channel"]),
        (&"fired".into(), &"feed_stopped".into(), &"main".into())
    );
    let (time, tag) = again.1.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"0123456789abcdef");
    let signed = hmac::sign(&key, &[time.as_bytes(), b".", &again.2].concat());
    let expected: Vec<String> = signed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(tag, expected.concat());
    // It is over when somebody publishes again.
    let _publisher = server.publish(&session(FIXTURE));
    let cleared: Value = serde_json::from_slice(&messages.recv().unwrap().2).unwrap();
    assert_eq!((&cleared["kind"], &cleared["alert"]["rule"]), (&"cleared".into(), &"feed_stopped".into()));
}

#[test]
fn orders_are_traced_where_there_is_a_collector() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(&format!("[telemetry]\notlp = \"http://{}\"\n", listener.local_addr().unwrap()));
    let (taken, traces) = channel();
    std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut request = Vec::new();
        let is_whole = |request: &[u8]| {
            let head = request.windows(4).position(|window| window == b"\r\n\r\n")?;
            let text = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
            let length: usize = text.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
            (request.len() >= head + 4 + length).then_some(())
        };
        let mut buffer = [0; 4_096];
        while is_whole(&request).is_none() {
            let read = stream.read(&mut buffer).unwrap();
            request.extend_from_slice(&buffer[..read]);
        }
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        taken.send(String::from_utf8_lossy(&request).into_owned()).unwrap();
    });
    let (status, answer) = post(server.admin, "/api/v1/hints/edges/surge", r#"{"factor":2,"minutes":1}"#);
    assert_eq!(status, 204, "{answer}");
    // What has not been told yet is told at the end.
    let (code, log) = server.drain();
    assert_eq!(code, Some(0), "{log}");
    let trace = traces.recv().unwrap();
    assert!(trace.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{trace}");
    assert!(trace.contains("/api/v1/hints/edges/surge") && trace.contains("touchline"), "{trace}");
}

#[test]
fn what_cannot_be_had_is_told_in_words() {
    let server = Server::start("");
    for (method, path, status, words) in [
        ("GET", "/api/v1/nothing", 404, "there is nothing here"),
        ("GET", "/api/v1/hints/clouds", 404, "there is no pool called \\\"clouds\\\""),
        ("GET", "/api/v1/hints/edges/explain?at=noon", 400, "at: it has to be a moment"),
        ("GET", "/api/v1/timeline?limit=0", 400, "limit: "),
        ("GET", "/api/v1/timeline?limit=many", 400, "limit"),
        ("GET", "/metric?pool=clouds", 404, "there is no pool"),
        ("DELETE", "/api/v1/events/final", 404, "there is no event called \\\"final\\\""),
        ("DELETE", "/api/v1/publishers/9", 404, "there is no publisher \\\"9\\\""),
        ("POST", "/api/v1/channels/main/kick", 404, "nobody publishes into"),
        ("POST", "/api/v1/edges/edge-1/drain", 404, "viewers are not steered"),
        ("POST", "/api/v1/hints/edges/surge", 400, "Content-Type: application/json"),
        ("PATCH", "/api/v1/events/final", 405, "PATCH"),
    ] {
        let (answered, body) = send(server.admin, method, path);
        let body = String::from_utf8_lossy(&body);
        assert!(answered == status && body.contains(words), "{method} {path}: {answered} {body}");
    }
    let (status, answer) = post(server.admin, "/api/v1/hints/edges/surge", r#"{"factor":1000,"minutes":5}"#);
    assert!(status == 400 && answer.contains("factor: it has to be a number from 1 to 100"), "{answer}");
    let (status, answer) = post(server.admin, "/api/v1/hints/edges/surge", r#"{"factor":2,"hours":5}"#);
    assert!(status == 400 && answer.contains("unknown field `hours`"), "{answer}");
}

#[test]
fn the_rules_for_prometheus_fire_and_clear() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus");
    for arguments in [["check", "rules", "touchline.rules.yml"], ["test", "rules", "touchline.rules.test.yml"]] {
        let output = Command::new("promtool").args(arguments).current_dir(&folder).output();
        let output = output.expect("promtool, of Debian's package prometheus: `make test` installs it");
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let rules = std::fs::read_to_string(folder.join("touchline.rules.yml")).unwrap();
    let tests = std::fs::read_to_string(folder.join("touchline.rules.test.yml")).unwrap();
    for rule in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert_eq!(tests.matches(&format!("alertname: {rule}\n")).count(), 1, "{rule} is not tested");
    }
}

#[test]
fn what_prometheus_and_grafana_ask_for_is_there() {
    let server = Server::start("");
    // Families appear with what they are about.
    let _publisher = server.publish(&session(FIXTURE));
    let files =
        ["deploy/prometheus/touchline.rules.yml", "deploy/grafana/touchline.json", "deploy/kubernetes/hints.yaml"];
    let read = |file: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let words = files.map(read).join("\n");
    let words = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let wanted: BTreeSet<&str> = words
        .filter(|word| word.starts_with("touchline_"))
        .map(|word| word.trim_end_matches("_bucket").trim_end_matches("_total"))
        .collect();
    // No ladder is made here.
    let (of_ladders, others): (Vec<&str>, Vec<&str>) =
        wanted.into_iter().partition(|name| name.starts_with("touchline_transcode_"));
    let source = read("transcode/src/metrics.rs");
    for name in of_ladders.iter().filter_map(|name| name.strip_prefix("touchline_transcode_")) {
        assert!(source.contains(&format!("\"{name}\"")), "touchline_transcode_{name} is not measured");
    }
    until(|| {
        let metrics = String::from_utf8(get(server.admin, "/metrics").1).unwrap();
        others.iter().all(|name| metrics.contains(&format!("# TYPE {name} ")))
    });
}
