//! Single stories: one thing goes wrong, or right.

use super::super::IN_FLIGHT_MAX;
use super::stage::{Stage, node, refusal, settings, topic};
use crate::machine::error::{Error, code};
use crate::machine::producer::{Event, Settings};
use crate::machine::question::Question;
use crate::machine::record::Record;
use rust_mq_proto::grpc::{self, Acks};
use std::time::Duration;

#[test]
fn a_record_waits_for_its_leader_and_its_number_and_is_settled_with_its_offset() {
    let mut stage = Stage::new(settings());
    let id = stage.record(Record::new("t", "v"));
    stage.act();
    assert!(matches!(stage.asked[0].2, Question::Topics(_)));
    assert_eq!(stage.asked[0].1, "b:1");
    stage.tell_topic(0, &[2]);
    stage.act();
    stage.tell_identity(9);
    stage.act();
    stage.pass(5);
    assert_eq!(stage.opened[0].1, "n:2");
    let sent = stage.sent();
    assert_eq!((sent.request.acks, sent.request.timeout_ms), (Acks::All as i32, 30_000));
    let (author, count) = sent.author();
    assert_eq!((author.id, author.epoch, author.base_sequence, count), (9, 0, 0, 1));
    stage.acknowledge(&sent, 41);
    assert_eq!(stage.offsets(), [(id, Some(41))]);
    assert_eq!(stage.machine.wake_at(stage.now), None, "nothing is left to be done");
}

#[test]
fn records_gather_for_the_linger_and_a_full_batch_does_not_wait() {
    let mut stage = Stage::knowing(settings(), &[1]);
    let small = |stage: &mut Stage| stage.record(Record::new("t", "v").partition(0));
    let ids = [small(&mut stage), small(&mut stage)];
    stage.pass(4);
    assert!(stage.sent.is_empty());
    stage.pass(1);
    let sent = stage.sent();
    assert_eq!((sent.author().0.base_sequence, sent.author().1), (1, 2));
    stage.acknowledge(&sent, 1);
    assert_eq!(stage.offsets(), [(ids[0], Some(1)), (ids[1], Some(2))]);
    stage.record(Record::new("t", vec![0; 990]).partition(0));
    small(&mut stage);
    stage.act();
    assert_eq!(stage.sent().author().1, 1, "the full one, without the one that did not fit");
}

#[test]
fn what_was_sent_over_a_lane_that_broke_is_sent_again_under_the_same_sequence() {
    let mut stage = Stage::knowing(settings(), &[1]);
    let ids = [stage.hurried("a"), stage.hurried("b")];
    let (first, second) = (stage.sent.remove(0), stage.sent.remove(0));
    assert_eq!(first.author().0.base_sequence, 1);
    stage.lose(first.lane, true);
    assert!(stage.sent.is_empty(), "a pause first, and a leader");
    stage.tell_topic(1, &[2]);
    stage.pass(100);
    let again = [stage.sent.remove(0), stage.sent.remove(0)];
    assert_eq!(again[0].batches(), first.batches());
    assert_eq!(again[1].batches(), second.batches());
    assert_ne!(again[0].lane, first.lane);
    stage.acknowledge(&again[0], 7);
    stage.acknowledge(&again[1], 8);
    assert_eq!(stage.offsets(), [(ids[0], Some(7)), (ids[1], Some(8))]);
}

#[test]
fn a_node_that_does_not_lead_says_who_does_and_is_believed() {
    let mut stage = Stage::knowing(settings(), &[1]);
    stage.hurried("a");
    let sent = stage.sent();
    let moved = refusal(code::NOT_LEADER_OR_FOLLOWER, true, true);
    stage.refuse(&sent, &grpc::Error { leader: Some(node(3)), ..moved });
    stage.pass(100);
    let again = stage.sent();
    assert_eq!(again.batches(), sent.batches());
    assert_eq!(stage.opened.last().expect("a lane").1, "n:3");
    assert!(stage.asked.is_empty(), "nobody has to be asked");
}

