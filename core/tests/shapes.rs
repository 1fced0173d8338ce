//! The bytes of every version of every shape of our own, as they were when it was made: they stay, and every later
//! build reads them. A shape that is to say something else gets a version more.
//!
//! `core/tests/golden/shapes.txt` has a line each: kind, version, name, bytes. `RECORD=1 cargo test -p rust-mq-core
//! --test shapes` adds the lines of what is new; it changes none.
//!
//! Not here: messages between nodes (`proto/tests/messages.rs`), whole data directories (`directories.rs`).

#![allow(clippy::disallowed_methods, reason = "the bytes are a file")]

use bytes::BytesMut;
use rust_mq_core::codec::{self, Shape};
use rust_mq_core::compaction::Compacted;
use rust_mq_core::entry::{Entry, EntryKind, Stamp};
use rust_mq_core::group::{
    self, About, Changed, ClassicMember, Commit, Current, Generation, Groups, MemberChanged, Spoken,
};
use rust_mq_core::host::Host;
use rust_mq_core::ids::{ClusterId, DiskId, Index, NodeId, Offset, ReplicaId, Term, TopicId};
use rust_mq_core::level::{Level, Levels};
use rust_mq_core::link::Address;
use rust_mq_core::machine::Machine;
use rust_mq_core::metadata::{
    Alteration, Command, CreatedTopic, Deletion, Founder, Metadata, NewTopic, Place, Placed, Refusal,
    Registered, Reply, Request, Resource, Setting, TopicBirth, TopicRef, Wider,
};
use rust_mq_core::now::Wall;
use rust_mq_core::partition::{LogState, PartitionCommand};
use rust_mq_core::settings::{Change, Holder, Operation, Settings};
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::records::{BatchBuilder, Producer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shapes.txt");
const COMMAND: &str = "RECORD=1 cargo test -p rust-mq-core --test shapes";
const LEVELS: Levels = Levels::BUILD;

/// The recorded bytes by kind and version, and what was not there.
struct Golden {
    recorded: BTreeMap<(u8, u8), (String, Vec<u8>)>,
    is_new: bool,
    seen: BTreeSet<(u8, u8)>,
}

impl Golden {
    fn read() -> Golden {
        let text = std::fs::read_to_string(FILE).unwrap_or_default();
        let mut recorded = BTreeMap::new();
        for line in text.lines() {
            let [kind, version, name, bytes] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{FILE}: `{line}` is not kind, version, name and bytes")
            };
            let number = |text: &str| text.parse().expect("a number");
            let bytes = (0..bytes.len() / 2).map(|at| u8::from_str_radix(&bytes[2 * at..][..2], 16));
            let bytes = bytes.collect::<Result<_, _>>().expect("hexadecimal digits");
            recorded.insert((number(kind), number(version)), (name.to_owned(), bytes));
        }
        Golden { recorded, is_new: false, seen: BTreeSet::new() }
    }

    /// Holds `values`, one of each kind, to what is recorded; all versions of their kinds are read.
    fn hold<S: Shape + Debug + PartialEq>(&mut self, values: &[S], decode: impl Fn(&[u8]) -> S) {
        let kinds: Vec<u8> = S::KINDS.iter().map(|kind| kind.number).collect();
        assert_eq!(kinds, values.iter().map(Shape::kind).collect::<Vec<_>>(), "a sample of each {}", S::WHAT);
        for (kind, value) in S::KINDS.iter().zip(values) {
            for version in kind.versions {
                let is_newest = Some(version) == kind.versions.last();
                let known = self.bytes((kind.number, version.number), kind.name, || {
                    assert!(is_newest, "what is older is recorded");
                    codec::encode(value, version.since).to_vec()
                });
                let read = decode(&known);
                if is_newest {
                    assert_eq!(read, *value, "{} {}", S::WHAT, kind.name);
                    let written = codec::encode(value, version.since);
                    assert_eq!(
                        written,
                        known,
                        "{} {} is written otherwise now: its bytes never change. Give it a version more \
                         (`versions` in its row of KINDS), keep the old one readable, and record with {COMMAND}",
                        S::WHAT,
                        kind.name
                    );
                }
            }
        }
    }

    fn bytes(&mut self, key: (u8, u8), name: &str, encode: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
        assert!(self.seen.insert(key), "kind {} in version {} is there twice", key.0, key.1);
        let is_new = !self.recorded.contains_key(&key);
        self.is_new |= is_new;
        self.recorded.entry(key).or_insert_with(|| (name.to_owned(), encode())).1.clone()
    }

    fn finish(self) {
        let left: Vec<&(u8, u8)> = self.recorded.keys().filter(|key| !self.seen.contains(key)).collect();
        assert!(left.is_empty(), "{left:?} are recorded, and this build does not read them any more");
        if self.is_new {
            let is_recording = std::env::var("RECORD").is_ok_and(|value| value == "1");
            assert!(is_recording, "there are shapes without recorded bytes: {COMMAND} adds them");
            let mut text = String::new();
            for ((kind, version), (name, bytes)) in &self.recorded {
                let mut hex = String::new();
                bytes.iter().for_each(|byte| write!(hex, "{byte:02x}").expect("a string grows"));
                writeln!(text, "{kind} {version} {name} {hex}").expect("a string grows");
            }
            std::fs::write(FILE, text).expect("the folder is in the repository");
        }
    }
}

