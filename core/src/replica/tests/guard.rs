//! The guard: a table of what raft-rs would panic on, and any message at all.

use super::{ROOM, append, finish, fresh, leader_of_three, message, settle, with_log};
use crate::entry::EntryKind;
use crate::ids::{ReplicaId, Term};
use crate::now::Wall;
use crate::replica::{Refused, Replica};
use bytes::Bytes;
use proptest::prelude::{Strategy, any, prop};
use proptest::{prop_assert, proptest, sample};
use rust_mq_proto::peer::raft::{RaftEntry, RaftKind, RaftMessage};

#[test]
fn what_raft_rs_would_panic_on_or_be_misled_by_is_refused() {
    let end = u64::MAX;
    let heartbeat = message(RaftKind::Heartbeat, 1, 2, 1);
    let append_with = |change: fn(&mut RaftMessage)| {
        let mut message = append(1, 2, 1, (2, 1), &[1]);
        change(&mut message);
        message
    };
    let cases = [
        ("for another", RaftMessage { to: 3, ..heartbeat.clone() }, Refused::Recipient),
        ("from itself", RaftMessage { from: 2, ..heartbeat.clone() }, Refused::Sender),
        ("from nobody", RaftMessage { from: 0, ..heartbeat.clone() }, Refused::Sender),
        ("from a stranger", RaftMessage { from: 9, ..heartbeat.clone() }, Refused::Sender),
        ("answer of a stranger", message(RaftKind::AppendResponse, 9, 2, 1), Refused::Sender),
        ("vote for a stranger", message(RaftKind::Vote, 9, 2, 5), Refused::Sender),
        ("term 0", RaftMessage { term: 0, ..heartbeat.clone() }, Refused::Term),
        ("term that would wrap", RaftMessage { term: end, ..heartbeat.clone() }, Refused::Term),
        ("term beyond Kafka's", RaftMessage { term: Term::MAX.0 + 1, ..heartbeat.clone() }, Refused::Term),
        ("unknown kind", RaftMessage { kind: 77, ..heartbeat.clone() }, Refused::Kind),
        ("heartbeat beyond the log", RaftMessage { commit: 4, ..heartbeat.clone() }, Refused::LostTail),
        ("heartbeat far beyond", RaftMessage { commit: end, ..heartbeat }, Refused::Index),
        ("index that would overflow", append_with(|it| it.index = u64::MAX), Refused::Index),
        ("gap that matches term 0", append_with(|it| (it.index, it.log_term) = (9, 0)), Refused::Term),
        ("terms that fall", append_with(|it| it.log_term = 2), Refused::Term),
        ("entry of the future", append_with(|it| it.entries[0].term = 2), Refused::Term),
        ("entry of term 0", append_with(|it| it.entries[0].term = 0), Refused::Term),
        ("change of members", append_with(|it| it.entries[0].kind = 3), Refused::Entry),
        ("unknown entry", append_with(|it| it.entries[0].kind = 300), Refused::Entry),
        ("empty batch", append_with(|it| it.entries[0].payload = Bytes::new()), Refused::Entry),
        (
            "vote that is not behind",
            RaftMessage { index: 1, log_term: 5, ..message(RaftKind::Vote, 1, 2, 5) },
            Refused::Term,
        ),
        (
            "entries in a vote",
            RaftMessage { kind: RaftKind::Vote as i32, ..append(1, 2, 1, (2, 1), &[1]) },
            Refused::Entry,
        ),
        ("transfer by no leader", message(RaftKind::TimeoutNow, 1, 2, 1), Refused::Stale),
    ];
    for (name, message, refused) in cases {
        let mut replica = with_log(2, 3, &[1, 1, 1], 1);
        settle(&mut replica);
        assert_eq!(replica.step(message), Err(refused), "{name}");
        assert_eq!(replica.take_ready(ROOM), None, "{name} left a trace");
    }
    let mut leader = leader_of_three();
    let beyond = RaftMessage { index: 2, ..message(RaftKind::AppendResponse, 2, 1, 1) };
    assert_eq!(leader.step(beyond), Err(Refused::Index), "an answer beyond the leader's log");
}

#[test]
fn a_heap_of_appends_is_refused_until_the_disk_has_taken_some() {
    let mut follower = fresh(2, 3);
    let large = |index: u64| {
        let mut message = append(1, 2, 1, (index, u64::from(index > 0)), &[1]);
        message.entries[0].payload = Bytes::from(vec![0; 5 << 20]);
        message
    };
    assert_eq!(follower.step(large(0)), Ok(()));
    assert_eq!(follower.step(large(1)), Ok(()));
    assert_eq!(follower.step(large(2)), Err(Refused::Full));
    let ready = follower.take_ready(ROOM).expect("it fits a frame");
    assert_eq!(follower.step(large(2)), Ok(()));
    finish(&mut follower, ready);
}

