//! Stories of groups: who gets what, what is committed, and when a membership ends.

use super::super::{Action, Event, Goal, Settings};
use super::stage::{Stage, batch, is_beat, is_commit, is_fetch, is_join, node, place, refused, settings};
use crate::machine::error::{Error, code};
use crate::machine::question::Question;
use rust_mq_proto::grpc;

fn found(offset: i64) -> grpc::ListOffsetsResponse {
    let one = grpc::FoundOffset { topic: "t".into(), partition: 0, offset, ..Default::default() };
    grpc::ListOffsetsResponse { offsets: vec![one] }
}

/// A member with one partition of which two records have come, from offset 10 on.
fn with_two() -> Stage {
    let mut stage = Stage::member(settings(Some("g")), &[10]);
    stage.answer_fetch(&[(0, batch(10, &["a", "b"]), 12)]);
    stage
}

#[test]
fn a_member_shares_out_and_goes_on_where_the_group_has_come() {
    let stage = Stage::member(settings(Some("g")), &[10, 20]);
    assert_eq!(stage.told, [Action::Assigned(vec![place(0), place(1)])]);
    let fetch = stage.asked.iter().find(|asked| is_fetch(&asked.question)).expect("it is asked for");
    let Question::Fetch(fetch) = &fetch.question else { panic!("it is one") };
    let offsets: Vec<i64> = fetch.partitions.iter().map(|part| part.offset).collect();
    assert_eq!(offsets, [10, 20]);
}

#[test]
fn where_nothing_is_committed_the_settings_say() {
    let mut stage = Stage::member(settings(Some("g")), &[-1]);
    stage.answer(|question| matches!(question, Question::Offsets(_)), Ok(found(5).into()));
    assert_eq!(stage.machine.position(&place(0)), Some(5));
    let strict = Settings { reset: None, ..settings(Some("g")) };
    let mut stage = Stage::member(strict, &[-1]);
    assert!(matches!(stage.machine.hand_out(stage.now), Err(Error::Unusable { .. })));
}

#[test]
fn only_what_was_dealt_with_is_committed_by_time() {
    let mut stage = with_two();
    assert_eq!(stage.next().map(|message| message.offset), Some(10));
    stage.pass(6_000);
    assert!(!stage.is_asked(is_commit), "the application has it still");
    assert_eq!(stage.next().map(|message| message.offset), Some(11));
    stage.pass(6_000);
    assert_eq!(stage.answer_commit(), [(0, 11)]);
    stage.pass(6_000);
    assert!(!stage.is_asked(is_commit), "nothing new");
    assert_eq!(stage.next(), None);
    stage.pass(6_000);
    assert_eq!(stage.answer_commit(), [(0, 12)]);
}

#[test]
fn a_commit_by_hand_covers_what_was_handed_out_and_is_told() {
    let mut stage = with_two();
    stage.next();
    stage.tell(Event::Commit { id: 7, offsets: None });
    assert_eq!(stage.answer_commit(), [(0, 11)]);
    assert!(stage.told.contains(&Action::Committed { id: 7, outcome: Ok(()) }));
    stage.tell(Event::Commit { id: 8, offsets: None });
    assert!(stage.told.contains(&Action::Committed { id: 8, outcome: Ok(()) }), "there was nothing to do");
    stage.tell(Event::Commit { id: 9, offsets: Some(vec![(place(0), 3)]) });
    assert_eq!(stage.answer_commit(), [(0, 3)]);
}

#[test]
fn a_commit_follows_its_coordinator_and_is_tried_until_its_time_is_up() {
    let mut stage = with_two();
    stage.next();
    stage.tell(Event::Commit { id: 7, offsets: None });
    let moved = grpc::Error {
        code: code::NOT_COORDINATOR,
        is_retriable: true,
        leader: Some(node(2)),
        ..Default::default()
    };
    stage.answer(is_commit, Err(Error::refused("n:3", Some(moved)).expect_err("it is one")));
    stage.pass(100);
    let asked = stage.take(is_commit);
    assert_eq!(asked.address, "n:2");
    let answer = Err(refused(15, true));
    stage.tell(Event::Answered { ticket: asked.ticket, answer });
    stage.pass(70_000);
    let outcome = stage.told.iter().find_map(|told| match told {
        Action::Committed { id: 7, outcome } => Some(outcome.clone()),
        _ => None,
    });
    assert!(matches!(outcome, Some(Err(Error::TimedOut { .. }))), "{outcome:?}");
}

