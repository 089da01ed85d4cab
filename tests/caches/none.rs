//! Nothing in front of the server, or an edge of ours: what the others are to be measured against.

use crate::crowd;
use crate::front::Front;
use crate::support::Server;

const VIEWERS: usize = 5;

#[test]
fn without_a_cache_every_request_of_a_viewer_is_the_servers() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n");
    let programme = crowd::watch(&server, Front::none, false, VIEWERS);
    let fetched = &programme.fetched;
    assert_eq!(fetched.playlists + fetched.parts + fetched.missing, programme.requests, "{programme:?}");
    assert!(fetched.parts > (VIEWERS - 1) * programme.objects.parts, "{programme:?}");
}

#[test]
fn behind_an_edge_no_request_of_a_viewer_is_the_servers() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n");
    let programme = crowd::watch(&server, Front::edge, false, 30);
    let fetched = &programme.fetched;
    assert_eq!((fetched.playlists, fetched.parts, fetched.missing), (0, 0, 0), "{programme:?}");
    assert!(programme.objects.parts > 30 && programme.requests > 30 * programme.objects.parts, "{programme:?}");
}
