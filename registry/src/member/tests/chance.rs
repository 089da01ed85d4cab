//! Whatever happens in whatever order: no two nodes hold a channel under one epoch, and once all is well again everybody finds
//! every channel.

use std::time::Duration;

use proptest::prelude::*;

use super::LEASE;
use super::world::World;
use crate::registry::Stance;

const NODES: [&str; 4] = ["a", "b", "c", "edge"];
const CHANNELS: [&str; 2] = ["main", "second"];

#[derive(Debug, Clone)]
enum Event {
    Open(usize, usize),
    Rest(usize, usize),
    Close(usize, usize),
    Cut(usize),
    Heal(usize),
    Restart(usize),
    Drain(usize, bool),
    StopStore,
    StartStore,
    EmptyStore,
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    // The edge has no channels.
    let (origin, node, channel) = (0..NODES.len() - 1, 0..NODES.len(), 0..CHANNELS.len());
    prop_oneof![
        4 => (origin.clone(), channel.clone()).prop_map(|(node, channel)| Event::Open(node, channel)),
        1 => (origin.clone(), channel.clone()).prop_map(|(node, channel)| Event::Rest(node, channel)),
        2 => (origin, channel).prop_map(|(node, channel)| Event::Close(node, channel)),
        2 => node.clone().prop_map(Event::Cut),
        2 => node.clone().prop_map(Event::Heal),
        1 => node.clone().prop_map(Event::Restart),
        1 => (node, any::<bool>()).prop_map(|(node, drained)| Event::Drain(node, drained)),
        1 => Just(Event::StopStore),
        2 => Just(Event::StartStore),
        1 => Just(Event::EmptyStore),
        4 => (0_u64..30_000).prop_map(Event::Pass),
    ]
}

fn happen(world: &mut World, event: &Event) {
    match *event {
        Event::Open(node, channel) => world.open(NODES[node], CHANNELS[channel]),
        Event::Rest(node, channel) => world.set(NODES[node], CHANNELS[channel], Stance::Resting),
        Event::Close(node, channel) => world.close(NODES[node], CHANNELS[channel]),
        Event::Cut(node) => world.cut(NODES[node]),
        Event::Heal(node) => world.heal(NODES[node]),
        Event::Restart(node) => world.restart(NODES[node]),
        Event::Drain(node, drained) => world.drain(NODES[node], "cdn-a", drained),
        Event::StopStore => world.stop_store(),
        Event::StartStore => world.start_store(),
        // A store loses what it has by stopping.
        Event::EmptyStore => {
            world.stop_store();
            world.empty_store();
        }
        Event::Pass(milliseconds) => world.pass(Duration::from_millis(milliseconds)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_two_hold_a_channel_under_one_epoch_and_all_is_found_in_the_end(events in prop::collection::vec(event(), 1..60)) {
        let mut world = World::of(&NODES);
        for event in &events {
            happen(&mut world, event);
        }
        world.start_store();
        for node in NODES {
            world.heal(node);
        }
        world.pass(3 * LEASE);
        prop_assert!(world.agrees());
        prop_assert_eq!(world.lost_channels("edge"), Vec::<String>::new());
    }
}