#[test]
fn what_came_too_early_goes_again_behind_what_it_waited_for() {
    let mut stage = Stage::knowing(settings(), &[1]);
    stage.hurried("a");
    stage.hurried("b");
    let (first, second) = (stage.sent.remove(0), stage.sent.remove(0));
    stage.refuse(&first, &refusal(19, true, false));
    stage.refuse(&second, &refusal(code::OUT_OF_ORDER_SEQUENCE_NUMBER, false, false));
    stage.pass(100);
    let again: Vec<_> = stage.sent.iter().map(|sent| sent.batches()).collect();
    assert_eq!(again, [first.batches(), second.batches()]);
}

#[test]
fn after_a_gap_the_rest_goes_on_under_the_next_epoch() {
    let mut stage = Stage::knowing(settings(), &[1]);
    let (bad, good) = (stage.hurried("bad"), stage.hurried("good"));
    let (first, second) = (stage.sent.remove(0), stage.sent.remove(0));
    stage.refuse(&first, &refusal(10, false, false));
    assert!(matches!(&stage.settled[..], [(id, Err(error))] if *id == bad && error.code() == Some(10)));
    stage.settled.clear();
    let later = stage.hurried("later");
    assert!(stage.sent.is_empty(), "not before the second is back");
    stage.refuse(&second, &refusal(code::OUT_OF_ORDER_SEQUENCE_NUMBER, false, false));
    stage.pass(100);
    let again = [stage.sent.remove(0), stage.sent.remove(0)];
    let authors = again.each_ref().map(|sent| (sent.author().0.epoch, sent.author().0.base_sequence));
    assert_eq!(authors, [(1, 0), (1, 1)]);
    stage.acknowledge(&again[0], 1);
    stage.acknowledge(&again[1], 2);
    assert_eq!(stage.offsets(), [(good, Some(1)), (later, Some(2))]);
}

#[test]
fn what_may_have_been_appended_is_not_sent_again_after_a_gap() {
    let mut stage = Stage::knowing(settings(), &[1]);
    stage.hurried("bad");
    let unsure = stage.hurried("unsure");
    let (first, second) = (stage.sent.remove(0), stage.sent.remove(0));
    stage.refuse(&second, &refusal(7, true, true));
    stage.refuse(&first, &refusal(10, false, false));
    stage.pass(2_000);
    assert!(stage.sent.is_empty());
    let (id, outcome) = stage.settled.pop().expect("two were settled");
    let error = outcome.expect_err("nobody knows");
    assert_eq!((id, error.may_take_effect()), (unsure, true));
    assert!(matches!(error, Error::Unsure { .. }));
}

#[test]
fn a_batch_that_failed_alone_leaves_no_gap() {
    let mut stage = Stage::knowing(settings(), &[1]);
    stage.hurried("bad");
    let sent = stage.sent();
    stage.refuse(&sent, &refusal(10, false, false));
    stage.hurried("good");
    let author = stage.sent().author().0;
    assert_eq!((author.epoch, author.base_sequence), (0, 1));
}

#[test]
fn a_broker_that_has_forgotten_the_producer_gets_a_new_epoch_and_a_fenced_one_a_new_identity() {
    let mut stage = Stage::knowing(settings(), &[1]);
    stage.hurried("a");
    let sent = stage.sent();
    stage.refuse(&sent, &refusal(code::UNKNOWN_PRODUCER_ID, false, false));
    stage.pass(100);
    let sent = stage.sent();
    assert_eq!((sent.author().0.epoch, sent.author().0.base_sequence), (1, 0));
    stage.refuse(&sent, &refusal(code::INVALID_PRODUCER_EPOCH, false, false));
    stage.tell_identity(10);
    stage.pass(200);
    let author = stage.sent().author().0;
    assert_eq!((author.id, author.epoch, author.base_sequence), (10, 0, 0));
}

