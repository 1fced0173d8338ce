//! The traps of raft-rs 0.7, one test each, named after what would go wrong without this room.

use super::{ROOM, append, entry, finish, fresh, kinds, leader_of_three, message, settle, with_log};
use crate::entry::{EntryKind, Stamp};
use crate::ids::{Index, ReplicaId, Term};
use crate::limits;
use crate::now::Wall;
use crate::replica::{Dropped, ReadContext, Refused, Replica, Restored, SnapshotMeta};
use bytes::Bytes;
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};

#[test]
fn a_duplicate_append_before_the_sync_sends_no_early_ack() {
    let mut follower = fresh(2, 3);
    let first = append(1, 2, 1, (0, 0), &[1, 1]);
    follower.step(first.clone()).expect("an append");
    let ready = follower.take_ready(ROOM).expect("entries");
    assert_eq!(ready.messages, []);
    follower.step(first).expect("a duplicate");
    let second = follower.take_ready(ROOM).expect("another answer");
    assert!(!second.must_persist && second.entries.is_empty());
    assert_eq!(second.messages, [], "the entries that it would acknowledge are not durable");
    let said = follower.persisted(ready.number);
    assert_eq!(kinds(&said), [RaftKind::AppendResponse, RaftKind::AppendResponse]);
    assert!(said.iter().all(|answer| !answer.reject && answer.index == 2));
}

#[test]
fn a_vote_leaves_when_it_is_durable() {
    let mut voter = fresh(2, 3);
    voter.step(message(RaftKind::Vote, 1, 2, 1)).expect("a candidate");
    let ready = voter.take_ready(ROOM).expect("a vote");
    assert_eq!(ready.messages, []);
    assert_eq!(ready.hard_state.map(|state| (state.term, state.vote)), Some((Term(1), ReplicaId(1))));
    assert_eq!(kinds(&voter.persisted(ready.number)), [RaftKind::VoteResponse]);
}

#[test]
fn a_candidacy_leaves_when_it_is_durable() {
    let mut candidate = fresh(1, 3);
    assert!(candidate.campaign());
    let ready = candidate.take_ready(ROOM).expect("pre-votes");
    assert_eq!(kinds(&ready.messages), [RaftKind::PreVote; 2], "they promise nothing");
    candidate.step(message(RaftKind::PreVoteResponse, 2, 1, 1)).expect("yes");
    let ready = candidate.take_ready(ROOM).expect("votes");
    assert_eq!(ready.messages, []);
    assert_eq!(kinds(&candidate.persisted(ready.number)), [RaftKind::Vote; 2]);
}

#[test]
fn a_leader_is_silent_until_its_term_is_durable() {
    // A vote that answers a candidacy which has not left: no peer of ours sends it, but raft-rs would count
    // it.
    let mut early = fresh(1, 3);
    early.campaign();
    settle(&mut early);
    early.step(message(RaftKind::PreVoteResponse, 2, 1, 1)).expect("yes");
    early.step(message(RaftKind::VoteResponse, 2, 1, 1)).expect("yes");
    assert!(early.is_leader());
    let ready = early.take_ready(ROOM).expect("term, entry, appends");
    assert_eq!(ready.messages, []);
    early.propose(EntryKind::Batch, Wall(0), Bytes::from_static(b"batch")).expect("it leads");
    let second = early.take_ready(ROOM).expect("an entry");
    assert_eq!(second.messages, []);
    let said = early.persisted(ready.number);
    assert!(kinds(&said).contains(&RaftKind::Append));
    assert!(said.iter().all(|message| message.term == 1));
}

