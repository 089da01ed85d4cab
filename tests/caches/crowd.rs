//! A crowd that watches a recorded publisher, whose bytes come when everybody waits for them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hyper::body::Bytes;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::front::Front;
use crate::http::{Address, Answer, Connection};
use crate::support::{self, Publisher, Server, session};

const FIXTURE: &str = "bench-720p30.rtmp";
const RENDITIONS: [&str; 2] = ["video", "audio"];
/// How much of the session is there before anybody watches, in bytes: a second.
const LEAD: usize = 400_000;
/// How much of the session is sent at a time, in bytes: less than most pictures have.
const STEP: usize = 4_096;

/// What a crowd got in the course of a programme, and what reached the server of that.
#[derive(Debug)]
pub(crate) struct Programme {
    /// Requests that the viewers made.
    pub(crate) requests: usize,
    /// What they asked for.
    pub(crate) objects: Counts,
    /// What the server answered.
    pub(crate) fetched: Counts,
}

/// Media playlists and parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) playlists: usize,
    pub(crate) parts: usize,
    /// Parts that never came.
    pub(crate) missing: usize,
}

/// A programme whose bytes come when they are sent.
pub(crate) struct OnAir<'a> {
    server: &'a Server,
    publisher: Publisher,
    session: Vec<u8>,
    sent: usize,
}

impl<'a> OnAir<'a> {
    /// The first second is there.
    pub(crate) fn begin(server: &'a Server) -> Self {
        let session = session(FIXTURE);
        let publisher = server.publish(&session[..LEAD]);
        support::until(|| RENDITIONS.iter().all(|name| server.get(&playlist_of(name)).0 == 200));
        let on_air = Self { server, publisher, session, sent: LEAD };
        support::until(|| on_air.is_received());
        on_air
    }

    /// Sends a little more, if there is more.
    pub(crate) fn step(&mut self) -> bool {
        let step = &self.session[self.sent..self.session.len().min(self.sent + STEP)];
        self.publisher.send(step);
        self.sent += step.len();
        !step.is_empty()
    }

    /// Sends until the hinted part of the pictures is there.
    pub(crate) fn next_part(&mut self) {
        let hint = self.next().hint;
        while self.next().hint == hint {
            assert!(self.step(), "the session has no more parts");
            support::until(|| self.is_received());
        }
    }

    /// What a player of the pictures asks for next.
    pub(crate) fn next(&self) -> Next {
        Next::of(&self.server.text(&playlist_of(RENDITIONS[0])))
    }

    fn is_received(&self) -> bool {
        metric(self.server, "touchline_ingest_received_bytes_total") >= self.sent
    }
}

/// So many viewers watch both renditions by way of what stands in front, from the first second to the end; `collapsed`:
/// one request of it stands for all of the same.
pub(crate) fn watch(server: &Server, front: fn(&Server) -> Front, collapsed: bool, viewers: usize) -> Programme {
    let mut on_air = OnAir::begin(server);
    let front = front(server);
    let begin = RENDITIONS.map(|rendition| (rendition, server.text(&playlist_of(rendition))));
    let before = Counts::of(server);

    let seen = Arc::new(Seen { collapsed, ..Seen::default() });
    let runtime = Runtime::new().unwrap();
    let mut watching = Vec::new();
    for number in 0..viewers {
        for (rendition, playlist) in &begin {
            let view = view(number, rendition, playlist.clone(), front.at.clone(), Arc::clone(&seen));
            watching.push(runtime.spawn(view));
        }
    }
    loop {
        support::until(|| {
            let everybody_waits = seen.waiting.load(Ordering::SeqCst) == 2 * watching.len();
            (everybody_waits && on_air.is_received()) || watching.iter().any(JoinHandle::is_finished)
        });
        if !on_air.step() {
            break;
        }
    }
    on_air.publisher.finish();
    for viewer in watching {
        runtime.block_on(viewer).unwrap();
    }
    let requests = seen.requests.load(Ordering::SeqCst);
    Programme { requests, objects: seen.counts(), fetched: Counts::of(server).since(before) }
}

impl Counts {
    /// What the server has answered so far.
    fn of(server: &Server) -> Self {
        Self {
            playlists: answered(server, "playlist", 200),
            parts: answered(server, "part", 200),
            missing: answered(server, "part", 404),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            playlists: self.playlists - before.playlists,
            parts: self.parts - before.parts,
            missing: self.missing - before.missing,
        }
    }
}

