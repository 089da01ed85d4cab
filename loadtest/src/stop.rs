//! How a person ends a command that runs for as long as it is let.

use tokio::signal::unix::{self, SignalKind};

use crate::Error;

/// Completes on SIGINT or SIGTERM.
pub(crate) fn signal() -> Result<impl Future<Output = ()>, Error> {
    let listen = |kind| unix::signal(kind).map_err(|source| Error::Io { doing: "listening for signals", source });
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