fn placed(replica: u64, node: i32) -> Placed {
    Placed { replica: ReplicaId(replica), node: NodeId(node) }
}

fn birth() -> TopicBirth {
    TopicBirth {
        name: "orders".into(),
        partitions: vec![vec![placed(4, 1), placed(5, 2)], vec![placed(300, 2), placed(301, 3)]],
        configs: BTreeMap::from([("retention.ms".into(), "100".into())]),
    }
}

fn registered() -> Registered {
    let at = |port| Address { host: "n1.example".into(), port };
    let place = Place { api: at(9092), rpc: at(9093), rack: Some("r1".into()), host: None };
    let levels = Levels { oldest: Level(1), newest: Level(1) };
    Registered { disk: DiskId(0x1234_5678_9abc), levels, place: Some(place) }
}

fn commands() -> [Command; 8] {
    [
        Command::TopicCreated { id: TopicId([7; 16]), topic: birth() },
        Command::TopicDeleted { id: TopicId([8; 16]) },
        Command::ProducerIdsTaken { next: 70_000 },
        Command::LevelRaised { to: Level(2) },
        Command::NodeRegistered { node: NodeId(1), registered: registered() },
        Command::MachineTopicCreated { id: TopicId::CONSUMER_OFFSETS, topic: birth() },
        Command::Configured { of: Holder::Topic(TopicId([7; 16])), settings: set("retention.ms", "200") },
        Command::PartitionsAdded {
            id: TopicId([7; 16]),
            partitions: vec![vec![placed(302, 3), placed(303, 1)]],
        },
    ]
}

fn set(name: &str, value: &str) -> Settings {
    Settings::from([(name.into(), value.into())])
}

fn refusal() -> Refusal {
    Refusal { code: ErrorCode::PolicyViolation, message: "too much".into() }
}

fn requests() -> [Request; 8] {
    let topic = NewTopic {
        name: "orders".into(),
        partitions: -1,
        replication_factor: 3,
        assignments: vec![(0, vec![NodeId(1), NodeId(2)])],
        configs: vec![("retention.ms".into(), Some("100".into())), ("segment.ms".into(), None)],
    };
    let wider = |assignments| Wider { name: "orders".into(), count: 3, assignments };
    let on = Some(vec![vec![NodeId(3), NodeId(1)]]);
    [
        Request::CreateTopics { topics: vec![topic], validate_only: true },
        Request::DeleteTopics { topics: vec![TopicRef::Name("a".into()), TopicRef::Id(TopicId([9; 16]))] },
        Request::ProducerIds,
        Request::RaiseLevel { to: Level(2), validate_only: false },
        Request::Register { node: NodeId(1), registered: registered() },
        Request::MakeMachineTopic { id: TopicId::CONSUMER_OFFSETS, partitions: 16, replication_factor: 3 },
        Request::AlterConfigs { resources: alterations(), validate_only: true },
        Request::CreatePartitions { topics: vec![wider(None), wider(on)], validate_only: true },
    ]
}

