//! The figures, as a table in Markdown.

use crate::load::{Load, Protocol};
use crate::server::Object;

/// What a server did in one turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) requests: u64,
    /// Of its processor time.
    pub(crate) seconds: f64,
}

/// The turns of both servers, in their order.
#[derive(Debug, Default)]
pub(crate) struct Pair {
    pub(crate) ours: Vec<Turn>,
    pub(crate) theirs: Vec<Turn>,
}

impl Turn {
    fn rate(self) -> f64 {
        f64::from(u32::try_from(self.requests).unwrap_or(u32::MAX)) / self.seconds
    }

    fn sum(turns: &[Self]) -> Self {
        Self {
            requests: turns.iter().map(|turn| turn.requests).sum(),
            seconds: turns.iter().map(|turn| turn.seconds).sum(),
        }
    }
}

/// What was done, and the head of the table.
pub(crate) fn head(seconds: u32, rounds: u32, threads: u8) {
    let turns = if rounds == 1 { "1 turn".into() } else { format!("{rounds} turns") };
    let workers = if threads == 1 { "1 thread".into() } else { format!("{threads} threads") };
    println!("{turns} of {seconds} s each, {workers}; requests per second of processor time\n");
    println!("| protocol | connections | object | bytes | touchline | nginx | ratio | of single turns |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
}

/// One row of it.
pub(crate) fn row(object: &Object, load: Load, pair: &Pair) {
    let protocol = match load.protocol {
        Protocol::Http1 => "HTTP/1.1".into(),
        Protocol::Http2 { streams } => format!("HTTP/2 x {streams}"),
    };
    let (ours, theirs) = (Turn::sum(&pair.ours).rate(), Turn::sum(&pair.theirs).rate());
    let ratios = pair.ours.iter().zip(&pair.theirs).map(|(ours, theirs)| ours.rate() / theirs.rate());
    let (low, high) = ratios.fold((f64::MAX, 0.0_f64), |(low, high), ratio| (low.min(ratio), high.max(ratio)));
    println!(
        "| {protocol} | {} | {} | {} | {ours:.0} | {theirs:.0} | {:.2} | {low:.2} to {high:.2} |",
        load.connections,
        object.name,
        object.body.len(),
        ours / theirs,
    );
}
