//! One connection: a socket, a demultiplexer, and the feed it writes.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use touchline_media::ChannelName;
use touchline_srt::{MAX_PAYLOAD, Received, Socket, Stats};
use tracing::{Span, debug, info, warn};

use super::{Settings, StreamId};
use crate::health::{Health, Publisher, Seat};
use crate::{Awaited, Error, Metrics, Protocol, Publish, Rejection, Secret, ts};

/// How often the figures of a connection are read.
const STATS_INTERVAL: Duration = Duration::from_secs(1);

/// With a latency of fewer round trips, what is lost twice comes too late, and at some per cent of loss that is seen each second.
const ROUND_TRIPS: u32 = 4;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) settings: Settings,
    pub(super) publishes: mpsc::Sender<Publish>,
    pub(super) metrics: Metrics,
    pub(super) shutdown: CancellationToken,
}

/// What somebody wants to publish into.
pub(super) struct Request {
    pub(super) channel: ChannelName,
    pub(super) key: Option<Secret>,
    /// As in [`Publish::invited`].
    pub(super) invited: bool,
}

/// Serves a caller until either side is done.
pub(super) async fn run(socket: Socket, context: &Context) {
    match StreamId::parse(socket.stream_id()) {
        Ok(StreamId { channel, key }) => {
            drop(publish(socket, Request { channel, key, invited: false }, context).await);
        }
        // Nobody with such a stream ID has been let in.
        Err(malformed) => debug!("refused: {malformed}"),
    }
}

/// Publishes what comes from `socket` into a channel until either side is done.
pub(super) async fn publish(socket: Socket, request: Request, context: &Context) -> Result<Farewell, Error> {
    Span::current().record("channel", request.channel.as_str());
    context.metrics.connections.inc();
    context.metrics.open_connections.inc();
    let mut connection = Connection { peer: socket.peer(), socket, context, totals: Totals::default() };
    let end = connection.serve(request).await;
    connection.leave(&end);
    context.metrics.open_connections.dec();
    end
}

/// How a connection ended in peace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// The peer closed it, or is not heard of any more.
    Closed,
    /// The server goes away.
    Draining,
}

struct Connection<'a> {
    socket: Socket,
    peer: SocketAddr,
    context: &'a Context,
    totals: Totals,
}

/// What a connection has brought.
#[derive(Debug, Default)]
struct Totals {
    datagrams: u64,
    bytes: u64,
    /// Datagrams that never came: those between two that did.
    missing: u64,
    /// The figures as they were last read.
    stats: Stats,
    /// Whether it has been told that the latency is too short.
    advised: bool,
}

/// What a publisher sends, from being accepted to leaving.
struct Publication {
    media: ts::Publication,
    health: Health,
    units: u64,
    last_data: Instant,
    last_media: Instant,
    _seat: Seat,
}

