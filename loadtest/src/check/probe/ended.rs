//! After EXT-X-ENDLIST, directives mean nothing (6.2.5.2).

use super::{AT_ONCE, SOON};
use crate::check::client::{Ask, Client};
use crate::check::dial::Dial;
use crate::check::evidence::Evidence;
use crate::check::ledger::Ledger;
use crate::check::playlist::Media;
use crate::check::rules::directives::DIRECTIVES_AFTER_END;
use crate::check::watch::with_directives;

pub(super) async fn run<D: Dial>(client: &Client<D>, evidence: &Evidence, ledger: &mut Ledger) {
    for recording in &evidence.renditions {
        let Some(last) = recording.last().filter(|version| version.media.ended) else { continue };
        let Some(url) = &recording.url else { continue };
        let msn = last.media.last_complete().unwrap_or(0);
        for directives in [format!("_HLS_msn={}&_HLS_part=0", msn + 1), format!("_HLS_msn={}", msn + 1000)] {
            let told = match client.ask(&with_directives(url, &directives), &Ask::get(SOON)).await {
                Ok(answer) if answer.status == 200 && answer.waited() < AT_ONCE => {
                    let text = answer.unpacked().unwrap_or_default();
                    if Media::read(&String::from_utf8_lossy(&text)).ended {
                        ledger.kept(&DIRECTIVES_AFTER_END, "the final playlist comes at once, whatever is asked for");
                        continue;
                    }
                    format!("{directives} has a playlist without EXT-X-ENDLIST")
                }
                Ok(answer) => {
                    format!("{directives} has status {} after {:.1} s", answer.status, answer.waited().as_secs_f64())
                }
                Err(failure) => format!("{directives}: {failure}"),
            };
            ledger.broken(&DIRECTIVES_AFTER_END, told, None);
        }
    }
}