fn alterations() -> Vec<Alteration> {
    let change =
        |operation, value: &str| Change { name: "cleanup.policy".into(), operation, value: value.into() };
    let changes = vec![
        change(Operation::Set, "delete"),
        change(Operation::Delete, ""),
        change(Operation::Append, "compact"),
        change(Operation::Subtract, "compact"),
    ];
    let holders = [
        Resource::Topic("orders".into()),
        Resource::Cluster,
        Resource::Node(NodeId(2)),
        Resource::Group("g".into()),
    ];
    let alteration = |of| Alteration { of, is_whole: false, changes: changes.clone() };
    holders.into_iter().map(alteration).collect()
}

fn replies() -> [Reply; 10] {
    let setting = Setting { name: "retention.ms".into(), value: "100".into(), is_default: false };
    let id = TopicId([7; 16]);
    let created = CreatedTopic { id, partitions: 2, replication_factor: 2, settings: vec![setting] };
    let deletion = Deletion { name: Some("a".into()), id: TopicId::ZERO, code: ErrorCode::UnknownTopicId };
    [
        Reply::CreateTopics(vec![("orders".into(), Ok(created)), ("b".into(), Err(refusal()))]),
        Reply::DeleteTopics(vec![deletion]),
        Reply::ProducerIds { first: 69_000, next: 70_000 },
        Reply::Refused(refusal()),
        Reply::NotController,
        Reply::LevelRaised(Err(refusal())),
        Reply::Registered(Ok(())),
        Reply::MachineTopic(Ok(TopicId::CONSUMER_OFFSETS)),
        Reply::AlterConfigs(vec![(Resource::Cluster, Ok(())), (Resource::Node(NodeId(2)), Err(refusal()))]),
        Reply::CreatePartitions(vec![("orders".into(), Ok(())), ("b".into(), Err(refusal()))]),
    ]
}

/// A state of the first level that has seen all commands of it that do not end it.
fn metadata_of_level_1() -> Metadata {
    let founder = |node: i32| Founder {
        node: NodeId(node),
        replica: ReplicaId(node.unsigned_abs().into()),
        disk: registered().disk,
    };
    let founders: Vec<Founder> = (1..=3).map(founder).collect();
    let mut metadata = Metadata::founded(ClusterId(77), Level(1), &founders);
    let next = metadata.clone();
    let [created, _, _, _, registered, _, _, _] = commands();
    for command in [created, registered] {
        assert!(metadata.takes(&command), "{command:?}");
        metadata.apply(Default::default(), &command);
    }
    assert_ne!(metadata, next);
    metadata
}

fn member(instance: Option<&str>) -> ClassicMember {
    ClassicMember {
        instance: instance.map(str::to_owned),
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 300_000,
        session_timeout_ms: 45_000,
        protocols: vec![("range".into(), vec![0, 1, 2]), ("sticky".into(), vec![3])],
        assignment: vec![7; 3],
    }
}

