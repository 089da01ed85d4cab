use std::net::IpAddr;

use hyper::Version;
use hyper::header::{HeaderMap, HeaderValue, USER_AGENT};
use touchline_audience::{Cmcd, Protocol, Visitor};

use super::Audience;

/// Headers by which a player speaks of itself (CTA-5004).
pub(crate) const CMCD: [&str; 4] = ["cmcd-object", "cmcd-request", "cmcd-session", "cmcd-status"];

/// What is known of who asks.
#[derive(Debug, Clone)]
pub(crate) struct Signs {
    pub(super) visitor: Visitor,
    pub(super) protocol: Protocol,
    /// What its player says.
    pub(super) said: Option<Box<Cmcd>>,
}

impl Signs {
    /// By the address it comes from, what its player calls itself, the query, and the values of the [headers](CMCD).
    pub(crate) fn new<'a>(
        audience: &Audience,
        address: IpAddr,
        protocol: Protocol,
        agent: &[u8],
        query: Option<&str>,
        headers: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut said = query.and_then(Cmcd::of_query);
        for header in headers {
            said.get_or_insert_default().read(header);
        }
        let session = said.as_ref().and_then(|said| said.session.as_deref());
        Self { visitor: audience.census().visitor(address, agent, session), protocol, said: said.map(Box::new) }
    }

    /// The same of a request's head.
    pub(crate) fn of_request<B>(audience: &Audience, address: IpAddr, request: &hyper::Request<B>) -> Self {
        let headers = request.headers();
        let protocol = if request.version() == Version::HTTP_2 { Protocol::Http2 } else { Protocol::Http1 };
        Self::new(audience, address, protocol, agent(headers), request.uri().query(), values(headers))
    }

    /// A line of a report in place of what the request itself says.
    pub(super) fn of_line(audience: &Audience, address: IpAddr, headers: &HeaderMap, said: &Cmcd) -> Self {
        let visitor = audience.census().visitor(address, agent(headers), said.session.as_deref());
        Self { visitor, protocol: Protocol::Report, said: None }
    }
}

fn agent(headers: &HeaderMap) -> &[u8] {
    headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default()
}

fn values(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    CMCD.into_iter().filter_map(|name| headers.get(name)?.to_str().ok())
}
