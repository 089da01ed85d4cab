//! Whole reports.

use crate::origin::{Fault, Shape};
use crate::proof::judged;

/// A report as machines read it.
fn json(fault: Option<Fault>) -> String {
    serde_json::to_string_pretty(&judged(fault, Shape::LADDER)).unwrap()
}

#[test]
fn of_an_origin_that_does_everything_right() {
    insta::assert_snapshot!(json(None));
}

#[test]
fn of_a_delta_update_that_skips_too_much() {
    insta::assert_snapshot!(json(Some(Fault::SkipTooMuch)));
}

#[test]
fn of_sound_that_lags() {
    insta::assert_snapshot!(json(Some(Fault::SoundLags)));
}

#[test]
fn are_the_same_every_time() {
    assert_eq!(json(Some(Fault::Stall)), json(Some(Fault::Stall)));
}