fn group_commands() -> [group::Command; 8] {
    let group = || "g".to_owned();
    let commit = |partition, retention_ms| Commit {
        topic: TopicId([7; 16]),
        partition,
        offset: 70_000,
        epoch: 3,
        metadata: "said".into(),
        retention_ms,
    };
    let generation = Generation {
        number: 4,
        protocol_type: "consumer".into(),
        protocol: Some("range".into()),
        leader: Some("m1".into()),
    };
    let joined = vec![("m1".into(), member(None)), ("m2".into(), member(Some("i")))];
    [
        group::Command::OffsetsCommitted {
            group: group(),
            seen: 300,
            commits: vec![commit(0, None), commit(1, Some(60_000))],
        },
        group::Command::OffsetsRemoved { group: group(), partitions: vec![(TopicId([7; 16]), 0)] },
        group::Command::GroupRemoved { group: group() },
        group::Command::GenerationBegan { group: group(), generation, joined, left: vec!["m0".into()] },
        group::Command::Assigned {
            group: group(),
            generation: 4,
            assignments: vec![("m1".into(), vec![1]), ("m2".into(), vec![2, 3])],
        },
        group::Command::MembersLeft { group: group(), members: vec!["m1".into()] },
        group::Command::MemberReplaced {
            group: group(),
            old: "m2".into(),
            new: "m3".into(),
            member: member(Some("i")),
        },
        group::Command::ConsumerChanged { group: "k".into(), changed: consumers_changed() },
    ]
}

fn consumers_changed() -> Changed {
    let topic = TopicId([7; 16]);
    let about = About {
        instance: Some("i".into()),
        rack: Some("r".into()),
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 60_000,
        names: vec!["t".into()],
        pattern: "t.*".into(),
        assignor: Some("uniform".into()),
        classic: Some(Spoken { session_timeout_ms: 6_000, protocols: vec![("range".into(), vec![0, 1])] }),
    };
    let current = Current {
        epoch: 3,
        previous_epoch: 2,
        assigned: [(topic, 0, 2), (topic, 1, 3)].into_iter().collect(),
        revoking: [(topic, 300, 1)].into_iter().collect(),
        ..Current::default()
    };
    let target = [(topic, 0), (topic, 1), (topic, 2)].into_iter().collect();
    let member = MemberChanged { about: Some(about), current: Some(current), target: Some(target) };
    let silent = MemberChanged::default();
    let members = vec![("m1".into(), member), ("m2".into(), silent)];
    Changed {
        mark: 1 << 40,
        seen: 301,
        epoch: 4,
        assignment_epoch: 3,
        topics: 9,
        members,
        left: vec!["m0".into()],
    }
}

/// A state that has seen all commands that do not end it.
fn groups() -> Groups {
    let mut groups = Groups::default();
    let [committed, _, _, began, assigned, _, replaced, changed] = group_commands();
    let at = Stamp { index: Index(5), term: Term(2), wall: Wall(1_700_000_000_000) };
    for command in [committed, began, assigned, replaced, changed] {
        let before = groups.clone();
        groups.apply(at, &command);
        assert_ne!(groups, before, "{command:?}");
    }
    groups
}

/// The same of the newest level, with all commands.
fn metadata() -> Metadata {
    let mut metadata = metadata_of_level_1();
    let levels = Levels { oldest: Level(1), newest: Level(2) };
    let register = |node| Command::NodeRegistered {
        node: NodeId(node),
        registered: Registered { levels, ..registered() },
    };
    let [_, _, _, raised, _, _, configured, widened] = commands();
    let holders = [Holder::Cluster, Holder::Node(NodeId(2)), Holder::Group("g".into())];
    let set = |of| Command::Configured { of, settings: set("log.retention.ms", "300") };
    let all = (1..=3).map(register).chain([raised, configured, widened]).chain(holders.into_iter().map(set));
    for command in all {
        assert!(metadata.takes(&command), "{command:?}");
        metadata.apply(Default::default(), &command);
    }
    metadata
}

