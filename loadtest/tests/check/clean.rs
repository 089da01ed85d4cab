//! Origins that do everything right.

use crate::origin::{Origin, Rendition, Shape, Skip};
use crate::proof::in_paused_time;

#[test]
fn the_origin_writes_these_playlists() {
    in_paused_time(async {
        let origin = Origin::clean(Shape::LADDER);
        insta::assert_snapshot!("multivariant", origin.multivariant());
        insta::assert_snapshot!("media", origin.media_playlist(Rendition::High, origin.now(), None));
        insta::assert_snapshot!("delta", origin.media_playlist(Rendition::Audio, origin.now(), Some(Skip::Segments)));
    });
}