#[test]
fn the_deadline_tells_what_was_never_sent_from_what_may_be_there() {
    let mut stage = Stage::knowing(settings(), &[1]);
    let flying = stage.hurried("flying");
    let sent = stage.sent();
    stage.pass(20_000);
    stage.lose(sent.lane, true);
    let waiting = stage.record(Record::new("t", "waiting").partition(0));
    // Nobody ever says who leads.
    stage.pass(200_000);
    let told: Vec<(u64, bool)> = stage
        .settled
        .iter()
        .map(|(id, outcome)| (*id, outcome.as_ref().expect_err("too late").may_take_effect()))
        .collect();
    assert_eq!(told, [(flying, true), (waiting, false)]);
    assert!(matches!(&stage.settled[0].1, Err(Error::TimedOut { last: Some(_), .. })));
}

#[test]
fn who_is_silent_for_too_long_is_left() {
    let mut stage = Stage::knowing(settings(), &[1]);
    let id = stage.hurried("a");
    let sent = stage.sent();
    stage.pass(34_999);
    assert!(stage.shut.is_empty());
    stage.pass(1);
    assert_eq!(stage.shut, [sent.lane]);
    stage.tell_topic(1, &[2]);
    stage.pass(100);
    let again = stage.sent();
    assert_eq!(again.batches(), sent.batches());
    // Its late answer is nobody's.
    stage.acknowledge(&sent, 99);
    assert!(stage.settled.is_empty());
    stage.acknowledge(&again, 5);
    assert_eq!(stage.offsets(), [(id, Some(5))]);
}

#[test]
fn an_acknowledgement_is_its_own_partitions() {
    let mut stage = Stage::knowing(settings(), &[1, 1]);
    let one = stage.record(Record::new("t", "one").partition(1));
    let zero = stage.hurried("zero");
    let sent = stage.sent();
    let mut response = grpc::ProduceResponse::default();
    for (partition, base_offset) in [(1, 100), (0, 200)] {
        let part =
            grpc::ProducedPartition { topic: "t".into(), partition, base_offset, ..Default::default() };
        response.partitions.push(part);
    }
    stage.machine.take(stage.now, Event::Produced { lane: sent.lane, ticket: sent.ticket, response });
    stage.act();
    let mut offsets = stage.offsets();
    offsets.sort_unstable();
    assert_eq!(offsets, [(one, Some(100)), (zero, Some(200))]);
}

#[test]
fn a_repetition_of_which_the_place_is_forgotten_is_there_all_the_same() {
    let mut stage = Stage::knowing(settings(), &[1]);
    let id = stage.hurried("a");
    let sent = stage.sent();
    stage.refuse(&sent, &refusal(code::DUPLICATE_SEQUENCE_NUMBER, false, false));
    assert_eq!(stage.offsets(), [(id, None)]);
}

#[test]
fn no_more_than_five_requests_are_unanswered() {
    let mut stage = Stage::knowing(settings(), &[1]);
    for _ in 0..9 {
        stage.hurried("a");
    }
    assert_eq!(stage.sent.len(), IN_FLIGHT_MAX);
    let first = stage.sent.remove(0);
    stage.acknowledge(&first, 1);
    assert_eq!(stage.sent.len(), IN_FLIGHT_MAX);
    assert_eq!(stage.sent.last().expect("five").author().1, 4, "what waited went together");
}

#[test]
fn who_wants_no_answer_is_told_when_it_left_and_what_was_lost_is_not_sent_twice() {
    let plain = Settings { acks: Acks::None, is_idempotent: false, ..settings() };
    let mut stage = Stage::knowing(plain, &[1]);
    let id = stage.hurried("a");
    let sent = stage.sent();
    let response = grpc::ProduceResponse::default();
    stage.machine.take(stage.now, Event::Produced { lane: sent.lane, ticket: sent.ticket, response });
    stage.act();
    assert_eq!(stage.offsets(), [(id, None)]);
    let lost = stage.hurried("b");
    let sent = stage.sent();
    stage.lose(sent.lane, true);
    assert!(matches!(&stage.settled[..], [(id, Err(Error::Unsure { .. }))] if *id == lost));
}

