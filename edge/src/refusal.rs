//! A connection for which there is no room: it is told when to come again, as long as few are.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Connections that are being told; one more is closed without a word.
const TOLD_AT_ONCE: usize = 256;
/// How long each may take to ask, and to take what it is told.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest request that is waited for, in bytes.
const MAX_HEAD: u64 = 16 * 1_024;

/// Tells connections that there is no room for them.
pub(crate) struct Refusals(Arc<Semaphore>);

impl Refusals {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(TOLD_AT_ONCE)))
    }

    /// Answers what comes by HTTP/1.1 with 503, and to come again after so many seconds (RFC 9110 10.2.3). A connection by
    /// TLS is closed: to tell it anything costs as much as a viewer.
    pub(crate) fn tell(&self, stream: TcpStream, secured: bool, retry_after: u64) {
        if secured {
            return;
        }
        let Ok(place) = Arc::clone(&self.0).try_acquire_owned() else { return };
        tokio::spawn(async move {
            // It has gone, or takes too long: there is nobody to tell.
            let _ = timeout(PATIENCE, tell(stream, retry_after)).await;
            drop(place);
        });
    }
}

/// Waits for the request before it answers, and for the peer to hang up after: what is closed with something unread loses
/// the answer on its way.
async fn tell(mut stream: TcpStream, retry_after: u64) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = reader.take(MAX_HEAD);
    let mut head = Vec::with_capacity(1_024);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if reader.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    writer.write_all(refusal(retry_after).as_bytes()).await?;
    writer.shutdown().await?;
    while reader.read_buf(&mut head).await? > 0 {
        head.clear();
    }
    Ok(())
}

fn refusal(retry_after: u64) -> String {
    let words = "{\"error\":\"the server has as many connections as it may\",\"hint\":\"try again when Retry-After says, or on another edge\"}";
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {retry_after}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nCache-Control: no-store\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n{words}",
        words.len()
    )
}
