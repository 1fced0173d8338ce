//! What is accepted can be written, sent and read back: for every sequence of requests, each as large and as odd as it
//! may be, and whatever room there is.

use super::*;
use crate::config::GroupSettings;
use crate::limits::{
    COMMANDS_BYTES_MAX, CONFIG_VALUE_BYTES_MAX, CREATE_PARTITIONS_MAX, FRAME_BYTES_MAX, GATHERED_BYTES_MAX,
    PARTITIONS_MAX, PEER_MESSAGE_BYTES_MAX, READY_ITEM_BYTES, STATE_BYTES_MAX,
};
use crate::link::Address;
use crate::machine::{Answer, Room};
use crate::now::Now;
use crate::rng::Rng;
use crate::settings::{self, Table};
use proptest::prelude::*;
use rust_mq_proto::kafka::ErrorCode;

/// What a node with frames of the usual size has.
const WHOLE: Room = Room {
    node: NodeId(1),
    commands_bytes_max: COMMANDS_BYTES_MAX,
    partitions_max: PARTITIONS_MAX,
    state_bytes_max: STATE_BYTES_MAX,
    groups: GroupSettings::DEFAULT,
};
/// What one with frames of 16 KiB has.
const SMALL: Room = Room { commands_bytes_max: 12_000, state_bytes_max: 14_000, ..WHOLE };

/// A cluster of three and its metadata leader.
struct Cluster {
    state: Metadata,
    rng: Rng,
    room: Room,
}

impl Cluster {
    fn new(room: Room) -> Cluster {
        let member = |id: i32| {
            let replica = ReplicaId(u64::from(id.unsigned_abs()));
            Founder { node: NodeId(id), replica, disk: DiskId::default() }
        };
        let founders: Vec<Founder> = (1..=3).map(member).collect();
        let state = Metadata::founded(ClusterId::default(), Levels::BUILD.newest, &founders);
        Cluster { state, rng: Rng::stream(1, "metadata"), room }
    }

    /// Asks as another node does, and holds all that comes of it to the law.
    fn ask(&mut self, request: Request) -> Reply {
        if let Some(refusal) = request.excess() {
            return Reply::Refused(refusal);
        }
        let sent = request.encode(self.state.level());
        assert!(sent.len() + 100 <= PEER_MESSAGE_BYTES_MAX, "the request is {} bytes", sent.len());
        let request = Request::decode(&sent).expect("what may be asked can be read");
        let (now, rng, room) = (Now::default(), &mut self.rng, self.room);
        let mut context = Context { now, rng, image: &(), room, level: self.state.level(), mutant: None };
        let decision = self.state.decide(&mut (), &mut context, Waiter(1), request);
        let [Answer { reply, .. }] = &decision.answers[..] else { panic!("every request is answered once") };
        let told = reply.encode(self.state.level());
        assert!(told.len() + 100 <= PEER_MESSAGE_BYTES_MAX, "the answer is {} bytes", told.len());
        assert_eq!(Reply::decode(&told).as_ref(), Ok(reply));
        self.apply(&decision.commands);
        reply.clone()
    }

    fn apply(&mut self, commands: &[Command]) {
        if commands.is_empty() {
            return;
        }
        let payload = Metadata::encode_commands(commands, self.state.level());
        assert!(payload.len() <= self.room.commands_bytes_max, "{} bytes are proposed", payload.len());
        let replayed =
            Metadata::decode_commands(&payload, Levels::READABLE).expect("what is proposed can be replayed");
        assert_eq!(replayed, commands);
        for command in &replayed {
            self.state.apply(Stamp::default(), command);
        }
        let state = self.encoded();
        assert!(state.len() + 8 <= self.room.state_bytes_max, "the state is {} bytes", state.len());
        let counted = self.state.bytes();
        assert!(
            counted < state.len() && state.len() <= counted + 120,
            "{counted} of {} counted",
            state.len()
        );
        assert_eq!(
            Metadata::decode(&state, Levels::READABLE).as_ref(),
            Ok(&self.state),
            "a checkpoint is read back"
        );
    }

    fn encoded(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        self.state.encode(&mut bytes);
        bytes.freeze()
    }

    fn create(&mut self, topics: Vec<NewTopic>) -> Vec<ErrorCode> {
        match self.ask(Request::CreateTopics { topics, validate_only: false }) {
            Reply::CreateTopics(results) => results
                .iter()
                .map(|(_, result)| result.as_ref().err().map_or(ErrorCode::None, |no| no.code))
                .collect(),
            Reply::Refused(refusal) => vec![refusal.code],
            other => panic!("{other:?} answers no CreateTopics"),
        }
    }
}

fn plain(name: String) -> NewTopic {
    NewTopic { name, partitions: 1, replication_factor: 1, assignments: Vec::new(), configs: Vec::new() }
}

