//! Nothing in front of the server: what the others are to be measured against.

use crate::crowd;
use crate::front::Front;
use crate::support::Server;

const VIEWERS: usize = 5;

#[test]
fn without_a_cache_every_request_of_a_viewer_is_the_servers() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n");
    let programme = crowd::watch(&server, Front::none, false, VIEWERS);
    assert_eq!(programme.fetched.parts, VIEWERS * programme.objects.parts, "{programme:?}");
    assert_eq!(programme.fetched.playlists, VIEWERS * programme.objects.playlists, "{programme:?}");
}