#[test]
fn a_topic_that_is_not_there_is_asked_for_until_the_deadline_and_a_bad_name_is_not() {
    let mut stage = Stage::new(settings());
    stage.record(Record::new("t", "v"));
    stage.act();
    let mut asked = 0;
    while stage.settled.is_empty() {
        if !stage.asked.is_empty() {
            asked += 1;
            let (ticket, ..) = stage.question();
            let gone = grpc::Topic {
                name: "t".into(),
                error: Some(refusal(code::UNKNOWN_TOPIC_OR_PARTITION, true, false)),
                ..Default::default()
            };
            let answer = Ok(grpc::GetTopicMetadataResponse { topics: vec![gone], ..topic(0, &[]) }.into());
            stage.machine.take(stage.now, Event::Answered { ticket, answer });
        }
        stage.pass(500);
    }
    assert!((60..200).contains(&asked), "about once a second in two minutes: {asked}");
    let error = stage.settled[0].1.as_ref().expect_err("it never came");
    assert_eq!((error.code(), error.may_take_effect()), (Some(3), false));

    stage.settled.clear();
    stage.asked.clear();
    let mut stage = Stage::new(settings());
    stage.record(Record::new("t", "v"));
    stage.act();
    let (ticket, ..) = stage.question();
    let bad = grpc::Topic { name: "t".into(), error: Some(refusal(17, false, false)), ..Default::default() };
    let answer = Ok(grpc::GetTopicMetadataResponse { topics: vec![bad], ..topic(0, &[]) }.into());
    stage.machine.take(stage.now, Event::Answered { ticket, answer });
    stage.act();
    assert_eq!(stage.settled[0].1.as_ref().expect_err("never").code(), Some(17));
}

#[test]
fn a_partition_that_there_is_not_is_refused_and_keys_go_where_kafka_puts_them() {
    let mut stage = Stage::knowing(settings(), &[1; 10]);
    stage.record(Record::new("t", "v").partition(10));
    stage.act();
    assert!(matches!(&stage.settled[0].1, Err(Error::Unusable { .. })));
    stage.record(Record::new("t", "v").key("foobar"));
    stage.pass(5);
    assert_eq!(stage.sent().batches()[0].0, 6);
}

#[test]
fn records_without_a_key_fill_a_batch_and_then_go_elsewhere() {
    let mut stage = Stage::knowing(settings(), &[1; 4]);
    let mut used = Vec::new();
    for _ in 0..40 {
        for _ in 0..3 {
            stage.record(Record::new("t", "v"));
        }
        stage.pass(5);
        let sent = stage.sent();
        assert_eq!(sent.author().1, 3, "three together");
        used.push(sent.batches()[0].0);
        stage.acknowledge(&sent, 0);
    }
    assert!(used.windows(2).all(|two| two[0] != two[1]), "{used:?}");
    assert!((0..4).all(|partition| used.contains(&partition)), "{used:?}");
}

#[test]
fn leaders_are_asked_for_again_after_a_while_and_new_partitions_are_used() {
    let mut stage = Stage::knowing(settings(), &[1]);
    stage.now = stage.now.after(Duration::from_secs(300));
    stage.act();
    stage.tell_topic(0, &[1, 1]);
    stage.record(Record::new("t", "v").partition(1));
    stage.pass(5);
    assert_eq!(stage.sent().batches()[0].0, 1);
}

#[test]
fn only_a_topic_that_nobody_knows_is_made_and_others_that_were_deleted_are_not() {
    let mut stage = Stage::knowing(settings(), &[1]);
    stage.record(Record::new("new", "v"));
    stage.act();
    let asked = |stage: &mut Stage| match stage.question() {
        (_, _, Question::Topics(asked)) => (asked.topics, asked.allow_auto_topic_creation),
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(&mut stage), (vec!["new".to_owned()], true));
    let mut stage = Stage::knowing(settings(), &[1]);
    stage.now = stage.now.after(Duration::from_secs(300));
    stage.act();
    assert_eq!(asked(&mut stage), (vec!["t".to_owned()], false));
}