fn set(name: &str, value: String) -> (String, Option<String>) {
    (name.into(), Some(value))
}

/// A number of 250 digits for every setting that takes it.
fn long_numbers() -> Vec<(String, Option<String>)> {
    let number = format!("{:0>250}", 2_000_000);
    let all = Table::Topic.all().into_iter().map(|(name, _)| set(name, number.clone()));
    let level = Levels::BUILD.newest;
    all.filter(|setting| settings::check_new(std::slice::from_ref(setting), level).is_ok()).collect()
}

#[test]
fn a_frame_and_a_message_hold_the_largest_state() {
    const { assert!(STATE_BYTES_MAX + 8 * READY_ITEM_BYTES <= FRAME_BYTES_MAX) };
    const { assert!(STATE_BYTES_MAX + 8 * READY_ITEM_BYTES <= PEER_MESSAGE_BYTES_MAX) };
}

#[test]
fn every_partition_of_the_cluster_can_have_a_topic_of_its_own_with_the_longest_name() {
    let mut cluster = Cluster::new(WHOLE);
    for round in 0..PARTITIONS_MAX / CREATE_PARTITIONS_MAX {
        let names = (0..CREATE_PARTITIONS_MAX).map(|number| format!("{:0>249}", round * 100_000 + number));
        let topics = names.map(|name| NewTopic { replication_factor: 3, ..plain(name) }).collect();
        assert!(cluster.create(topics).iter().all(|code| *code == ErrorCode::None));
    }
    assert_eq!(cluster.create(vec![plain("more".into())]), [ErrorCode::PolicyViolation]);
}

#[test]
fn long_settings_are_taken_until_the_state_is_full_and_again_when_topics_went() {
    let mut cluster = Cluster::new(WHOLE);
    let batch = |round: usize| {
        let names = (0..500).map(|number| format!("{round}-{number}"));
        names.map(|name| NewTopic { configs: long_numbers(), ..plain(name) }).collect::<Vec<_>>()
    };
    let full = (0..20).find(|round| cluster.create(batch(*round)).contains(&ErrorCode::PolicyViolation));
    let full = full.expect("20 * 500 * 4 KiB are more than a state may be");
    assert!(full > 2 && cluster.encoded().len() > STATE_BYTES_MAX - 16_000, "it was full in round {full}");
    let topics = (0..500).map(|number| TopicRef::Name(format!("0-{number}"))).collect();
    cluster.ask(Request::DeleteTopics { topics });
    let taken = cluster.create(batch(9)).iter().filter(|code| **code == ErrorCode::None).count();
    // What a topic adds is counted from above, so that not quite as many are let in as went.
    assert!((490..=501).contains(&taken), "{taken} were taken");
}

#[test]
fn the_longest_values_fill_one_request_and_the_rest_is_refused_for_good() {
    let mut cluster = Cluster::new(WHOLE);
    let pairs = "1:2,".repeat(CONFIG_VALUE_BYTES_MAX / 4);
    let throttled = ["follower.replication.throttled.replicas", "leader.replication.throttled.replicas"];
    let large = |name: String| {
        let configs = throttled.iter().map(|setting| set(setting, pairs.clone())).collect();
        NewTopic { configs, ..plain(name) }
    };
    let codes = cluster.create((0..100).map(|number| large(format!("t{number}"))).collect());
    let taken = codes.iter().filter(|code| **code == ErrorCode::None).count();
    assert_eq!(taken, COMMANDS_BYTES_MAX / (2 * (CONFIG_VALUE_BYTES_MAX - 3)) - 1);
    assert!(codes[taken..].iter().all(|code| *code == ErrorCode::PolicyViolation));
    let huge = NewTopic { configs: vec![set(throttled[0], pairs.repeat(300))], ..plain("huge".into()) };
    assert_eq!(cluster.create(vec![huge]), [ErrorCode::PolicyViolation], "more than one request may hold");
    let long = NewTopic { configs: vec![set(throttled[0], pairs.repeat(2))], ..plain("long".into()) };
    assert_eq!(cluster.create(vec![long]), [ErrorCode::InvalidConfig]);
}

#[test]
fn lists_of_many_small_elements_are_refused_before_they_travel() {
    let mut cluster = Cluster::new(WHOLE);
    let many = |count: usize| (0..count).map(|number| plain(format!("{number}"))).collect();
    assert_eq!(cluster.create(many(CREATE_PARTITIONS_MAX + 1)), [ErrorCode::PolicyViolation]);
    let assignments = vec![(0, Vec::new()); 2_000_000];
    let assigned = NewTopic { assignments, ..plain("assigned".into()) };
    assert_eq!(cluster.create(vec![assigned]), [ErrorCode::PolicyViolation]);
    let nulls = NewTopic { configs: vec![(String::new(), None); 2_000_000], ..plain("nulls".into()) };
    assert_eq!(cluster.create(vec![nulls]), [ErrorCode::PolicyViolation]);
    let topics = vec![TopicRef::Name(String::new()); 2_000_000];
    assert!(matches!(cluster.ask(Request::DeleteTopics { topics }), Reply::Refused(_)));
}