#[test]
fn a_leader_sends_appends_before_its_own_disk_and_counts_itself_after() {
    let mut leader = leader_of_three();
    for index in [1, 2] {
        leader
            .step(RaftMessage { index: 1, ..message(RaftKind::AppendResponse, index + 1, 1, 1) })
            .expect("ok");
    }
    settle(&mut leader);
    assert_eq!(leader.commit(), Index(1));
    leader.propose(EntryKind::Batch, Wall(0), Bytes::from_static(b"batch")).expect("it leads");
    let ready = leader.take_ready(ROOM).expect("an entry");
    assert_eq!(kinds(&ready.messages), [RaftKind::Append; 2], "thesis 10.2.1");
    leader.step(RaftMessage { index: 2, ..message(RaftKind::AppendResponse, 2, 1, 1) }).expect("ok");
    assert_eq!(leader.commit(), Index(1), "one of three is durable");
    leader.persisted(ready.number);
    assert_eq!(leader.commit(), Index(2));
}

#[test]
fn appends_of_one_turn_travel_together() {
    let mut leader = leader_of_three();
    leader.step(RaftMessage { index: 1, ..message(RaftKind::AppendResponse, 2, 1, 1) }).expect("ok");
    settle(&mut leader);
    for _ in 0..10 {
        leader.propose(EntryKind::Batch, Wall(0), Bytes::from_static(b"batch")).expect("it leads");
    }
    let ready = leader.take_ready(ROOM).expect("entries");
    let to_two: Vec<_> = ready.messages.iter().filter(|message| message.to == 2).collect();
    assert_eq!((to_two.len(), to_two[0].entries.len(), to_two[0].index), (1, 10, 1));
}

#[test]
fn a_stalled_disk_neither_campaigns_nor_panics() {
    let mut follower = fresh(1, 3);
    follower.step(append(2, 1, 1, (0, 0), &[1])).expect("an append");
    let ready = follower.take_ready(ROOM).expect("an entry");
    for _ in 0..100 {
        follower.tick();
    }
    assert!(!follower.campaign(), "its entries are unsynced");
    assert_eq!(follower.term(), Term(1));
    let now = message(RaftKind::TimeoutNow, 2, 1, 1);
    assert_eq!(follower.step(now), Err(Refused::Stale));
    follower.persisted(ready.number);
    follower.tick();
    assert!(follower.take_ready(ROOM).is_some_and(|ready| kinds(&ready.messages) == [RaftKind::PreVote; 2]));
}

#[test]
fn a_stalled_disk_keeps_no_endless_line_of_answers() {
    let mut follower = fresh(2, 3);
    follower.step(append(1, 2, 1, (0, 0), &[1])).expect("an append");
    let ready = follower.take_ready(ROOM).expect("an entry");
    for _ in 0..5_000 {
        follower.step(message(RaftKind::Heartbeat, 1, 2, 1)).expect("a heartbeat");
        follower.take_ready(ROOM).expect("an answer");
    }
    assert_eq!(follower.persisted(ready.number).len(), crate::limits::PROMISES_MAX);
}

#[test]
fn a_heartbeat_beyond_the_log_is_refused() {
    let mut follower = with_log(2, 3, &[1, 1], 1);
    let beyond = RaftMessage { commit: 3, ..message(RaftKind::Heartbeat, 1, 2, 1) };
    assert_eq!(follower.step(beyond), Err(Refused::LostTail));
    assert_eq!(follower.commit(), Index(1));
}

#[test]
fn a_second_leader_of_a_term_and_a_contradiction_of_the_committed_are_refused() {
    let mut follower = with_log(2, 3, &[1, 1], 2);
    follower.step(message(RaftKind::Heartbeat, 1, 2, 2)).expect("a leader");
    assert_eq!(follower.step(message(RaftKind::Heartbeat, 3, 2, 2)), Err(Refused::SecondLeader));
    assert_eq!(follower.step(append(1, 2, 2, (1, 1), &[2])), Err(Refused::Diverged));
    assert_eq!(follower.step(append(1, 2, 3, (2, 2), &[])), Err(Refused::Diverged));
    assert_eq!(follower.step(append(1, 2, 2, (1, 1), &[1, 2])), Ok(()));
}

