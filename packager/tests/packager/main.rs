//! The packager seen from outside: samples go in, what viewers fetch comes out.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "tests"
)]

mod bandwidth;
mod boxes;
mod check;
mod deltas;
mod gaps;
mod leaving;
mod opus;
mod part_target;
mod playlists;
mod properties;
mod rungs;
mod snapshots;
mod sounds;
mod source;
mod stretches;
mod updates;
mod viewer;
mod windows;
