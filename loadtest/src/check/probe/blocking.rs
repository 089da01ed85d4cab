//! Blocking reload: what is held, until when, and that equal requests are one.

use std::time::Duration;

use tokio::task::JoinSet;

use super::{AT_ONCE, Subject, blocks};
use crate::check::client::Answer;
use crate::check::dial::Dial;
use crate::check::ledger::Ledger;
use crate::check::playlist::Media;
use crate::check::rules::directives::{
    BLOCKS_FOR_SEGMENT, IDEMPOTENT, NEAR_MSN_HELD, OLD_MSN_AT_ONCE, OTHER_PARAMETERS, PART_PAST_END,
};
use crate::check::watch::{hold_limit, with_directives};

/// Equal requests that are made at once.
const EQUAL_REQUESTS: usize = 20;
/// How far apart the answers to equal requests may come.
const MAX_SPREAD: Duration = Duration::from_millis(250);

pub(super) async fn run<D: Dial>(subject: &Subject<D>, media: &Media, ledger: &mut Ledger) {
    other_parameters(subject, ledger).await;
    if !blocks(media) {
        return;
    }
    old(subject, ledger).await;
    past_the_end_of_a_finished_segment(subject, ledger).await;
    past_the_end_of_the_growing_segment(subject, ledger).await;
    equal(subject, ledger).await;
    whole_segments(subject, ledger).await;
}

async fn other_parameters<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger) {
    let asked = "token=a%2Fb&session=1";
    match subject.at_once(asked, AT_ONCE * 5).await {
        Ok(answer) if answer.status == 200 => {
            ledger.kept(&OTHER_PARAMETERS, format!("?{asked} is answered with the playlist"));
        }
        Ok(answer) => ledger.broken(&OTHER_PARAMETERS, format!("?{asked} has status {}", answer.status), None),
        Err(failure) => ledger.broken(&OTHER_PARAMETERS, format!("?{asked}: {failure}"), None),
    }
}

async fn old<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger) {
    let Ok(now) = subject.current().await else { return };
    let first = now.media.first_msn();
    for directives in [
        format!("_HLS_msn={first}"),
        format!("_HLS_msn={}", first.saturating_sub(1)),
        "_HLS_msn=0&_HLS_part=0".to_owned(),
    ] {
        match subject.at_once(&directives, hold_limit(&now.media)).await {
            Ok(answer) if answer.status != 200 => {
                let fault = format!("{directives} has status {}, the playlist begins with {first}", answer.status);
                ledger.broken(&OLD_MSN_AT_ONCE, fault, None);
            }
            Ok(answer) if answer.waited() > AT_ONCE => {
                let told = format!(
                    "{directives} was held for {:.2} s, the playlist begins with {first}",
                    answer.waited().as_secs_f64()
                );
                ledger.broken(&OLD_MSN_AT_ONCE, told, None);
            }
            Ok(_) => ledger.kept(&OLD_MSN_AT_ONCE, format!("{directives} is answered at once")),
            Err(failure) => ledger.broken(&OLD_MSN_AT_ONCE, format!("{directives}: {failure}"), None),
        }
    }
}

/// An index past the last part of a finished segment is the first part of the next one (6.2.5.2).
async fn past_the_end_of_a_finished_segment<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger) {
    let Ok(now) = subject.current().await else { return };
    let finished = now.media.complete().rev().find(|segment| !segment.parts.is_empty());
    let Some((msn, count)) = finished.map(|segment| (segment.msn, segment.parts.len() as u64)) else { return };
    past_the_end(subject, ledger, msn, count, &now.media).await;
}

/// A request for a part that the growing segment turns out not to have is answered with the first part of the next segment.
async fn past_the_end_of_the_growing_segment<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger) {
    let Ok(now) = subject.current().await else { return };
    let usual = now.media.complete().map(|segment| segment.parts.len() as u64).max().unwrap_or(0);
    let (msn, next) = now.media.next_part();
    let limit = super::refused::advance_limit(&now.media);
    // One more than segments have, and no more than may be asked for in advance.
    if usual > 0 && next > 0 && usual < next + limit {
        past_the_end(subject, ledger, msn, usual + 1, &now.media).await;
    }
}