#[test]
fn before_it_joins_again_what_was_dealt_with_is_committed_and_nothing_is_handed_out() {
    let mut stage = with_two();
    stage.next();
    stage.next();
    stage.told.clear();
    stage.pass(3_000);
    stage.answer(is_beat, Err(refused(code::REBALANCE_IN_PROGRESS, true)));
    assert_eq!(stage.told, [Action::Revoked(vec![place(0)])]);
    assert!(!stage.is_asked(is_join), "the commit comes first");
    assert_eq!(stage.next(), None);
    assert_eq!(stage.answer_commit(), [(0, 11)], "the second was handed out, and not dealt with");
    assert!(stage.is_asked(is_join));
    stage.answer_join(2);
    stage.answer_sync();
    stage.answer_committed(&[11]);
    stage.answer_fetch(&[]);
    stage.answer_fetch(&[(0, batch(11, &["b"]), 12)]);
    assert_eq!(stage.all(), ["0:11=b"], "again, for nobody has dealt with it");
}

#[test]
fn a_callback_may_commit_before_the_partitions_go() {
    let by_hand = Settings { commits_every: None, ..settings(Some("g")) };
    let mut stage = Stage::member(by_hand, &[10]);
    stage.answer_fetch(&[(0, batch(10, &["a", "b"]), 12)]);
    stage.next();
    stage.pass(3_000);
    let beat = stage.take(is_beat);
    let answer = Err(refused(code::REBALANCE_IN_PROGRESS, true));
    stage.machine.take(stage.now, Event::Answered { ticket: beat.ticket, answer });
    let mut actions = Vec::new();
    stage.machine.act(stage.now, &mut actions);
    assert!(actions.contains(&Action::Revoked(vec![place(0)])));
    stage.tell(Event::Commit { id: 1, offsets: Some(vec![(place(0), 11)]) });
    assert!(!stage.is_asked(is_join));
    assert_eq!(stage.answer_commit(), [(0, 11)]);
    assert!(stage.is_asked(is_join));
}

#[test]
fn a_commit_of_an_older_generation_is_refused_and_what_was_its_own_is_lost() {
    let mut stage = with_two();
    stage.next();
    stage.tell(Event::Commit { id: 7, offsets: None });
    let error = refused(code::ILLEGAL_GENERATION, false);
    stage.told.clear();
    stage.answer(is_commit, Err(error.clone()));
    assert!(stage.told.contains(&Action::Lost(vec![place(0)])), "{:?}", stage.told);
    assert!(stage.told.contains(&Action::Committed { id: 7, outcome: Err(error) }));
    assert_eq!(stage.next(), None);
    assert!(stage.is_asked(is_join));
}

#[test]
fn who_is_not_heard_for_a_session_has_lost_its_partitions() {
    let mut stage = with_two();
    stage.told.clear();
    let gone = Error::Unreachable { node: "n:3".into(), why: "gone".into(), was_sent: true };
    for _ in 0..100 {
        stage.pass(1_000);
        if stage.is_asked(is_beat) {
            stage.answer(is_beat, Err(gone.clone()));
        }
        if stage.is_asked(|question| matches!(question, Question::Coordinator(_))) {
            let found = grpc::FindCoordinatorResponse { coordinator: Some(node(3)) };
            stage.answer(|question| matches!(question, Question::Coordinator(_)), Ok(found.into()));
        }
    }
    assert_eq!(stage.told.first(), Some(&Action::Lost(vec![place(0)])));
    assert_eq!(stage.next(), None);
}

