//! Nodes of a cluster and a store between them, in virtual time.

mod chance;
mod world;

use std::time::Duration;

use self::world::World;
use crate::notice::Notice;
use crate::registry::Stance;
use crate::snapshot::Standing;

/// The lease of the nodes in these tests.
const LEASE: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

#[test]
fn who_has_a_channel_first_holds_it_and_everybody_knows() {
    let mut world = World::of(&["a", "b", "edge"]);
    world.open("a", "main");
    world.settle();
    world.open("b", "main");
    world.settle();
    for reader in ["a", "b", "edge"] {
        assert_eq!(world.origins(reader, "main"), "a, b", "{reader}");
    }
    assert!(matches!(world.notices("a")[..], [Notice::Holds { .. }]));
    assert!(matches!(world.notices("b")[..], [Notice::StandsBy { .. }]));
}

#[test]
fn a_holder_that_falls_silent_is_replaced_when_its_lease_runs_out() {
    let mut world = World::of(&["a", "b", "edge"]);
    world.open("a", "main");
    world.settle();
    world.open("b", "main");
    world.pass(HOUR);
    let before = world.epoch("edge", "main");
    world.kill("a");
    world.pass(Duration::from_secs(6));
    assert_eq!(world.origins("edge", "main"), "a, b");
    world.pass(5 * SECOND);
    assert_eq!(world.origins("edge", "main"), "b, a (Lapsed)");
    assert!(world.epoch("edge", "main") > before);
}

#[test]
fn who_was_away_cannot_take_a_channel_back_by_what_it_knew() {
    let mut world = World::of(&["a", "b", "edge"]);
    world.open("a", "main");
    world.settle();
    world.open("b", "main");
    world.settle();
    world.cut("a");
    world.pass(2 * LEASE);
    assert_eq!(world.origins("a", "main"), "a, b", "it knows of nothing");
    world.notices("a");
    let epoch = world.epoch("edge", "main");
    world.heal("a");
    world.pass(2 * LEASE);
    assert_eq!(world.origins("edge", "main"), "b, a");
    assert_eq!(world.epoch("edge", "main"), epoch);
    let notices = world.notices("a");
    assert!(matches!(&notices[..], [Notice::Fenced { holder, .. }] if holder.as_str() == "b"), "{notices:?}");
}

#[test]
fn a_claim_that_was_on_its_way_is_refused_when_another_has_come_first() {
    let mut world = World::of(&["a", "b"]);
    world.settle();
    world.open("a", "main");
    world.open("b", "main");
    // Both have seen nobody there.
    let (first, second) = (world.poll("a").unwrap(), world.poll("b").unwrap());
    assert_eq!((first.expect, second.expect), (Some(0), Some(0)));
    assert!(world.deliver("a", first));
    assert!(!world.deliver("b", second));
    world.settle();
    assert_eq!(world.origins("b", "main"), "a, b");
}

#[test]
fn without_a_store_nothing_changes_and_with_it_again_nobody_is_taken_for_gone() {
    let mut world = World::of(&["a", "b", "edge"]);
    world.open("a", "main");
    world.settle();
    world.open("b", "main");
    world.settle();
    let before = world.snapshot("edge");
    world.stop_store();
    world.pass(3 * HOUR);
    assert_eq!(world.snapshot("edge").nodes, before.nodes);
    assert_eq!(world.origins("edge", "main"), "a, b");
    // The leases in the store are three hours old, and nobody has had the time to renew one.
    world.start_store();
    assert_eq!(world.origins("edge", "main"), "a, b");
    world.pass(2 * LEASE);
    assert_eq!(world.snapshot("edge").channels, before.channels);
}

#[test]
fn a_store_that_has_lost_everything_is_told_anew_under_a_higher_epoch() {
    let mut world = World::of(&["a", "b", "edge"]);
    world.open("a", "main");
    world.settle();
    world.open("b", "main");
    world.settle();
    let before = world.epoch("edge", "main");
    world.stop_store();
    world.empty_store();
    world.pass(SECOND);
    world.start_store();
    world.pass(SECOND);
    assert_eq!(world.origins("edge", "main").replace("b, a", "a, b"), "a, b");
    assert!(world.epoch("edge", "main") > before);
}

#[test]
fn a_store_that_was_brought_back_from_a_copy_is_put_right() {
    let mut world = World::of(&["a", "b", "edge"]);
    world.open("a", "main");
    world.settle();
    let copy = world.copy_store();
    world.open("b", "main");
    world.kill("a");
    world.pass(2 * LEASE);
    let epoch = world.epoch("edge", "main");
    world.stop_store();
    world.restore_store(copy);
    world.start_store();
    world.pass(2 * LEASE);
    assert!(world.epoch("edge", "main") > epoch, "an epoch does not fall");
    assert_eq!(world.stored_epoch("main"), world.epoch("edge", "main"));
    assert!(world.origins("edge", "main").contains('b'));
}