#[test]
fn a_timeout_now_is_honoured_once() {
    let mut follower = with_log(2, 3, &[1], 1);
    follower.step(message(RaftKind::Heartbeat, 1, 2, 1)).expect("a leader");
    let now = message(RaftKind::TimeoutNow, 1, 2, 1);
    assert_eq!(follower.step(message(RaftKind::TimeoutNow, 3, 2, 1)), Err(Refused::SecondLeader));
    follower.step(now.clone()).expect("a transfer");
    assert_eq!(follower.term(), Term(2), "no pre-vote");
    let said = settle(&mut follower);
    let votes: Vec<_> = said.iter().filter(|message| message.kind() == RaftKind::Vote).collect();
    assert!(votes.len() == 2 && votes.iter().all(|vote| vote.transfer), "they break the lease");
    assert_eq!(follower.step(now), Err(Refused::Stale));
}

#[test]
fn a_leader_hands_over_and_drops_proposals_meanwhile() {
    let mut leader = leader_of_three();
    assert!(!leader.transfer(ReplicaId(2)), "it has not answered yet");
    leader.step(RaftMessage { index: 1, ..message(RaftKind::AppendResponse, 2, 1, 1) }).expect("ok");
    settle(&mut leader);
    assert!(leader.transfer(ReplicaId(2)));
    let dropped = leader.propose(EntryKind::Batch, Wall(0), Bytes::from_static(b"batch"));
    assert_eq!(dropped, Err(Dropped::Transferring));
    assert_eq!(kinds(&settle(&mut leader)), [RaftKind::TimeoutNow]);
    for _ in 0..10 {
        leader.tick();
        leader.step(message(RaftKind::HeartbeatResponse, 2, 1, 1)).expect("alive");
    }
    assert!(leader.propose(EntryKind::Batch, Wall(0), Bytes::from_static(b"batch")).is_ok(), "given up");
}

#[test]
fn who_refuses_pre_votes_for_long_asks_for_the_leadership() {
    let mut follower = with_log(2, 3, &[1], 1);
    let timeout = follower.settings.election_ticks_max;
    let mut said = Vec::new();
    for tick in 0..=limits::UNHEARD_ELECTIONS * timeout {
        follower.step(message(RaftKind::Heartbeat, 1, 2, 1)).expect("a leader");
        if tick % timeout == 0 {
            follower.step(message(RaftKind::PreVote, 3, 2, 2)).expect("a voter that does not hear it");
        }
        follower.tick();
        if follower.wants_to_lead() {
            follower.ask_for_leadership();
        }
        said.extend(settle(&mut follower));
    }
    let asked: Vec<_> = said.iter().filter(|message| message.kind() == RaftKind::TransferWanted).collect();
    assert_eq!(asked.iter().map(|wanted| (wanted.from, wanted.to)).collect::<Vec<_>>(), [(2, 1)]);
    let mut leader = leader_of_three();
    let wanted = message(RaftKind::TransferWanted, 2, 1, 1);
    assert_eq!(
        follower.step(message(RaftKind::TransferWanted, 3, 2, 1)),
        Err(Refused::Stale),
        "it leads nobody"
    );
    leader.step(wanted.clone()).expect("a wish");
    assert_eq!(kinds(&settle(&mut leader)), [], "it has not answered yet");
    leader.step(RaftMessage { index: 1, ..message(RaftKind::AppendResponse, 2, 1, 1) }).expect("ok");
    settle(&mut leader);
    for _ in 0..leader.settings.election_ticks_max {
        leader.tick();
        leader.step(message(RaftKind::HeartbeatResponse, 3, 1, 1)).expect("a quorum");
    }
    settle(&mut leader);
    leader.step(wanted).expect("a wish, which says that it is there");
    assert_eq!(kinds(&settle(&mut leader)), [RaftKind::TimeoutNow]);
}

#[test]
fn who_has_everything_may_be_handed_the_leadership_though_it_was_lost_once() {
    let mut leader = leader_of_three();
    leader.step(RaftMessage { index: 1, ..message(RaftKind::AppendResponse, 2, 1, 1) }).expect("ok");
    settle(&mut leader);
    leader.peer_lost(ReplicaId(2));
    leader.step(message(RaftKind::HeartbeatResponse, 2, 1, 1)).expect("here again");
    settle(&mut leader);
    assert!(leader.transfer(ReplicaId(2)), "there is nothing to append that would tell");
}

