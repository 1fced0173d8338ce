//! How a node comes to a cluster, and a replica to a leader.

use super::{House, at};
use crate::action::HaltReason;
use crate::ids::{BootId, ClusterId, DiskId, NodeId, ReplicaId};
use crate::level::Levels;
use crate::limits::TICK;
use crate::node::company::Company;
use crate::node::elections::Elections;
use crate::node::founding::{Membership, Stage};
use crate::node::identity::Identity;
use crate::now::Mono;
use crate::paged::Folded;
use crate::peer::{Founder, Founding};

fn identity(house: &mut House) -> Identity {
    let mut identity = Identity::new(house.config.node, BootId(1));
    identity.draw(&mut house.ports);
    assert_eq!(identity.written(), None);
    identity
}

#[test]
fn a_node_alone_founds_a_cluster_once() {
    let mut house = House::new(1);
    let (identity, mut membership) = (identity(&mut house), Membership::new());
    membership.found_if_complete(at(1), &identity, &house.config, &mut house.ports);
    assert_eq!(membership.stage(), Stage::Recovering, "its disk has not been read");
    membership.identifies();
    assert!(membership.identified() && !membership.identified());
    membership.found_if_complete(at(1), &identity, &house.config, &mut house.ports);
    assert_eq!(membership.stage(), Stage::Joining(ReplicaId(1)));
    let (cluster, known) = membership.joined();
    assert!(cluster != ClusterId(0) && known.replica == ReplicaId(1) && known.state != Folded::default());
    membership.is_member();
    membership.found_if_complete(at(2), &identity, &house.config, &mut house.ports);
    assert_eq!(membership.stage(), Stage::Member);
}

#[test]
fn nobody_joins_by_the_word_of_who_is_not_vouched_for() {
    let mut house = House::of(2, 2);
    let (identity, mut membership) = (identity(&mut house), Membership::new());
    membership.identified();
    let disk = identity.disk().expect("it was drawn");
    let founder = |node, disk| Founder { replica: ReplicaId(node as u64), node: NodeId(node), disk };
    let members = vec![founder(1, DiskId(9)), founder(2, disk)];
    let told = (NodeId(1), Founding { cluster: ClusterId(5), level: Levels::BUILD.newest, members });
    membership.told(at(1), told.clone(), &identity, &house.config, &mut house.ports);
    assert_eq!(
        membership.stage(),
        Stage::Alone,
        "who dials in says that it is node 1, and is asked for first"
    );
    assert!(!membership.vouched(NodeId(1), Some(ClusterId(6)), &mut house.ports), "of another cluster");
    assert_eq!(membership.stage(), Stage::Alone);
    membership.told(at(1), told, &identity, &house.config, &mut house.ports);
    assert!(!membership.vouched(NodeId(1), Some(ClusterId(5)), &mut house.ports));
    assert_eq!(membership.stage(), Stage::Joining(ReplicaId(2)));
}

#[test]
fn a_founding_that_means_another_disk_is_not_joined() {
    let mut house = House::new(1);
    let (identity, mut membership) = (identity(&mut house), Membership::new());
    membership.identified();
    let other = Founder { replica: ReplicaId(1), node: NodeId(1), disk: DiskId(9) };
    let founding = Founding { cluster: ClusterId(5), level: Levels::BUILD.newest, members: vec![other] };
    membership.told(at(1), (NodeId(2), founding), &identity, &house.config, &mut house.ports);
    assert_eq!(membership.stage(), Stage::Alone);
    assert!(membership.vouched(NodeId(2), Some(ClusterId(5)), &mut house.ports), "nothing was kept of it");
}

#[test]
fn a_node_ends_only_once_its_disk_knows_why() {
    let mut house = House::new(1);
    let mut identity = identity(&mut house);
    identity.write(&mut house.ports);
    identity.bury(ReplicaId(4));
    identity.end(HaltReason::Stopped);
    identity.write(&mut house.ports);
    assert_eq!(identity.written(), None, "this one was under way before");
    assert_eq!(identity.written(), Some(HaltReason::Stopped));
    assert!(identity.is_dead(ReplicaId(4)) && !identity.is_dead(ReplicaId(5)));
    identity.forget(&[ReplicaId(4)]);
    assert!(!identity.is_dead(ReplicaId(4)));
}

#[test]
fn replicas_stand_in_turn_and_not_where_somebody_leads() {
    let mut house = House::new(1);
    let ((first, _), (second, _)) = (house.add_partition(7, 1), house.add_partition(8, 1));
    let mut elections = Elections::default();
    elections.started(at(0), first, 0, &mut house.residents, &mut house.ports);
    assert_eq!(house.ports.touched.take(), [first], "the first in rank stands at once");
    elections.started(at(0), second, 2, &mut house.residents, &mut house.ports);
    assert_eq!(house.ports.touched.take(), []);
    house.carry(first);
    assert_eq!(elections.next_deadline(), Some(Mono(0) + TICK));
    elections.woke(at((Mono(0) + TICK * 2).0), &mut house.residents, &mut house.ports);
    assert_eq!(house.ports.touched.take(), [], "the one leads, and it is not yet the other's turn");
    elections.woke(at((Mono(0) + TICK * 3).0), &mut house.residents, &mut house.ports);
    assert_eq!(house.ports.touched.take(), [second]);
}

#[test]
fn without_an_image_nobody_is_known_to_be_anywhere() {
    let mut house = House::new(3);
    let (id, of) = house.add_partition(7, 3);
    let company = Company::of(&house.residents, &house.ports);
    assert!(company.live_members(of).is_empty() && company.other_holders(id).is_empty());
    assert_eq!((company.rank(id), company.in_sync(of)), (0, None));
    assert!(!company.is_heard_better(id, id));
}