async fn past_the_end<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger, msn: u64, index: u64, media: &Media) {
    let directives = format!("_HLS_msn={msn}&_HLS_part={index}");
    match subject.held(&directives, media).await {
        Ok(answer)
            if answer.media.next_part() > (msn + 1, 0) || answer.media.has_part(msn, index) || answer.media.ended =>
        {
            ledger.kept(&PART_PAST_END, format!("{directives} was answered with the first part of the next segment"));
        }
        Ok(answer) => {
            let at = answer.media.next_part();
            let fault = format!("{directives} was answered when part {} of segment {} was next", at.1, at.0);
            ledger.broken(&PART_PAST_END, fault, answer.place(1));
        }
        Err(what) => ledger.broken(&PART_PAST_END, format!("{directives}: {what}"), None),
    }
}

/// Requests for the next part, made at once, have one answer at one time (B.1).
async fn equal<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger) {
    let Ok(now) = subject.current().await else { return };
    let (msn, index) = now.media.next_part();
    // The part that is about to come may come while the requests are made: the one after it leaves time for that.
    let directives = if now.media.part_target.is_some() {
        format!("_HLS_msn={msn}&_HLS_part={}", index + 1)
    } else {
        format!("_HLS_msn={msn}")
    };
    let url = with_directives(&subject.url, &directives);
    let mut requests = JoinSet::new();
    for _ in 0..EQUAL_REQUESTS {
        let (client, url, limit) = (subject.client.clone(), url.clone(), hold_limit(&now.media));
        requests.spawn(async move { Subject { client, url: url.clone() }.get(&url, limit).await });
    }
    let answers: Vec<Answer> = requests.join_all().await.into_iter().flatten().collect();
    let Some(released) = answers.iter().map(|answer| answer.began).min() else { return };
    let held: Vec<&Answer> = answers.iter().filter(|answer| answer.asked < released && answer.status == 200).collect();
    let Some((first, others)) = held.split_first() else { return };
    let different = others.iter().filter(|other| other.unpacked() != first.unpacked()).count();
    let spread = held.iter().map(|answer| answer.began).max().unwrap_or(released) - released;
    let told = format!("{} equal requests were answered within {} ms of each other", held.len(), spread.as_millis());
    if different > 0 {
        ledger.broken(&IDEMPOTENT, format!("{different} of {} equal requests had another playlist", held.len()), None);
    } else if spread > MAX_SPREAD {
        ledger.suspect(&IDEMPOTENT, told, None);
    } else {
        ledger.kept(&IDEMPOTENT, format!("{told}, with the same playlist"));
    }
}

/// `_HLS_msn` alone waits for the whole segment, also for the second one to come.
async fn whole_segments<D: Dial>(subject: &Subject<D>, ledger: &mut Ledger) {
    let Ok(now) = subject.current().await else { return };
    let Some(last) = now.media.last_complete() else { return };
    let directives = [1, 2].map(|ahead| format!("_HLS_msn={}", last + ahead));
    let (near, far) = tokio::join!(subject.held(&directives[0], &now.media), subject.held(&directives[1], &now.media));
    for (directives, ahead, answer) in [(&directives[0], 1, near), (&directives[1], 2, far)] {
        match answer {
            Ok(answer) => {
                ledger.kept(&NEAR_MSN_HELD, "one and two after the last complete segment were held and answered");
                if answer.media.last_complete().is_some_and(|complete| complete >= last + ahead) || answer.media.ended {
                    ledger.kept(&BLOCKS_FOR_SEGMENT, format!("{directives} was answered with that segment complete"));
                } else {
                    let complete = answer.media.last_complete().unwrap_or(0);
                    let fault = format!("{directives} was answered when segment {complete} was the last complete one");
                    ledger.broken(&BLOCKS_FOR_SEGMENT, fault, answer.place(1));
                }
            }
            // A stream that stands still ends every hold.
            Err(what) if what == "status 503" => {}
            Err(what) => ledger.broken(&NEAR_MSN_HELD, format!("{directives}, {ahead} after the last: {what}"), None),
        }
    }
}