#[test]
fn an_unknown_member_joins_as_a_new_one() {
    let mut stage = with_two();
    stage.pass(3_000);
    stage.answer(is_beat, Err(refused(code::UNKNOWN_MEMBER_ID, false)));
    let asked = stage.take(is_join);
    assert!(matches!(asked.question, Question::Join(join) if join.member_id.is_empty()));
}

#[test]
fn an_application_that_takes_nothing_for_too_long_leaves_and_comes_back() {
    let mut stage = with_two();
    stage.next();
    for _ in 0..301 {
        stage.pass(1_000);
        if stage.is_asked(is_beat) {
            stage.answer(is_beat, Ok(grpc::HeartbeatResponse {}.into()));
        }
    }
    assert!(stage.told.contains(&Action::Revoked(vec![place(0)])));
    let is_leave = |question: &Question| matches!(question, Question::Leave(_));
    stage.answer(is_leave, Ok(grpc::LeaveGroupResponse::default().into()));
    stage.pass(10_000);
    assert!(!stage.is_asked(is_join));
    assert_eq!(stage.next(), None);
    assert!(stage.is_asked(is_join));
}

#[test]
fn closing_commits_leaves_and_then_says_so() {
    let mut stage = with_two();
    stage.next();
    stage.tell(Event::Close);
    assert_eq!(stage.answer_commit(), [(0, 11)], "who closes has dealt with what it has");
    let is_leave = |question: &Question| matches!(question, Question::Leave(_));
    assert!(!stage.told.contains(&Action::Closed));
    stage.answer(is_leave, Ok(grpc::LeaveGroupResponse::default().into()));
    assert!(stage.told.contains(&Action::Closed));
    assert!(!stage.is_asked(is_join));
}

#[test]
fn who_shares_with_nobody_commits_at_its_close_too() {
    let mut stage = Stage::new(settings(Some("g")));
    stage.tell(Event::Assign(vec![(place(0), Some(Goal::Offset(10)))]));
    stage.answer_topics(0, &[1]);
    let found = grpc::FindCoordinatorResponse { coordinator: Some(node(3)) };
    stage.answer_fetch(&[(0, batch(10, &["a"]), 11)]);
    stage.next();
    stage.tell(Event::Close);
    assert!(!stage.told.contains(&Action::Closed));
    stage.answer(|question| matches!(question, Question::Coordinator(_)), Ok(found.into()));
    assert_eq!(stage.answer_commit(), [(0, 11)]);
    assert!(stage.told.contains(&Action::Closed));
}

/// One that has joined alone, and asks for what it has shared out to itself.
fn leading() -> Stage {
    let mut stage = Stage::new(settings(Some("g")));
    stage.tell(Event::Subscribe(vec!["t".into()]));
    let found = grpc::FindCoordinatorResponse { coordinator: Some(node(3)) };
    stage.answer(|question| matches!(question, Question::Coordinator(_)), Ok(found.into()));
    stage.answer_join(1);
    stage.answer_topics(0, &[1]);
    stage
}

#[test]
fn what_is_given_and_taken_at_once_is_told_in_that_order() {
    let mut stage = leading();
    let sync = stage.take(|question| matches!(question, Question::Sync(_)));
    let Question::Sync(asked) = &sync.question else { panic!("{sync:?}") };
    let assignment = asked.assignments[0].assignment.clone();
    let answer = grpc::SyncGroupResponse { assignment, ..Default::default() };
    // Both before the machine has a turn.
    let event = Event::Answered { ticket: sync.ticket, answer: Ok(answer.into()) };
    stage.machine.take(stage.now, event);
    stage.tell(Event::Close);
    let given = vec![place(0)];
    assert_eq!(stage.told[..2], [Action::Assigned(given.clone()), Action::Revoked(given)]);
}

#[test]
fn a_generation_that_is_over_before_its_sync_is_no_error() {
    let mut stage = leading();
    let is_sync = |question: &Question| matches!(question, Question::Sync(_));
    stage.answer(is_sync, Err(refused(code::ILLEGAL_GENERATION, false)));
    assert_eq!(stage.next(), None, "nothing stands in the way");
    stage.pass(1_000);
    assert!(stage.is_asked(is_join), "it joins the next one");
}