/// Numbers where things break: small ones, the edges, and anything.
fn number() -> impl Strategy<Value = u64> {
    let edges =
        sample::select(vec![1 << 62, (1 << 62) + 1, u64::MAX - 1, u64::MAX, Term::MAX.0, Term::MAX.0 + 1]);
    proptest::prop_oneof![8 => 0..8_u64, 1 => edges, 1 => any::<u64>()]
}

fn any_entry() -> impl Strategy<Value = RaftEntry> {
    (number(), 0..6_u32, any::<i64>(), prop::collection::vec(any::<u8>(), 0..3))
        .prop_map(|(term, kind, wall, payload)| RaftEntry { term, kind, wall, payload: payload.into() })
}

fn any_message() -> impl Strategy<Value = RaftMessage> {
    let numbers = (number(), number(), number(), number(), number(), number());
    let flags = (any::<bool>(), any::<bool>(), any::<Option<u64>>());
    let who = (0..11_i32, 1..4_u64, 1..4_u64);
    (who, numbers, flags, prop::collection::vec(any_entry(), 0..4)).prop_map(
        |(
            (kind, from, to),
            (term, log_term, index, commit, commit_term, hint),
            (reject, transfer, read),
            entries,
        )| {
            let entries = if kind == RaftKind::Append as i32 { entries } else { Vec::new() };
            let reject_hint = hint;
            RaftMessage {
                kind,
                to,
                from,
                term,
                log_term,
                index,
                commit,
                commit_term,
                reject,
                reject_hint,
                read,
                transfer,
                entries,
            }
        },
    )
}

/// What else may happen between messages.
#[derive(Clone, Debug)]
enum Turn {
    Message(RaftMessage),
    Tick(u8),
    Take,
    Persist,
    Campaign,
    Propose,
    LeaderLost,
}

fn any_turn() -> impl Strategy<Value = Turn> {
    proptest::prop_oneof![
        8 => any_message().prop_map(Turn::Message),
        1 => (1..30_u8).prop_map(Turn::Tick),
        3 => proptest::strategy::Just(Turn::Take),
        2 => proptest::strategy::Just(Turn::Persist),
        1 => proptest::strategy::Just(Turn::Campaign),
        1 => proptest::strategy::Just(Turn::Propose),
        1 => proptest::strategy::Just(Turn::LeaderLost),
    ]
}

fn play(replica: &mut Replica, turns: Vec<Turn>) {
    let mut owed = std::collections::VecDeque::new();
    for turn in turns {
        match turn {
            Turn::Message(message) => drop(replica.step(RaftMessage { to: replica.id().0, ..message })),
            Turn::Tick(count) => (0..count).for_each(|_| replica.tick()),
            Turn::Take => {
                let Some(ready) = replica.take_ready(ROOM) else { continue };
                if ready.must_persist {
                    owed.push_back(ready.number);
                }
                if let Some(last) = ready.committed.last() {
                    replica.applied(last.index);
                }
            }
            Turn::Persist => drop(owed.pop_front().map(|number| replica.persisted(number))),
            Turn::Campaign => drop(replica.campaign()),
            Turn::Propose => drop(replica.propose(EntryKind::Batch, Wall(0), Bytes::from_static(b"batch"))),
            Turn::LeaderLost => replica.leader_lost(),
        }
    }
    for number in owed {
        replica.persisted(number);
    }
    settle(replica);
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 2_000, ..Default::default() })]

    #[test]
    fn any_messages_in_any_state_do_not_panic(
        role in 0..4_u8,
        turns in prop::collection::vec(any_turn(), 0..40),
    ) {
        let mut replica = match role {
            0 => fresh(1, 3),
            1 => with_log(1, 3, &[1, 1, 2, 3], 2),
            2 => leader_of_three(),
            _ => fresh(1, 1),
        };
        play(&mut replica, turns);
        prop_assert!(replica.term() <= Term::MAX);
        prop_assert!(replica.applied_index() <= replica.commit() && replica.commit() <= replica.last_index());
        let leader = replica.leader();
        prop_assert!(leader == ReplicaId::NOBODY || replica.members().voters.contains(&leader));
    }
}