#[test]
fn what_was_remembered_answers_while_the_store_is_away() {
    let mut world = World::of(&["a", "edge"]);
    world.open("a", "main");
    world.drain("edge", "cdn-a", true);
    world.settle();
    world.stop_store();
    world.restart("edge");
    world.pass(HOUR);
    assert_eq!(world.origins("edge", "main"), "a");
    assert!(!world.snapshot("edge").connected);
    assert_eq!(world.snapshot("edge").drained.len(), 1);
    // What has changed meanwhile is known as soon as the store is.
    world.close("a", "main");
    world.start_store();
    world.settle();
    assert_eq!(world.origins("edge", "main"), "");
}

#[test]
fn a_node_that_goes_in_order_gives_up_what_it_has() {
    let mut world = World::of(&["a", "b", "edge"]);
    world.open("a", "main");
    world.settle();
    world.open("b", "main");
    world.settle();
    world.leave("a");
    world.settle();
    assert_eq!(world.origins("edge", "main"), "b");
    assert_eq!(world.snapshot("edge").nodes.len(), 2);
}

#[test]
fn a_holder_whose_publisher_has_left_hands_over_and_takes_nothing_back() {
    let mut world = World::of(&["a", "b", "edge"]);
    world.open("a", "main");
    world.settle();
    world.open("b", "main");
    world.settle();
    world.set("a", "main", Stance::Resting);
    world.settle();
    assert_eq!(world.origins("edge", "main"), format!("b, a ({:?})", Standing::Resting));
    world.set("a", "main", Stance::Live);
    world.settle();
    assert_eq!(world.origins("edge", "main"), "b, a");
    assert!(world.notices("a").iter().all(|notice| !notice.is_trouble()));
}

#[test]
fn a_node_that_comes_back_without_a_channel_gives_up_the_claim_of_its_former_life() {
    let mut world = World::of(&["a", "edge"]);
    world.open("a", "main");
    world.settle();
    world.kill("a");
    world.restart("a");
    world.settle();
    assert_eq!(world.origins("edge", "main"), "");
}

#[test]
fn a_drained_pathway_is_drained_everywhere_until_somebody_lets_viewers_return() {
    let mut world = World::of(&["a", "edge"]);
    world.drain("a", "cdn-a", true);
    world.settle();
    let drained =
        |world: &mut World, node| world.snapshot(node).drained.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(drained(&mut world, "edge"), ["cdn-a"]);
    world.stop_store();
    world.empty_store();
    world.start_store();
    world.pass(HOUR);
    assert_eq!(drained(&mut world, "a"), ["cdn-a"]);
    world.drain("edge", "cdn-a", false);
    world.settle();
    assert_eq!(drained(&mut world, "a"), [""; 0]);
}

#[test]
fn what_lives_on_is_not_forgotten_by_a_store_that_forgets_after_a_day() {
    let mut world = World::of(&["a", "edge"]);
    world.open("a", "main");
    world.drain("a", "cdn-a", true);
    world.settle();
    for _ in 0..60 {
        world.pass_coarsely(HOUR);
        world.expire(Duration::from_hours(24));
    }
    assert_eq!(
        world.stored().iter().map(String::as_str).collect::<Vec<_>>(),
        ["channel.main", "node.a", "node.edge", "pathway.cdn-a"]
    );
    world.kill("a");
    for _ in 0..60 {
        world.pass_coarsely(HOUR);
        world.expire(Duration::from_hours(24));
    }
    assert_eq!(world.stored().iter().map(String::as_str).collect::<Vec<_>>(), ["node.edge", "pathway.cdn-a"]);
    assert_eq!(world.snapshot("edge").nodes.len(), 1);
    assert!(world.snapshot("edge").channels.is_empty());
}

#[test]
fn two_that_call_themselves_alike_are_told_apart() {
    let mut world = World::of(&["a"]);
    world.settle();
    world.add("a");
    world.pass(LEASE);
    let notices = world.notices("a");
    assert!(matches!(&notices[..], [Notice::Namesake { .. }]), "{notices:?}");
}

#[test]
fn what_cannot_be_read_is_passed_over() {
    let mut world = World::of(&["edge"]);
    world.settle();
    let before = world.snapshot("edge");
    for value in ["", "{}", "[]", "{\"url\":7}", &"x".repeat(5_000)] {
        assert!(world.scribble("node.stranger", value).iter().all(Result::is_err), "{value}");
        assert!(world.scribble("channel.main", value).iter().all(Result::is_err), "{value}");
    }
    assert_eq!(world.snapshot("edge"), before);
}
