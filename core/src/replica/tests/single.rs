//! Stories of a partition of one voter, and of a replica's start.

use super::{ROOM, entry, finish, fresh, lone_leader, settings, settle, voters};
use crate::entry::{EntryKind, HardState, Members, Stamp};
use crate::ids::{Index, NodeId, ReplicaId, Term};
use crate::now::Wall;
use crate::replica::{Dropped, ReadContext, Recovered, Replica, Settings, StartFault, election};
use bytes::Bytes;

fn start(recovered: Recovered) -> Result<Replica, StartFault> {
    Replica::start(settings(1, 1), ReplicaId(1), recovered)
}

#[test]
fn a_proposal_is_committed_when_it_is_durable_and_not_before() {
    let mut replica = lone_leader();
    let payload = Bytes::from_static(b"batch");
    let index = replica.propose(EntryKind::Batch, Wall(5), payload.clone()).expect("it leads");
    assert_eq!(index, Index(2));

    let ready = replica.take_ready(ROOM).expect("an entry to journal");
    assert!(ready.must_persist && ready.committed.is_empty(), "not durable yet");
    assert_eq!(ready.entries.len(), 1);
    assert_eq!(ready.entries[0].payload.as_ptr(), payload.as_ptr(), "the payload was copied");
    assert!(!replica.has_ready(), "nothing happens until it is durable");

    assert_eq!(replica.persisted(ready.number), []);
    let ready = replica.take_ready(ROOM).expect("it is committed now");
    assert!(!ready.must_persist);
    assert_eq!(ready.committed.len(), 1);
    assert_eq!((ready.committed[0].index, ready.committed[0].wall), (index, Wall(5)));
    assert_eq!(ready.committed[0].payload.as_ptr(), payload.as_ptr(), "the payload was copied");
    replica.applied(index);
    assert_eq!((replica.commit(), replica.applied_index()), (index, index));
    assert!(replica.has_applied_own_term());
}

#[test]
fn the_only_voter_leads_after_one_call_and_its_first_entry_is_a_no_op() {
    let mut replica = fresh(1, 1);
    assert!(replica.campaign());
    let ready = replica.take_ready(ROOM).expect("a term and an entry");
    let role = ready.role.expect("it leads now");
    assert!(role.is_leader && role.leader == ReplicaId(1) && role.term == Term(1));
    assert_eq!(ready.hard_state.map(|state| (state.term, state.vote)), Some((Term(1), ReplicaId(1))));
    assert_eq!((ready.entries.len(), ready.entries[0].kind), (1, EntryKind::NoOp));
    finish(&mut replica, ready);
    settle(&mut replica);
    assert!(replica.has_applied_own_term());
}

#[test]
fn wall_time_never_falls_along_the_log() {
    let mut replica = lone_leader();
    let mut walls = Vec::new();
    for wall in [10, 4, 12, 11] {
        replica.propose(EntryKind::Commands, Wall(wall), Bytes::from_static(b"c")).expect("it leads");
        if wall == 12 {
            let ready = replica.take_ready(ROOM).expect("entries");
            walls.extend(ready.entries.iter().map(|entry| entry.wall.0));
            finish(&mut replica, ready);
        }
    }
    let ready = replica.take_ready(ROOM).expect("entries");
    walls.extend(ready.entries.iter().map(|entry| entry.wall.0));
    assert_eq!(walls, [10, 10, 12, 12]);
}

#[test]
fn a_no_op_has_the_wall_time_of_the_entry_before_it() {
    let applied = Stamp { index: Index(9), term: Term(3), wall: Wall(77) };
    let hard_state = HardState { term: Term(3), ..HardState::default() };
    let recovered = Recovered { hard_state, members: voters(1), applied, entries: Vec::new() };
    let mut replica = start(recovered).expect("sound");
    assert!(replica.campaign());
    let ready = replica.take_ready(ROOM).expect("a no-op");
    assert_eq!((ready.entries[0].index, ready.entries[0].wall), (Index(10), Wall(77)));
}

#[test]
fn a_ready_waits_for_room_in_the_frame() {
    let mut replica = lone_leader();
    replica.propose(EntryKind::Batch, Wall(0), vec![1; 10_000].into()).expect("it leads");
    let needs = replica.ready_bytes();
    assert!((10_000..12_000).contains(&needs), "{needs}");
    assert_eq!(replica.take_ready(needs - 1), None);
    assert!(replica.take_ready(needs).is_some());
}

