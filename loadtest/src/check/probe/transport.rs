//! Connections, as the client saw them.

use url::Url;

use crate::check::client::Client;
use crate::check::dial::Dial;
use crate::check::ledger::Ledger;
use crate::check::rules::http::{HTTP2, PERSISTENT};

pub(super) fn judge<D: Dial>(client: &Client<D>, url: &Url, ledger: &mut Ledger) {
    let [requests, reused, closed, http2] = client.counts().read();
    if url.scheme() == "https" {
        if http2 > 0 {
            ledger.kept(&HTTP2, format!("{http2} of {requests} requests were made over HTTP/2"));
        } else {
            ledger.broken(&HTTP2, "ALPN offered h2, and the server took HTTP/1.1", None);
        }
    }
    let told = format!("{reused} of {requests} requests were made on a connection in use, the server closed {closed}");
    // A server may close a connection after it refused nonsense.
    if closed * 2 > requests {
        ledger.broken(&PERSISTENT, told, None);
    } else {
        ledger.kept(&PERSISTENT, told);
    }
}