fn registered(oldest: u32, newest: u32) -> Registered {
    let levels = Levels { oldest: Level(oldest), newest: Level(newest) };
    let at = |port| Address { host: "h".into(), port };
    let place = Place { api: at(9092), rpc: at(9093), rack: Some("r".into()), host: None };
    Registered { disk: DiskId::default(), levels, place: Some(place) }
}

#[test]
fn a_level_is_raised_once_all_nodes_read_it_and_is_never_lowered() {
    let mut cluster = Cluster::new(WHOLE);
    let (founded, next) = (Levels::BUILD.newest.0, Levels::BUILD.newest.0 + 1);
    let raise = |to: u32| Request::RaiseLevel { to: Level(to), validate_only: false };
    let register =
        |node: i32, newest: u32| Request::Register { node: NodeId(node), registered: registered(1, newest) };
    let said = |reply: Reply| match reply {
        Reply::LevelRaised(result) | Reply::Registered(result) => result.map_err(|refusal| refusal.message),
        other => panic!("{other:?}"),
    };
    for node in 1..=2 {
        assert_eq!(said(cluster.ask(register(node, next))), Ok(()));
    }
    let behind = said(cluster.ask(raise(next))).expect_err("one has not said that it reads it");
    assert_eq!(behind, format!("node 3 reads feature levels {founded} to {founded}, not {next}"));
    assert_eq!(said(cluster.ask(register(3, next + 1))), Ok(()));
    let only_said = Request::RaiseLevel { to: Level(next), validate_only: true };
    assert_eq!((said(cluster.ask(only_said)), cluster.state.level()), (Ok(()), Level(founded)));
    assert_eq!((said(cluster.ask(raise(next))), cluster.state.level()), (Ok(()), Level(next)));
    assert_eq!(said(cluster.ask(raise(next))), Ok(()), "it is so");
    assert!(said(cluster.ask(raise(founded))).expect_err("never").contains("never lowered"));
    assert!(said(cluster.ask(register(3, founded))).is_err(), "who does not read the level is no node");
    let stranger = Registered { disk: DiskId(9), ..registered(1, next) };
    for (node, registered) in [(3, stranger), (4, registered(1, next))] {
        assert!(said(cluster.ask(Request::Register { node: NodeId(node), registered })).is_err());
    }
    assert_eq!(cluster.state.nodes().count(), 3);
    assert_eq!(cluster.state.first_level(), Levels::BUILD.newest, "it was founded so");
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-f]{1,2}",
        2 => "[a-z._-]{240,249}",
        1 => Just("x".repeat(250)),
        1 => any::<String>(),
        1 => Just("\u{1F600}".repeat(3_000)),
    ]
}

fn any_setting() -> impl Strategy<Value = (String, Option<String>)> {
    let replicas = (0..12_000_usize).prop_map(|count| "1:2,".repeat(count));
    prop_oneof![
        4 => Just(("retention.ms".to_owned(), Some(" 100 ".to_owned()))),
        2 => (1..30_000_usize).prop_map(|digits| set("flush.ms", "0".repeat(digits))),
        2 => replicas.prop_map(|value| set("leader.replication.throttled.replicas", value)),
        1 => Just(("segment.ms".to_owned(), None)),
        1 => any::<(String, Option<String>)>(),
    ]
}

fn any_topic() -> impl Strategy<Value = NewTopic> {
    let partitions = prop_oneof![4 => 1..4, 1 => 500..1_500, 1 => any::<i32>()];
    let factor = prop_oneof![4 => 1..4_i16, 1 => any::<i16>()];
    let node = prop_oneof![4 => 1..4, 1 => any::<i32>()].prop_map(NodeId);
    let to = prop::collection::vec(node, 0..4);
    let assignments = prop_oneof![4 => Just(Vec::new()), 1 => prop::collection::vec((0..3, to), 0..4)];
    let configs = prop::collection::vec(any_setting(), 0..3);
    (any_name(), partitions, factor, assignments, configs).prop_map(
        |(name, partitions, replication_factor, assignments, configs)| NewTopic {
            name,
            partitions,
            replication_factor,
            assignments,
            configs,
        },
    )
}