#[test]
fn what_waits_for_the_disk_is_bounded_and_a_dropped_proposal_takes_no_index() {
    let mut replica = lone_leader();
    let batch = Bytes::from(vec![1; 1 << 20]);
    let mut accepted = 0;
    let dropped = loop {
        match replica.propose(EntryKind::Batch, Wall(0), batch.clone()) {
            Ok(index) => assert_eq!(index, Index(2 + accepted)),
            Err(dropped) => break dropped,
        }
        accepted += 1;
    };
    assert_eq!((dropped, accepted), (Dropped::Full, 11));
    assert!(replica.ready_bytes() <= crate::limits::FRAME_BYTES_MAX);
    let last = replica.last_index();
    settle(&mut replica);
    assert_eq!(replica.uncommitted_bytes(), 0);
    assert_eq!(replica.propose(EntryKind::Batch, Wall(0), batch), Ok(last.next()));
}

#[test]
fn what_cannot_be_an_entry_is_dropped() {
    let mut replica = lone_leader();
    let cases = [
        (EntryKind::Members, &b"x"[..], Dropped::Entry),
        (EntryKind::Batch, &b""[..], Dropped::Entry),
        (EntryKind::Commands, &b""[..], Dropped::Entry),
        (EntryKind::NoOp, &b"x"[..], Dropped::Entry),
    ];
    for (kind, payload, dropped) in cases {
        assert_eq!(replica.propose(kind, Wall(0), Bytes::from_static(payload)), Err(dropped), "{kind:?}");
    }
    assert_eq!(fresh(1, 1).propose(EntryKind::NoOp, Wall(0), Bytes::new()), Err(Dropped::NotLeader));
    let large = Bytes::from(vec![0; crate::limits::REPLICA_UNCOMMITTED_BYTES_MAX]);
    assert_eq!(replica.propose(EntryKind::Batch, Wall(0), large), Err(Dropped::TooLarge));
}

#[test]
fn a_read_of_the_only_voter_comes_with_the_next_ready() {
    let mut replica = fresh(1, 1);
    assert!(!replica.read_index(ReadContext(1)), "it leads nothing");
    replica.campaign();
    assert!(!replica.read_index(ReadContext(1)), "nothing of its term is committed");
    settle(&mut replica);
    assert!(replica.read_index(ReadContext(2)));
    assert_eq!(replica.take_ready(ROOM).expect("a read").reads, [(ReadContext(2), Index(1))]);
}

#[test]
fn trimming_keeps_the_stamp_below_the_window() {
    let mut replica = lone_leader();
    for _ in 0..5 {
        replica.propose(EntryKind::Batch, Wall(3), Bytes::from_static(b"batch")).expect("it leads");
    }
    settle(&mut replica);
    replica.trim(Index(4));
    assert_eq!((replica.first_index(), replica.last_index()), (Index(5), Index(6)));
    assert_eq!(replica.entries(Index(1), Index(100)).len(), 2);
    replica.trim(Index(6));
    assert_eq!((replica.first_index(), replica.window_bytes()), (Index(7), 0));
    assert_eq!(replica.propose(EntryKind::Batch, Wall(0), Bytes::from_static(b"batch")), Ok(Index(7)));
    settle(&mut replica);
    assert_eq!(replica.entries(Index(7), Index(8))[0].wall, Wall(3), "clamped by the entry that is gone");
}

