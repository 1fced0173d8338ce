//! Parts that wait for the disk, or let it work.

use super::{House, at};
use crate::ids::{NodeId, Offset, ReplicaId};
use crate::limits::SCRUB_AFTER_START;
use crate::node::catch_up::CatchUps;
use crate::node::cold_reads::{ColdReads, Sought};
use crate::node::mending::Mendings;
use crate::node::retention::Retention;
use crate::node::scrubbing::Scrubbing;
use crate::now::Mono;
use crate::peer::CatchUp;
use crate::storage::{Lookup, ReadId, Shortened};
use std::time::Duration;

#[test]
fn who_asks_for_the_same_shares_a_read() {
    let mut house = House::new(1);
    let mut reads = ColdReads::default();
    let sought = |from| Sought::Batches { from: Offset(from), below: Offset(9), max_bytes: 1 };
    let mut share = |reads: &mut ColdReads, from, next| match reads.share(
        ReplicaId(7),
        &mut house.ports,
        |_| sought(from),
        |_| Lookup::Later(ReadId(next)),
    ) {
        Lookup::Later(read) => read,
        other => panic!("it is on its way: {other:?}"),
    };
    assert_eq!(share(&mut reads, 1, 10), ReadId(10));
    assert_eq!(share(&mut reads, 1, 11), ReadId(10), "it is on its way already");
    assert_eq!(share(&mut reads, 2, 12), ReadId(12));
    reads.ended(ReadId(10));
    reads.ended(ReadId(99));
    assert_eq!(share(&mut reads, 1, 13), ReadId(13));
}

#[test]
fn retention_looks_at_an_interval_where_there_is_anything_to_look_at() {
    let mut house = House::new(1);
    let mut retention = Retention::new(Duration::from_secs(10));
    assert_eq!(retention.next_deadline(&house.residents), None);
    house.add_partition(7, 1);
    assert_eq!(retention.next_deadline(&house.residents), Some(Mono(0)));
    retention.woke(at(5), &mut house.residents, &mut house.ports);
    let due = Mono(5) + Duration::from_secs(10);
    assert_eq!(retention.next_deadline(&house.residents), Some(due));
    retention.woke(at(6), &mut house.residents, &mut house.ports);
    assert_eq!(retention.next_deadline(&house.residents), Some(due), "it is not time");
}

#[test]
fn scrubbing_rests_without_a_rate_or_records_and_when_the_node_stops() {
    let mut house = House::new(1);
    let mut scrubbing = Scrubbing::new(1_000);
    assert_eq!(scrubbing.next_deadline(&house.residents), None);
    house.add_partition(7, 1);
    assert_eq!(Scrubbing::new(0).next_deadline(&house.residents), None);
    scrubbing.woke(at(5), &house.residents, &mut house.ports);
    assert_eq!(scrubbing.next_deadline(&house.residents), Some(Mono(5) + SCRUB_AFTER_START));
    scrubbing.stop();
    assert_eq!(scrubbing.next_deadline(&house.residents), None);
}

#[test]
fn damage_that_nobody_else_could_mend_is_not_waited_for() {
    let mut house = House::new(1);
    let (id, _) = house.add_partition(7, 1);
    let mut mendings = Mendings::default();
    mendings.found_damage(at(5), id, (Offset(1), Offset(4)), &mut house.residents, &mut house.ports);
    assert!(!mendings.is_being_mended(id, Offset(2)) && mendings.next_deadline().is_none());
    mendings.found_shortened(Shortened { replica: id, from: Offset(1), below: Offset(4) });
    mendings.started(at(5), id, &mut house.residents, &mut house.ports);
    assert!(mendings.next_deadline().is_none() && house.ports.actions.is_empty());
}

#[test]
fn a_replica_does_not_catch_up_by_the_word_of_who_does_not_lead_it() {
    let mut house = House::new(3);
    let (replica, partition) = house.add_partition(7, 3);
    let term = house.residents.replica(replica).expect("it was added").term();
    let (log_start, high_watermark) = (Offset(0), Offset(9));
    let told = CatchUp { replica, partition, term, log_start, high_watermark };
    let mut catch_ups = CatchUps::default();
    catch_ups.told(at(5), NodeId(2), &told, &mut house.residents, &mut house.ports);
    catch_ups.log_durable(replica, Offset(9), &mut house.residents, &mut house.ports);
    assert_eq!(house.ports.touched.take(), [], "nothing was begun");
}