#[test]
fn on_a_slow_disk_others_are_let_lead() {
    let mut follower = with_log(2, 3, &[1], 1);
    follower.step(message(RaftKind::Heartbeat, 1, 2, 1)).expect("a leader");
    settle(&mut follower);
    follower.set_reluctant(true);
    assert_eq!(follower.step(message(RaftKind::TimeoutNow, 1, 2, 1)), Err(Refused::Stale));
    follower.leader_lost();
    assert!(!follower.campaign(), "another may lead");
    let stands = |follower: &mut Replica, ticks: usize| {
        (0..ticks).any(|_| {
            follower.tick();
            kinds(&settle(follower)).contains(&RaftKind::PreVote)
        })
    };
    assert!(!stands(&mut follower, 60), "three elections of others");
    assert!(stands(&mut follower, 20), "a slow leader is better than none");
}

#[test]
fn a_leader_steps_down_for_others_only_where_they_can_win() {
    let mut leader = leader_of_three();
    assert!(leader.applied_index() < leader.last_index(), "its first entry waits");
    assert!(leader.step_down_for_others());
    assert!(!leader.is_leader() && !leader.step_down_for_others());
    let mut alone = fresh(1, 1);
    alone.campaign();
    settle(&mut alone);
    assert!(alone.is_leader() && !alone.step_down_for_others());
}

#[test]
fn a_lost_leader_ends_the_lease_at_once() {
    let mut follower = with_log(2, 3, &[1], 1);
    follower.step(message(RaftKind::Heartbeat, 1, 2, 1)).expect("a leader");
    settle(&mut follower);
    let vote = RaftMessage { index: 1, log_term: 1, ..message(RaftKind::PreVote, 3, 2, 2) };
    follower.step(vote.clone()).expect("admitted");
    assert_eq!(settle(&mut follower), [], "the lease holds");
    follower.leader_lost();
    follower.step(vote).expect("admitted");
    assert_eq!(kinds(&settle(&mut follower)), [RaftKind::PreVoteResponse]);
}

#[test]
fn a_leader_without_live_peers_steps_down() {
    let mut leader = leader_of_three();
    assert!(!leader.step_down_without_quorum(&[ReplicaId(3)]));
    assert!(leader.step_down_without_quorum(&[ReplicaId(9)]));
    let ready = leader.take_ready(ROOM).expect("a role");
    assert!(ready.role.is_some_and(|role| !role.is_leader && role.leader == ReplicaId::NOBODY));
}

#[test]
fn a_follower_below_the_window_is_told_to_fetch_and_restores() {
    let mut leader = leader_of_three();
    for _ in 0..4 {
        leader.propose(EntryKind::Batch, Wall(8), Bytes::from_static(b"batch")).expect("it leads");
    }
    settle(&mut leader);
    leader.step(RaftMessage { index: 5, ..message(RaftKind::AppendResponse, 2, 1, 1) }).expect("ok");
    settle(&mut leader);
    leader.trim(Index(5));
    leader.step(message(RaftKind::HeartbeatResponse, 3, 1, 1)).expect("alive");
    let mut rejected = message(RaftKind::AppendResponse, 3, 1, 1);
    (rejected.reject, rejected.index) = (true, 0);
    leader.step(rejected).expect("it has nothing");
    assert_eq!((leader.catch_up_wanted(), leader.catch_up_wanted()), (vec![ReplicaId(3)], vec![]));

    let mut behind = fresh(3, 3);
    let at = Stamp { index: Index(5), term: Term(1), wall: Wall(8) };
    let meta = SnapshotMeta { at, members: leader.members().clone() };
    assert_eq!(behind.restore(meta.clone(), ReplicaId(1), Term(1)), Ok(Restored::Reset));
    let ready = behind.take_ready(ROOM).expect("a reset");
    assert_eq!((ready.reset.as_ref(), ready.messages.len()), (Some(&meta), 0));
    assert!(!behind.campaign(), "the reset is unsynced");
    let said = finish(&mut behind, ready);
    assert_eq!((said.len(), said[0].index, said[0].reject), (1, 5, false));
    assert_eq!((behind.applied_index(), behind.first_index()), (Index(5), Index(6)));
    leader.step(said[0].clone()).expect("it is near");
    leader.propose(EntryKind::Batch, Wall(1), Bytes::from_static(b"batch")).expect("it leads");
    let append =
        settle(&mut leader).into_iter().find(|message| message.to == 3 && !message.entries.is_empty());
    behind.step(append.expect("replication goes on")).expect("an append");
    settle(&mut behind);
    assert_eq!(behind.entries(Index(6), Index(7))[0].wall, Wall(8));
}