#[test]
fn commit_is_raised_to_applied_and_the_rest_is_handed_out_after_the_election() {
    let entries = vec![entry(3, 1, "c"), entry(4, 2, "d"), entry(5, 2, "e")];
    let applied = Stamp { index: Index(4), term: Term(2), wall: Wall(0) };
    let hard_state = HardState { term: Term(2), vote: ReplicaId(1), commit: Index(1) };
    let mut replica = start(Recovered { hard_state, members: voters(1), applied, entries }).expect("sound");
    assert_eq!((replica.commit(), replica.first_index()), (Index(4), Index(4)));
    assert!(!replica.has_ready());
    assert!(replica.campaign());
    let ready = replica.take_ready(ROOM).expect("a no-op");
    let mut committed = ready.committed.clone();
    finish(&mut replica, ready);
    committed.extend(replica.take_ready(ROOM).expect("all is committed").committed);
    assert_eq!(committed.iter().map(|entry| entry.index.0).collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn what_contradicts_itself_is_a_fault_and_no_panic() {
    let sound = Recovered {
        hard_state: HardState { term: Term(2), vote: ReplicaId(1), commit: Index(2) },
        members: voters(3),
        applied: Stamp { index: Index(1), term: Term(1), wall: Wall(0) },
        entries: vec![entry(1, 1, "a"), entry(2, 1, "b"), entry(3, 2, "c")],
    };
    assert!(start(sound.clone()).is_ok());
    let fault = |change: fn(&mut Recovered)| {
        let mut recovered = sound.clone();
        change(&mut recovered);
        start(recovered).expect_err("it contradicts itself")
    };
    let at = |index| StartFault::Broken { at: Index(index) };
    let lost = StartFault::LostTail { commit: Index(4), last: Index(3) };
    assert_eq!(fault(|it| it.hard_state.commit = Index(4)), lost);
    assert_eq!(
        fault(|it| it.hard_state.term = Term(1)),
        StartFault::Term { log: Term(2), hard_state: Term(1) }
    );
    assert!(matches!(fault(|it| it.hard_state.term = Term(u64::MAX)), StartFault::Term { .. }));
    assert_eq!(fault(|it| it.entries[1].term = Term(3)), at(3));
    assert_eq!(fault(|it| drop(it.entries.remove(1))), at(3));
    assert_eq!(fault(|it| it.entries[0].index = Index(0)), at(0));
    assert_eq!(fault(|it| drop(it.entries.drain(..2))), at(3));
    assert_eq!(fault(|it| it.applied.term = Term(2)), at(1));
    assert_eq!(fault(|it| it.members.voters.push(ReplicaId(1))), StartFault::Members);
    assert_eq!(fault(|it| it.members.learners.push(ReplicaId(1))), StartFault::Members);
    assert_eq!(fault(|it| it.members.voters.push(ReplicaId::NOBODY)), StartFault::Members);
    let learners = Members { voters: Vec::new(), learners: vec![ReplicaId(1)] };
    assert_eq!(start(Recovered { members: learners, ..sound.clone() }).err(), Some(StartFault::Members));
    let upside_down = Settings { election_ticks_min: 1, ..settings(1, 1) };
    assert_eq!(Replica::start(upside_down, ReplicaId(1), sound).err(), Some(StartFault::Settings));
}

#[test]
fn a_log_may_begin_with_a_reset_alone() {
    let applied = Stamp { index: Index(40), term: Term(6), wall: Wall(9) };
    let recovered = Recovered { members: voters(1), applied, ..Recovered::default() };
    let mut replica = start(recovered).expect("sound");
    assert_eq!((replica.term(), replica.commit()), (Term(6), Index(40)));
    assert!(replica.campaign());
    settle(&mut replica);
    assert_eq!((replica.term(), replica.last_index()), (Term(7), Index(41)));
}

#[test]
fn the_last_term_is_never_passed() {
    let hard_state = HardState { term: Term::MAX, ..HardState::default() };
    let mut replica =
        start(Recovered { hard_state, members: voters(1), ..Recovered::default() }).expect("sound");
    assert!(!replica.campaign());
    for _ in 0..100 {
        replica.tick();
    }
    assert_eq!(replica.term(), Term::MAX);
}

#[test]
fn the_election_timeout_is_a_pure_function() {
    let ticks = |node: i32, seed, partition, term| {
        let settings = Settings { node: NodeId(node), seed, partition, ..settings(1, 1) };
        election::timeout(&settings, Term(term))
    };
    // Golden: a change of these values changes every recorded run.
    assert_eq!(
        [ticks(1, 1, 7, 1), ticks(1, 1, 7, 2), ticks(2, 1, 7, 1), ticks(1, 2, 7, 1)],
        [11, 19, 12, 13]
    );
    let all: Vec<_> = (0..100).map(|term| ticks(1, 1, 7, term)).collect();
    assert!(all.iter().all(|ticks| (10..20).contains(ticks)));
    assert!(all.contains(&10) && all.contains(&19));
}

#[test]
fn the_election_timeout_is_set_after_every_call() {
    let mut replica = fresh(2, 3);
    for _ in 0..200 {
        replica.tick();
        settle(&mut replica);
        let ticks = election::timeout(replica.settings(), replica.term());
        assert_eq!(replica.node.raft.randomized_election_timeout(), ticks);
    }
}
