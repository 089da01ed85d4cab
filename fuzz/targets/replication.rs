//! What an origin sends, in pieces of any size. Whatever comes, nothing panics, and no frame is longer than what came.

#![no_main]

use std::sync::LazyLock;
use std::time::Instant;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use touchline_edge::replication::Clock;
use touchline_edge::replication::wire::{Decoder, Frame};
use touchline_packager::{Presentation, RenditionId, Window};

static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|input: (bool, Vec<&[u8]>)| {
    let (resumed, pieces) = input;
    let clock = resumed.then(|| Clock { instant: *NOW, nanos: 0 });
    let mut decoder = Decoder::resuming(clock);
    let mut window: Option<Window> = None;
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        loop {
            match decoder.next(*NOW) {
                Ok(Some(frame)) => apply(&mut window, frame),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});

/// Whatever a frame says can be applied, and what comes of it can be written.
fn apply(window: &mut Option<Window>, frame: Frame) {
    match frame {
        Frame::Head(head) => *window = Some(Window::new(head.presentation, RenditionId(0))),
        Frame::Rendition(rendition) => {
            let presentation =
                window.as_ref().map(|window| std::sync::Arc::<Presentation>::clone(window.presentation()));
            if let Some(presentation) = presentation {
                *window = Some(Window::restore(presentation, RenditionId(0), rendition.window));
            }
        }
        Frame::Batch(batch) => {
            if let Some(window) = window {
                for event in &batch.events {
                    window.apply(event);
                }
                let _ = window.playlist(&[]).to_string();
            }
        }
        _ => {}
    }
}