#[test]
fn a_snapshot_of_the_past_or_of_strangers_is_refused() {
    let mut follower = with_log(2, 3, &[1, 1, 1], 2);
    let members = follower.members().clone();
    let meta = |index, term| SnapshotMeta {
        at: Stamp { index: Index(index), term: Term(term), wall: Wall(0) },
        members: members.clone(),
    };
    let leader = ReplicaId(1);
    assert_eq!(follower.restore(meta(1, 1), leader, Term(1)), Err(Refused::Stale));
    assert_eq!(follower.restore(meta(5, 2), leader, Term(1)), Err(Refused::Term));
    assert_eq!(follower.restore(meta(5, 1), ReplicaId(9), Term(1)), Err(Refused::Sender));
    assert_eq!(follower.restore(meta(3, 1), leader, Term(1)), Ok(Restored::NotNeeded));
    assert_eq!(follower.commit(), Index(3));
    let mut strangers = meta(5, 1);
    strangers.members.voters = vec![ReplicaId(1), ReplicaId(3)];
    assert_eq!(follower.restore(strangers, leader, Term(1)), Err(Refused::Members));
}

#[test]
fn a_conflicting_tail_is_replaced_in_the_window() {
    let mut follower = with_log(2, 3, &[1, 1, 1], 1);
    follower.step(append(1, 2, 2, (1, 1), &[2])).expect("an append");
    let ready = follower.take_ready(ROOM).expect("an entry");
    assert_eq!(ready.entries.iter().map(|entry| entry.index).collect::<Vec<_>>(), [Index(2)]);
    finish(&mut follower, ready);
    assert_eq!(follower.last_index(), Index(2));
    assert_eq!(follower.entries(Index(1), Index(9))[1].term, Term(2));
    assert_eq!(follower.window_bytes(), 2 * (entry(1, 1, "batch").payload.len() + 64));
}

#[test]
fn a_read_waits_for_a_majority_and_an_early_one_is_not_lost_in_silence() {
    let mut leader = leader_of_three();
    assert!(!leader.read_index(ReadContext(1)), "nothing of its term is committed");
    leader.step(RaftMessage { index: 1, ..message(RaftKind::AppendResponse, 2, 1, 1) }).expect("ok");
    settle(&mut leader);
    assert!(leader.read_index(ReadContext(2)));
    let ready = leader.take_ready(ROOM).expect("heartbeats");
    assert!(ready.reads.is_empty() && ready.messages.iter().all(|message| message.read == Some(2)));
    let answer = RaftMessage { read: Some(2), ..message(RaftKind::HeartbeatResponse, 3, 1, 1) };
    leader.step(answer).expect("alive");
    assert_eq!(leader.take_ready(ROOM).expect("a read").reads, [(ReadContext(2), Index(1))]);
}

#[test]
fn a_pre_vote_changes_nothing() {
    let mut voter = with_log(2, 3, &[1], 1);
    voter.step(RaftMessage { index: 1, log_term: 1, ..message(RaftKind::PreVote, 1, 2, 2) }).expect("ok");
    let ready = voter.take_ready(ROOM).expect("an answer");
    assert!(!ready.must_persist);
    assert_eq!(kinds(&ready.messages), [RaftKind::PreVoteResponse], "nothing is owed: it speaks at once");
    assert_eq!(voter.term(), Term(1));
}
