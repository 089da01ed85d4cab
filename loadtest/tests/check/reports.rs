//! Whole reports.

use crate::origin::{Fault, Shape};
use crate::proof::judged;

/// A report as people read it, and as machines do.
fn forms(fault: Option<Fault>) -> [String; 2] {
    let report = judged(fault, Shape::LADDER);
    [report.to_string(), serde_json::to_string_pretty(&report).unwrap()]
}

fn snapshot(name: &str, fault: Option<Fault>) {
    let [text, json] = forms(fault);
    insta::assert_snapshot!(format!("{name}_text"), text);
    insta::assert_snapshot!(format!("{name}_json"), json);
}

#[test]
fn of_an_origin_that_does_everything_right() {
    snapshot("clean", None);
}

#[test]
fn of_a_delta_update_that_skips_too_much() {
    snapshot("skip_too_much", Some(Fault::SkipTooMuch));
}

#[test]
fn of_sound_that_lags() {
    snapshot("sound_lags", Some(Fault::SoundLags));
}

#[test]
fn are_the_same_every_time() {
    assert_eq!(forms(Some(Fault::Stall)), forms(Some(Fault::Stall)));
}