/// What the viewers of a programme share.
#[derive(Debug, Default)]
struct Seen {
    /// Each object by its path, with nothing in the query that makes no difference, and what all got for it.
    objects: Mutex<BTreeMap<String, (u16, Bytes)>>,
    requests: AtomicUsize,
    waiting: AtomicUsize,
    /// Whether one request of the cache's stands for all of the same, in whatever form they take it.
    collapsed: bool,
}

impl Seen {
    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (path, (status, _)) in self.objects.lock().unwrap().iter() {
            match (path.contains(".m3u8"), status) {
                (true, 200) => counts.playlists += 1,
                (false, 200) => counts.parts += 1,
                (false, 404) => counts.missing += 1,
                _ => panic!("{path}: {status}"),
            }
        }
        counts
    }

    /// Asks for an object as this viewer would, and compares the answer with what others got.
    async fn ask(&self, connection: &mut Connection, path: &str, query: String, number: usize) -> Answer {
        let cookie = format!("viewer={number}");
        let headers = [("cookie", cookie.as_str()), ("cmcd-session", "sid=\"6e2f\""), ("user-agent", cookie.as_str())];
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let answer = connection.get(&query, &headers).await;
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        // Who waited for a playlist gets it as it is when its turn comes (RFC 8216bis 6.2.5.2): a part later, perhaps.
        // And why there is no such part is another reason once the channel has ended. Only a cache has everybody get the same.
        let same = self.collapsed || (answer.status == 200 && !path.contains(".m3u8"));
        let body = if same { answer.body.clone() } else { Bytes::new() };
        let object = (answer.status.as_u16(), body);
        let mut objects = self.objects.lock().unwrap();
        let first = objects.entry(path.to_owned()).or_insert_with(|| object.clone());
        assert!(*first == object, "{path}: {} for viewer {number}, {} for another", object.0, first.0);
        answer
    }
}

/// A metric of the server.
pub(crate) fn metric(server: &Server, name: &str) -> usize {
    let (_, body) = support::get(server.admin, "/metrics");
    let text = String::from_utf8(body).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_default()
}

/// How many requests of a kind the server has answered with a status.
pub(crate) fn answered(server: &Server, kind: &str, status: u16) -> usize {
    metric(server, &format!("touchline_edge_requests_total{{kind=\"{kind}\",status=\"{status}\"}}"))
}

/// The path of a rendition's playlist.
pub(crate) fn playlist_of(rendition: &str) -> String {
    format!("/live/main/{rendition}/index.m3u8")
}

/// Blocking reload of the playlist, and the hinted part beside it, until the end.
async fn view(number: usize, rendition: &str, mut playlist: String, front: Address, seen: Arc<Seen>) {
    let (mut playlists, mut parts) = (Connection::open(&front).await, Connection::open(&front).await);
    while !playlist.contains("#EXT-X-ENDLIST") {
        let next = Next::of(&playlist);
        let path = playlist_of(rendition);
        let (msn, part) = (next.msn, next.part);
        // Each viewer in a way of its own.
        let query = match number % 3 {
            0 => format!("{path}?_HLS_msn={msn}&_HLS_part={part}&CMCD=bl%3D{number}"),
            1 => format!("{path}?_HLS_part={part}&token={number}&_HLS_msn={msn}"),
            _ => format!("{path}?CMCD=bl%3D{number}&_HLS_msn={msn}&_HLS_skip=no&_HLS_part=0{part}"),
        };
        let object = format!("{path}?_HLS_msn={msn}&_HLS_part={part}");
        let hinted = format!("/live/main/{rendition}/{}", next.hint);
        let hint = format!("{hinted}?CMCD=bl%3D{number}");
        let (text, _) =
            tokio::join!(seen.ask(&mut playlists, &object, query, number), seen.ask(&mut parts, &hinted, hint, number));
        assert_eq!(text.status, 200, "{object}: {}", text.text());
        text.text().clone_into(&mut playlist);
    }
}

/// What a player that has a playlist asks for next.
pub(crate) struct Next {
    pub(crate) msn: u64,
    pub(crate) part: usize,
    /// The name of the part that is hinted at.
    pub(crate) hint: String,
}

impl Next {
    pub(crate) fn of(playlist: &str) -> Self {
        let first: u64 =
            playlist.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")?.parse().ok()).unwrap();
        let open = playlist.rsplit_once("#EXTINF:").map_or(playlist, |(_, open)| open);
        let hint =
            playlist.rsplit_once("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"").unwrap_or_else(|| panic!("{playlist}")).1;
        Self {
            msn: first + playlist.matches("#EXTINF:").count() as u64,
            part: open.matches("#EXT-X-PART:").count(),
            hint: hint.split_once('"').unwrap().0.to_owned(),
        }
    }
}