fn log() -> LogState {
    let mut log = LogState::default();
    let mut entry = |index: u64, term: u64, base: i64| {
        let producer = Producer { id: 5, epoch: 1, base_sequence: i32::try_from(base).expect("small") };
        let mut batch = BatchBuilder::new().producer(producer).place(base, 1);
        batch.push(1_700_000_000_000 - base, Some(b"k"), Some(b"v"), &[]);
        let payload = batch.build().freeze();
        let (index, term, wall) = (Index(index), Term(term), Wall(1_700_000_000_000));
        let entry = Entry { index, term, kind: EntryKind::Batch, wall, payload };
        log.apply(&entry).expect("it fits");
    };
    entry(1, 1, 0);
    entry(2, 3, 1);
    let command = PartitionCommand::Compacted(Compacted { up_to: Offset(2), tombstones_before: Offset(1) });
    let payload = command.encode(LEVELS.newest);
    let wall = Wall(1_700_000_000_009);
    let entry = Entry { index: Index(3), term: Term(3), kind: EntryKind::Commands, wall, payload };
    log.apply(&entry).expect("it fits");
    log
}

#[test]
fn every_version_of_every_shape_is_read_and_the_newest_is_written_as_it_was() {
    let mut golden = Golden::read();
    let state = Host::encode_state(Wall(9), &metadata_of_level_1());
    let known = golden.bytes((1, 1), "Host", || state.to_vec());
    assert_eq!(Host::decode_state(&known, LEVELS.newest), Ok((Wall(9), metadata_of_level_1())));
    assert_eq!(state, known, "the state of a machine is written otherwise now");
    golden.hold(&[metadata()], |bytes| Metadata::decode(bytes, LEVELS.newest).expect("recorded"));
    golden.hold(&[log()], |bytes| LogState::decode(bytes).expect("recorded"));
    golden.hold(&commands(), |bytes| {
        Metadata::decode_commands(bytes, LEVELS.newest).expect("recorded").remove(0)
    });
    let forget = [
        PartitionCommand::LogStart(Offset(300)),
        PartitionCommand::ForgetProducers(4),
        PartitionCommand::Compacted(Compacted { up_to: Offset(300), tombstones_before: Offset(2) }),
    ];
    golden.hold(&forget, |bytes| PartitionCommand::decode(bytes).expect("recorded"));
    golden.hold(&[groups()], |bytes| Groups::decode(bytes, LEVELS.newest).expect("recorded"));
    golden.hold(&group_commands(), |bytes| {
        Groups::decode_commands(bytes, LEVELS.newest).expect("recorded").remove(0)
    });
    golden.hold(&requests(), |bytes| Request::decode(bytes).expect("recorded"));
    golden.hold(&replies(), |bytes| Reply::decode(bytes).expect("recorded"));
    golden.finish();
}

#[test]
fn what_this_build_does_not_read_is_refused_by_name() {
    let mut bytes = BytesMut::from(&Metadata::encode_commands(&commands()[1..2], LEVELS.newest)[..]);
    bytes[1] = 9;
    let refused = |bytes: &[u8]| {
        Metadata::decode_commands(bytes, LEVELS.newest).expect_err("it is not read").to_string()
    };
    assert_eq!(
        refused(&bytes),
        "undecodable metadata command: TopicDeleted (kind 17) in version 9; this build reads 1 to 1"
    );
    bytes[0] = 200;
    assert_eq!(
        refused(&bytes),
        "undecodable metadata command: kind 200 in version 9; this build reads kinds 16, 17, 18, 19, 20, 21, 22, 23"
    );
    assert_eq!(refused(&[]), "undecodable metadata command: it is cut before its kind and version");
    let cut = Metadata::encode_commands(&commands()[..1], LEVELS.newest);
    assert!(
        refused(&cut[..cut.len() - 1]).contains("TopicCreated (kind 16, version 1): its fields do not parse")
    );
    let mut trailing = BytesMut::new();
    metadata().encode(&mut trailing);
    trailing.extend_from_slice(b"x");
    let refused = Metadata::decode(&trailing, LEVELS.newest).expect_err("it has a byte too many");
    assert_eq!(refused.to_string(), "undecodable metadata state: 1 bytes follow its end");
}
