//! Stories of reading: from where, what, and how much ahead.

use super::super::{Event, Goal, Settings};
use super::stage::{Stage, batch, is_fetch, node, place, refused, settings};
use crate::machine::error::{Error, code};
use crate::machine::mutant::Mutant;
use crate::machine::question::Question;
use rust_mq_proto::grpc::{self, RecordFormat};

/// From where each partition of the only fetch that is asked for is read.
#[track_caller]
fn offsets(stage: &Stage) -> Vec<(i32, i64)> {
    let fetch = stage.asked.iter().find_map(|asked| match &asked.question {
        Question::Fetch(fetch) => Some(fetch),
        _ => None,
    });
    let fetch = fetch.unwrap_or_else(|| panic!("no fetch: {:?}", stage.asked));
    fetch.partitions.iter().map(|part| (part.partition, part.offset)).collect()
}

#[test]
fn records_are_fetched_from_where_it_is_said_and_handed_out_in_order() {
    let mut stage = Stage::assigned(settings(None), &[4, 0]);
    assert_eq!(offsets(&stage), [(0, 4), (1, 0)]);
    // The first batch begins before the offset that was asked for.
    stage.answer_fetch(&[(0, batch(3, &["x", "a", "b"]), 6), (1, batch(0, &["c"]), 1)]);
    assert_eq!(offsets(&stage), [(0, 6), (1, 1)], "ahead of the application");
    assert_eq!(stage.all(), ["0:4=a", "0:5=b", "1:0=c"]);
    assert_eq!(stage.machine.position(&place(0)), Some(6));
    stage.answer_fetch(&[(0, batch(6, &["d"]), 7)]);
    assert_eq!(stage.all(), ["0:6=d"]);
}

#[test]
fn what_compaction_and_markers_left_out_is_passed_over() {
    let mut stage = Stage::assigned(settings(None), &[0]);
    stage.answer_fetch(&[(0, bytes::Bytes::new(), 9)]);
    assert_eq!(stage.all(), Vec::<String>::new());
    assert_eq!(stage.machine.position(&place(0)), Some(9));
    assert_eq!(offsets(&stage), [(0, 9)]);
}

fn seeks(mutant: Option<Mutant>) {
    let mut stage = Stage::assigned(Settings { mutant, ..settings(None) }, &[0]);
    stage.answer_fetch(&[(0, batch(0, &["a", "b"]), 2)]);
    assert_eq!(stage.next().map(|message| message.offset), Some(0));
    stage.tell(Event::Seek(place(0), Goal::Offset(100)));
    // The answer to the fetch from 2, which was on its way.
    stage.answer_fetch(&[(0, batch(2, &["late"]), 3)]);
    assert_eq!(stage.all(), Vec::<String>::new());
    stage.answer_fetch(&[(0, batch(100, &["c"]), 101)]);
    assert_eq!(stage.all(), ["0:100=c"]);
    stage.tell(Event::Seek(place(0), Goal::Offset(50)));
    // The answer to the fetch from 101.
    stage.answer_fetch(&[(0, batch(101, &["late"]), 102)]);
    assert_eq!(stage.all(), Vec::<String>::new());
}

#[test]
fn a_seek_drops_what_has_come_and_what_is_on_its_way() {
    seeks(None);
}

#[test]
fn a_mutant_that_takes_late_answers_is_caught() {
    assert!(std::panic::catch_unwind(|| seeks(Some(Mutant::LateAnswerTaken))).is_err());
}

#[test]
fn a_time_is_looked_up_and_one_beyond_all_records_is_the_end() {
    let mut stage = Stage::assigned(settings(None), &[0]);
    stage.tell(Event::Seek(place(0), Goal::Time(5_000)));
    let found = |offset| {
        let one = grpc::FoundOffset { topic: "t".into(), partition: 0, offset, ..Default::default() };
        Ok(grpc::ListOffsetsResponse { offsets: vec![one] }.into())
    };
    let is_time = |question: &Question| match question {
        Question::Offsets(asked) => asked.queries[0].at == Some(grpc::offset_query::At::TimestampMs(5_000)),
        _ => false,
    };
    stage.answer(is_time, found(-1));
    stage.answer(|question| matches!(question, Question::Offsets(_)), found(42));
    assert_eq!(stage.machine.position(&place(0)), Some(42));
}

#[test]
fn an_offset_that_is_gone_is_reset_as_the_settings_say() {
    let gone = refused(code::OFFSET_OUT_OF_RANGE, false);
    let mut stage = Stage::assigned(settings(None), &[7]);
    stage.answer(is_fetch, Err(gone.clone()));
    assert!(stage.is_asked(|question| matches!(question, Question::Offsets(_))));
    let strict = Settings { reset: None, ..settings(None) };
    let mut stage = Stage::assigned(strict, &[7]);
    stage.answer(is_fetch, Err(gone.clone()));
    assert_eq!(stage.machine.hand_out(stage.now), Err(gone));
    assert!(!stage.is_asked(is_fetch), "until somebody seeks");
    stage.tell(Event::Seek(place(0), Goal::Offset(3)));
    assert_eq!(offsets(&stage), [(0, 3)]);
}

