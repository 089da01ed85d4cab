//! Parts as byte ranges of their segment, which is sent as it grows: RFC 8216bis 6.2.6, RFC 8673.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::reply::Reply;
use super::timeline::Segment;
use super::{Fault, Origin, Rendition};

impl Origin {
    /// Where part `index` begins in its segment, in bytes.
    pub(super) fn offset(&self, rendition: Rendition, segment: &Segment, index: u64) -> usize {
        (0..index).map(|before| self.part(rendition, segment, before).len()).sum()
    }

    /// Answers a range that goes on for as long as the segment grows: part by part, each when it is whole.
    pub(super) fn growing_range(
        &self,
        rendition: Rendition,
        kind: &'static str,
        segment: Segment,
        range: &str,
    ) -> Option<Reply> {
        let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
        let first = (0..segment.len()).find(|&index| from == self.offset(rendition, &segment, index).to_string())?;
        let next = self.next_part(rendition, self.last_part(rendition, self.edge(rendition, self.now())));
        if (segment.msn, first) > next {
            return None;
        }
        let to_the_end = segment.len();
        let past =
            (first..to_the_end).find(|&index| to.parse().is_ok_and(|to| self.offset(rendition, &segment, index) > to));
        let (sender, pieces) = mpsc::channel(1);
        let origin = self.clone();
        tokio::spawn(async move {
            for index in first..past.unwrap_or(to_the_end) {
                origin.until(origin.part_published(rendition, (segment.msn, index))).await;
                // A client that has gone wants no more.
                if sender.send(Bytes::from(origin.part(rendition, &segment, index))).await.is_err() {
                    return;
                }
            }
        });
        let reply = Reply::pieces(kind, pieces);
        Some(if self.wrong(Fault::OpenRangeAsWhole) { reply } else { reply.partial(format!("bytes {from}-{to}/*")) })
    }
}