/// What a client can have the metadata leader asked; a topic made on the way is one without settings.
fn any_request() -> impl Strategy<Value = Request> {
    let reference = prop_oneof![
        4 => any_name().prop_map(TopicRef::Name),
        1 => any::<[u8; 16]>().prop_map(|id| TopicRef::Id(TopicId(id))),
    ];
    prop_oneof![
        6 => (prop::collection::vec(any_topic(), 0..6), prop::bool::weighted(0.1))
            .prop_map(|(topics, validate_only)| Request::CreateTopics { topics, validate_only }),
        2 => prop::collection::vec(any_name().prop_map(plain), 0..10)
            .prop_map(|topics| Request::CreateTopics { topics, validate_only: false }),
        2 => prop::collection::vec(reference, 0..8).prop_map(|topics| Request::DeleteTopics { topics }),
        1 => Just(Request::ProducerIds),
        1 => (any::<i32>(), "[a-z.]{0,300}", 0..3_u32).prop_map(|(node, rack, newest)| {
            let levels = Levels { oldest: Level(1), newest: Level(newest) };
            let at = |port| Address { host: rack.clone(), port };
            let place = Place { api: at(9), rpc: at(8), rack: Some(rack.clone()), host: None };
            let registered = Registered { disk: DiskId::default(), levels, place: Some(place) };
            Request::Register { node: NodeId(node.rem_euclid(5)), registered }
        }),
        1 => (0..4_u32, any::<bool>())
            .prop_map(|(to, validate_only)| Request::RaiseLevel { to: Level(to), validate_only }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_accepted_can_be_written_sent_and_read_back(
        is_small in any::<bool>(),
        requests in prop::collection::vec(any_request(), 1..12),
    ) {
        let mut cluster = Cluster::new(if is_small { SMALL } else { WHOLE });
        for request in requests {
            cluster.ask(request);
        }
    }
}

#[test]
fn names_that_differ_in_marks_alone_collide() {
    let key = |name: &str| name.replace('.', "_");
    let names: Vec<String> = (0..3_u32.pow(6))
        .map(|number| (0..6).map(|at| ['a', '.', '_'][(number / 3_u32.pow(at) % 3) as usize]).collect())
        .filter(|name: &String| topic_name::fault(name).is_none())
        .collect();
    let mut rng = Rng::stream(3, "names");
    for _ in 0..40 {
        let mut state = Metadata::default();
        let taken: Vec<&String> = names.iter().filter(|_| rng.next_u64().is_multiple_of(50)).collect();
        for name in &taken {
            state.names.insert((*name).clone(), TopicId::ZERO);
        }
        for name in &names {
            assert_eq!(state.collides(name), taken.iter().any(|other| key(other) == key(name)), "{name}");
        }
    }
}

#[test]
fn what_a_command_copies_does_not_depend_on_what_there_is() {
    let mut cluster = Cluster::new(WHOLE);
    for from in (0..PARTITIONS_MAX - 10).step_by(CREATE_PARTITIONS_MAX) {
        let numbers = from..(PARTITIONS_MAX - 10).min(from + CREATE_PARTITIONS_MAX);
        let new = numbers.map(|number| NewTopic { replication_factor: 3, ..plain(format!("t.{number}")) });
        cluster.create(new.collect());
    }
    let unlike = |one: &Metadata, other: &Metadata| {
        one.topics.pages_unlike(&other.topics) + one.names.pages_unlike(&other.names)
    };
    // An election, and what is proposed after it.
    let tip = cluster.state.clone();
    assert_eq!(unlike(&tip, &cluster.state), 0, "an election copies no page");
    cluster.create(vec![plain("one.more".into())]);
    let copied = unlike(&cluster.state, &tip);
    assert!((1..=4).contains(&copied), "{copied} pages of {} bytes", tip.bytes());
}

#[test]
fn the_largest_metadata_is_read_back_page_by_page() {
    let mut cluster = Cluster::new(WHOLE);
    let many = |number: usize| {
        let plain = plain(format!("t.{number}"));
        NewTopic { partitions: CREATE_PARTITIONS_MAX as i32 / 100, replication_factor: 3, ..plain }
    };
    for from in (0..PARTITIONS_MAX / (CREATE_PARTITIONS_MAX / 100)).step_by(100) {
        cluster.create((from..from + 100).map(many).collect());
    }
    let state = &cluster.state;
    assert_eq!(state.topics().map(|(_, topic)| topic.partitions.len()).sum::<usize>(), PARTITIONS_MAX);
    let mut read = Metadata::unfold(&state.head(), Levels::READABLE).expect("what was written can be read");
    for (number, id) in state.page_ids().into_iter().enumerate() {
        let page = state.page(number).expect("it was counted");
        assert!(page.len() <= GATHERED_BYTES_MAX as usize / 8, "{} bytes at once", page.len());
        read.push_page(id, &page).expect("what was written can be read");
    }
    assert_eq!(read.checked().as_ref(), Ok(state));
}