#[test]
fn a_leader_that_moved_is_followed() {
    let mut stage = Stage::assigned(settings(None), &[0]);
    let moved = grpc::Error {
        code: code::NOT_LEADER_OR_FOLLOWER,
        is_retriable: true,
        leader: Some(node(2)),
        ..Default::default()
    };
    let moved = Error::refused("n:1", Some(moved)).expect_err("it is one");
    stage.answer(is_fetch, Err(moved));
    assert!(!stage.is_asked(is_fetch), "a pause first");
    stage.pass(100);
    let asked = stage.take(is_fetch);
    assert_eq!(asked.address, "n:2");
}

#[test]
fn a_node_that_cannot_be_reached_is_asked_no_more_and_who_leads_is() {
    let mut stage = Stage::assigned(settings(None), &[0]);
    let gone = Error::Unreachable { node: "n:1".into(), why: "gone".into(), was_sent: true };
    stage.answer(is_fetch, Err(gone));
    stage.pass(200);
    assert!(!stage.is_asked(is_fetch));
    stage.answer_topics(1, &[2]);
    stage.pass(100);
    assert_eq!(stage.take(is_fetch).address, "n:2");
}

#[test]
fn what_is_paused_is_neither_fetched_nor_handed_out() {
    let mut stage = Stage::assigned(settings(None), &[0, 0]);
    stage.answer_fetch(&[(0, batch(0, &["a"]), 1), (1, batch(0, &["b"]), 1)]);
    stage.tell(Event::Pause(vec![place(0)]));
    assert_eq!(stage.all(), ["1:0=b"]);
    stage.answer_fetch(&[]);
    assert_eq!(offsets(&stage), [(1, 1)]);
    stage.tell(Event::Resume(vec![place(0)]));
    assert_eq!(stage.all(), ["0:0=a"]);
    assert_eq!(stage.asked.len(), 2, "and it is fetched beside the other, which waits: {:?}", stage.asked);
}

#[test]
fn no_more_is_fetched_ahead_than_may_wait() {
    let mut stage = Stage::assigned(settings(None), &[0, 0]);
    let large = "x".repeat(60 << 10);
    stage.answer_fetch(&[(0, batch(0, &[&large]), 1)]);
    assert_eq!(offsets(&stage), [(1, 0)], "the other one is full");
    stage.answer_fetch(&[(1, batch(0, &[&large]), 1)]);
    assert!(!stage.is_asked(is_fetch));
    assert_eq!(stage.next().map(|message| message.offset), Some(0));
    assert!(stage.is_asked(is_fetch), "there is room again");
}

#[test]
fn a_batch_of_each_partition_is_handed_out_in_turn() {
    let mut stage = Stage::assigned(settings(None), &[0, 0]);
    let two = [batch(0, &["a", "b"]), batch(2, &["c"])].concat();
    stage.answer_fetch(&[(0, two.into(), 3), (1, batch(0, &["x"]), 1)]);
    assert_eq!(stage.all(), ["0:0=a", "0:1=b", "1:0=x", "0:2=c"]);
}

#[test]
fn a_batch_that_cannot_be_read_is_told_and_stops_its_partition() {
    let mut stage = Stage::assigned(settings(None), &[0]);
    let mut rotten = batch(0, &["a"]).to_vec();
    *rotten.last_mut().expect("it has bytes") ^= 1;
    stage.answer_fetch(&[(0, rotten.into(), 1)]);
    assert!(matches!(stage.machine.hand_out(stage.now), Err(Error::Unreadable { .. })));
    stage.act();
    assert_eq!(stage.all(), Vec::<String>::new());
    let asked = stage.take(is_fetch);
    assert!(matches!(asked.question, Question::Fetch(fetch) if fetch.format == RecordFormat::Batches as i32));
    assert!(!stage.is_asked(is_fetch), "it is not read on");
}

/// The partitions of each fetch that is not answered.
fn fetched(stage: &Stage) -> Vec<Vec<i32>> {
    let fetches = stage.asked.iter().filter_map(|asked| match &asked.question {
        Question::Fetch(fetch) => Some(fetch.partitions.iter().map(|part| part.partition).collect()),
        _ => None,
    });
    fetches.collect()
}

#[test]
fn who_is_known_to_have_more_waits_behind_nobody() {
    for (more, expected) in [(0, vec![vec![2], vec![0]]), (9, vec![vec![2], vec![0], vec![1]])] {
        let slim = Settings { partition_bytes: 100, ..settings(None) };
        let mut stage = Stage::assigned(slim, &[0, 0, 0]);
        stage.more = more;
        let full = || batch(0, &["as long as what may wait of one partition, so that no more is asked for"]);
        stage.answer_fetch(&[(0, full(), 1)]);
        assert_eq!(fetched(&stage), [[1, 2]], "what has come of 0 waits to be handed out");
        stage.answer_fetch(&[(1, full(), 1)]);
        assert_eq!(stage.all().len(), 2);
        assert_eq!(fetched(&stage), expected);
    }
}
