//! No more encoders at work at a time than there are processors: more of them only push each other out of the caches, and all
//! are done later than the first could be.

use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::available_parallelism;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSrc;

/// The turns that there are. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    free: Mutex<usize>,
    given_back: Condvar,
}

/// One that is taken. Dropping it gives it back.
struct Turn<'a>(&'a Shared);

impl Turns {
    /// One for each processor.
    pub(crate) fn new() -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Shared { free: Mutex::new(processors), given_back: Condvar::new() }))
    }

    /// Has each picture of a source wait for its turn, which ends when what it is pushed into has done with it.
    pub(crate) fn rule(&self, source: &AppSrc) {
        let Some(pad) = source.static_pad("src") else { return };
        let turns = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let Some(next) = pad.peer() else { return gst::PadProbeReturn::Ok };
            match info.data.take() {
                Some(gst::PadProbeData::Buffer(picture)) => {
                    let _turn = turns.take();
                    info.flow_res = next.chain(picture);
                    gst::PadProbeReturn::Handled
                }
                other => {
                    info.data = other;
                    gst::PadProbeReturn::Ok
                }
            }
        });
    }

    fn take(&self) -> Turn<'_> {
        let Shared { free, given_back } = &*self.0;
        let free = free.lock().unwrap_or_else(PoisonError::into_inner);
        *given_back.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner) -= 1;
        Turn(&self.0)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    #[test]
    fn no_more_are_at_work_than_there_are_turns_and_all_have_theirs() {
        let turns = Turns(Arc::new(Shared { free: Mutex::new(2), given_back: Condvar::new() }));
        let (at_work, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let _turn = turns.take();
                        assert!(at_work.fetch_add(1, SeqCst) < 2);
                        std::thread::yield_now();
                        at_work.fetch_sub(1, SeqCst);
                        done.fetch_add(1, SeqCst);
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 800);
    }
}