impl Connection<'_> {
    async fn serve(&mut self, request: Request) -> Result<Farewell, Error> {
        let publication = self.ask(request).await?;
        info!("publishes: latency {:?}", self.socket.latency());
        self.context.metrics.publishers.inc();
        let end = self.receive(publication).await;
        self.context.metrics.publishers.dec();
        end
    }

    /// Asks for the channel. What comes meanwhile waits in the socket.
    async fn ask(&self, Request { channel, key, invited }: Request) -> Result<Publication, Error> {
        let (peer, limit) = (self.peer, self.context.settings.publish);
        info!("asks to publish {}", if key.is_some() { "with a key" } else { "without a key" });
        let (mut publish, answer) = Publish::new(channel, key, peer, Protocol::Srt, None);
        publish.invited = invited;
        let who = Publisher::of(&publish);
        let asking = async {
            self.context.publishes.send(publish).await.ok()?;
            answer.await.ok()
        };
        let answer =
            timeout(limit, asking).await.map_err(|_| Error::TimeOut { peer, awaited: Awaited::Publish, limit })?;
        let writer = answer.unwrap_or(Err(Rejection::Draining)).map_err(|why| Error::Rejected { peer, why })?;
        let media = ts::Publication::new(writer);
        let (health, now) = (media.intake().health(), Instant::now());
        let seat = self.context.metrics.roster().enter(who, health.clone(), now.into_std());
        Ok(Publication { media, health, units: 0, last_data: now, last_media: now, _seat: seat })
    }

    async fn receive(&mut self, mut publication: Publication) -> Result<Farewell, Error> {
        let mut buffer = [0; MAX_PAYLOAD];
        let mut ticks = interval(STATS_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Made once, and not for each of many datagrams: the alarm rings early, and is put off then.
        let context = self.context;
        let mut closing = pin!(context.shutdown.cancelled());
        let mut alarm = pin!(sleep_until(self.deadline(&publication).0));
        let peer = self.peer;
        let end = loop {
            tokio::select! {
                biased;
                () = &mut closing => break Ok(Farewell::Draining),
                _ = ticks.tick() => self.read_figures(&publication.health),
                received = self.socket.recv(&mut buffer) => match received {
                    Err(source) => break Err(Error::Srt { peer, source }),
                    Ok(None) => break Ok(Farewell::Closed),
                    Ok(Some(received)) => {
                        let datagram = buffer.get(..received.len).unwrap_or_default();
                        if let Err(error) = self.take(datagram, received, &mut publication) {
                            break Err(error);
                        }
                    }
                },
                () = &mut alarm => {
                    let (deadline, awaited, limit) = self.deadline(&publication);
                    if deadline <= Instant::now() {
                        break Err(Error::TimeOut { peer, awaited, limit });
                    }
                    alarm.as_mut().reset(deadline);
                }
            }
        };
        publication.media.finish(&self.context.metrics);
        end
    }

    /// The time limit that comes first.
    fn deadline(&self, publication: &Publication) -> (Instant, Awaited, Duration) {
        let settings = &self.context.settings;
        let idle = (publication.last_data + settings.idle, Awaited::Byte, settings.idle);
        let media = (publication.last_media + settings.media, Awaited::Media, settings.media);
        if idle.0 < media.0 { idle } else { media }
    }

    fn take(&mut self, datagram: &[u8], received: Received, publication: &mut Publication) -> Result<(), Error> {
        let (peer, metrics) = (self.peer, &self.context.metrics);
        let now = Instant::now();
        publication.last_data = now;
        self.totals.datagrams += 1;
        self.totals.bytes += datagram.len() as u64;
        self.totals.missing += u64::from(received.missing);
        metrics.bytes.inc_by(datagram.len() as u64);
        metrics.messages.inc();
        metrics.dropped("missing_datagram", received.missing.into());
        if received.missing > 0 {
            publication.media.gap();
        }
        let pushed = publication.media.push(datagram, now.into_std(), metrics);
        pushed.map_err(|unsupported| Error::MpegTs { peer, unsupported })?;
        let units = publication.media.counters().units;
        if std::mem::replace(&mut publication.units, units) != units {
            publication.last_media = now;
        }
        if publication.media.intake().is_evicted() {
            return Err(Error::Rejected { peer, why: Rejection::Replaced });
        }
        Ok(())
    }

    /// A connection that has just broken has none: those read last stand.
    fn read_figures(&mut self, health: &Health) {
        if let Ok(stats) = self.socket.stats() {
            health.link(figures(&stats));
            self.totals.stats = stats;
            if let Some(advice) = advice(&stats).filter(|_| !self.totals.advised) {
                warn!("{advice}");
                self.totals.advised = true;
            }
        }
    }

    /// Closes the books and tells the log.
    fn leave(&self, end: &Result<Farewell, Error>) {
        let metrics = &self.context.metrics;
        metrics.departed(match end {
            Ok(Farewell::Closed) => "closed",
            Ok(Farewell::Draining) => "draining",
            Err(error) => error.label(),
        });
        if let Err(Error::Rejected { why, .. }) = end {
            metrics.refused(why.label());
        }
        let Totals { datagrams, bytes, missing, stats, .. } = &self.totals;
        let totals = format!(
            "{datagrams} datagrams with {bytes} bytes received, {missing} never came; {} were lost at first, {} were sent \
             again, {} came too late, {} could not be decrypted; round trip {:?}",
            stats.lost, stats.retransmitted, stats.dropped, stats.undecrypted, stats.rtt
        );
        match end {
            Ok(Farewell::Closed) => info!("left: closed the connection, or was not heard of any more; {totals}"),
            Ok(Farewell::Draining) => info!("sent away: the server is shutting down; {totals}"),
            Err(error) => warn!("left: {error}; {totals}"),
        }
    }
}

/// What to do about datagrams that came too late, where that is why they did.
fn advice(stats: &Stats) -> Option<String> {
    let enough = stats.rtt * ROUND_TRIPS;
    let short = stats.dropped > 0 && stats.latency < enough;
    short.then(|| {
        format!(
            "{} datagrams came too late to be played: {} ms of latency is short for a round trip of {} ms, on a link that loses \
             some. Set {} ms or more in the encoder, or as latency in [srt]",
            stats.dropped,
            stats.latency.as_millis(),
            stats.rtt.as_millis(),
            enough.as_millis().next_multiple_of(10),
        )
    })
}

/// What operators read of a connection.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn figures(stats: &Stats) -> [(&'static str, f64); 9] {
    [
        ("round_trip_seconds", stats.rtt.as_secs_f64()),
        ("latency_seconds", stats.latency.as_secs_f64()),
        ("buffered_seconds", stats.buffered.as_secs_f64()),
        ("received_packets", stats.received as f64),
        ("lost_packets", stats.lost as f64),
        ("retransmitted_packets", stats.retransmitted as f64),
        ("belated_packets", stats.dropped as f64),
        ("undecrypted_packets", stats.undecrypted as f64),
        ("bandwidth_bits_per_second", stats.bandwidth as f64),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_that_is_short_for_the_round_trip_is_pointed_out_once_it_costs_something() {
        let ms = Duration::from_millis;
        let stats = Stats { rtt: ms(71), latency: ms(120), dropped: 4, ..Stats::default() };
        insta::assert_snapshot!(
            advice(&stats).unwrap(),
            @"4 datagrams came too late to be played: 120 ms of latency is short for a round trip of 71 ms, on a link that loses some. Set 290 ms or more in the encoder, or as latency in [srt]"
        );
        assert_eq!(advice(&Stats { dropped: 0, ..stats }), None);
        // More latency would not bring back what is lost so.
        assert_eq!(advice(&Stats { latency: ms(284), ..stats }), None);
    }
}
