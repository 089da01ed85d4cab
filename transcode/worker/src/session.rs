//! One plan, from its arrival to its end.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use gstreamer as gst;
use touchline_transcode::message::{Answer, Fault, InputKind, Report, Request};

use crate::audio::Audio;
use crate::chain::bad_plan;
use crate::link::{Answers, Requests};
use crate::video::Video;

/// From one report to the next.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);
/// How long what is under way may take after the end.
const DRAIN: Duration = Duration::from_secs(2);

/// Works until the server says that it is enough.
pub(crate) fn run(requests: &mut Requests, answers: &Answers) -> Result<(), Fault> {
    gst::init().map_err(|error| Fault { place: "GStreamer".into(), reason: error.to_string(), encoder: false })?;
    answers.send(&Answer::Ready);
    let plan = match requests.next()? {
        Request::Plan(plan) => plan,
        Request::End => return Ok(()),
        other => return Err(bad_plan(&format!("the first request is no plan but {other:?}"))),
    };
    let (ended, rungs) = channel();
    let mut video = plan.video.as_ref().map(|video| Video::start(video, answers, &ended)).transpose()?;
    let mut audio = plan.audio.as_ref().map(|audio| Audio::start(audio, answers, &ended)).transpose()?;
    let running = start_reports(video.as_ref(), audio.as_ref(), answers);
    loop {
        match requests.next()? {
            Request::Input(input) => match (input.kind, &mut video, &mut audio) {
                (InputKind::Video, Some(video), _) => video.decode(&input),
                (InputKind::Audio, _, Some(audio)) => audio.decode(&input),
                (kind, ..) => return Err(bad_plan(&format!("{kind:?} comes that is not in the plan"))),
            },
            Request::Switch { stream, on } => {
                if let Some(video) = &video {
                    video.switch(stream, on);
                }
                if let Some(audio) = &audio {
                    audio.switch(stream, on);
                }
            }
            Request::Plan(_) => return Err(bad_plan("a second plan; a worker takes one")),
            Request::End => break,
        }
    }
    video.iter().for_each(Video::end);
    audio.iter().for_each(Audio::end);
    drop(ended);
    let rungs_planned =
        plan.video.map_or(0, |video| video.rungs.len()) + plan.audio.map_or(0, |audio| audio.rungs.len());
    drain(&rungs, rungs_planned);
    drop(running);
    Ok(())
}

/// Until every rung has put out its last access unit.
fn drain(ended: &Receiver<()>, rungs: usize) {
    let deadline = Instant::now() + DRAIN;
    for _ in 0..rungs {
        let left = deadline.saturating_duration_since(Instant::now());
        if ended.recv_timeout(left).is_err() {
            eprintln!("not all was encoded {} s after the end", DRAIN.as_secs());
            return;
        }
    }
}

/// Reports from time to time, until what it returns is dropped.
fn start_reports(video: Option<&Video>, audio: Option<&Audio>, answers: &Answers) -> Sender<()> {
    let (running, stopped) = channel();
    let (video, audio) = (video.map(Video::reporter), audio.map(Audio::reporter));
    let answers = answers.clone();
    thread::spawn(move || {
        while stopped.recv_timeout(REPORT_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            let mut report = Report::default();
            if let Some(fill) = &video {
                fill(&mut report);
            }
            if let Some(fill) = &audio {
                fill(&mut report);
            }
            answers.send(&Answer::Report(report));
        }
    });
    running
}
