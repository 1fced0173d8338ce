//! What the host owes to those who wait, whatever becomes of its replica. The rest is told by stories.

use super::{Host, Replied};
use crate::entry::{Members, Stamp};
use crate::ids::{ClusterId, Index, NodeId, ReplicaId, Term};
use crate::machine::{Room, Waiter};
use crate::metadata::{Metadata, Reply, Request};
use crate::now::{Mono, Now, Wall};
use crate::replica::{Recovered, Replica, Settings};
use crate::rng::Rng;
use std::collections::BTreeMap;

const ROOM: Room = Room { commands_bytes_max: 1 << 20, partitions_max: 100, state_bytes_max: 1 << 20 };

/// The only voter's host, which leads.
fn leading() -> Host<Metadata> {
    let id = ReplicaId(1);
    let members = Members { voters: vec![id], learners: Vec::new() };
    let recovered = Recovered { members, ..Recovered::default() };
    let replica =
        Replica::start(Settings::new(NodeId(1), 1, 7), id, recovered).expect("nothing to contradict");
    let state = Metadata::founded(ClusterId(5), BTreeMap::new());
    let mut host = Host::new(replica, state, Stamp::default(), Rng::stream(1, "host"), ROOM);
    host.replica_mut().campaign();
    while let Some(ready) = host.replica_mut().take_ready(1 << 20) {
        for entry in &ready.committed {
            host.apply(entry, |_, _| {}).expect("our own entries");
            host.replica_mut().applied(entry.index);
        }
        if ready.must_persist {
            host.replica_mut().persisted(ready.number);
        }
    }
    host.settle(&mut Vec::new());
    assert!(host.is_leading());
    host
}

#[test]
fn a_snapshot_answers_whoever_waited_for_a_commit() {
    let mut host = leading();
    let now = Now { mono: Mono(1), wall: Wall(1) };
    let mut out = Vec::new();
    host.request(now, Waiter(7), Request::ProducerIds { node: NodeId(1) }, &mut out);
    assert!(out.is_empty(), "it waits for its commit");
    let state = Host::encode_state(Wall(9), host.committed());
    let at = Stamp { index: Index(50), term: Term(9), wall: Wall(9) };
    host.install(at, &state, &mut out).expect("our own encoding");
    let [Replied { waiter: Waiter(7), reply: Reply::NotController, .. }] = &out[..] else {
        panic!("whoever waits is told to ask again: {out:?}");
    };
}
