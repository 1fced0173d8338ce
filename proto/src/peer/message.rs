//! What one lane between two nodes carries: each message is one [`PeerMessage`] with one body.
//!
//! | lane | bodies |
//! | --- | --- |
//! | raft | `Hello` first, then `Proof` (who dialled), then `Found`, `Raft`, `Alive` |
//! | bulk | `Hello` first, then `Proof` (who dialled), then `Forward`, `Forwarded`, `Fetch`, `Fetched`, `SnapshotWanted`, `Snapshot`, `CatchUp` |
//! | either | instead of all that `Refused`, the last message; or `WhoAreYou`, answered by `IAm`, the last one |
//!
//! Each message says its version (`codec`) and, by the number of its body, its kind.
//!
//! Owns shapes and their bounds. 128-bit ids are 16 bytes, big-endian. Payloads (record batches, requests,
//! states) are slices of the received buffer, and are sent by reference where they are large.
//!
//! Not here: the bytes (`codec`); which body may come when, and what it means (the core's `peer/`); how a message is delimited
//! (the driver: one message of the transport is one of ours).

use bytes::Bytes;

/// The version that hellos have, and all that is said before two nodes know which versions both speak. It never
/// changes: their shapes only grow by fields that an older build skips.
pub const GREETING_VERSION: u8 = 1;
/// The first version of all other messages that this build speaks.
pub const PROTOCOL_OLDEST: u8 = 3;
/// The last one. Two nodes speak the newest that both do.
pub const PROTOCOL_NEWEST: u8 = 3;

/// One message of a lane.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PeerMessage {
    /// What it says; `None` is a newer version's.
    #[prost(oneof = "PeerBody", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15")]
    pub body: Option<PeerBody>,
}

/// What a message says.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum PeerBody {
    /// Who I am. The first message on each lane, both ways.
    #[prost(message, tag = "1")]
    Hello(Hello),
    /// The cluster was founded so.
    #[prost(message, tag = "2")]
    Found(Found),
    /// Raft messages of any partitions.
    #[prost(message, tag = "3")]
    Raft(Raft),
    /// I am alive, and these leaders are news.
    #[prost(message, tag = "4")]
    Alive(Alive),
    /// A request for a leader on your node.
    #[prost(message, tag = "5")]
    Forward(Forward),
    /// Its answer.
    #[prost(message, tag = "6")]
    Forwarded(Forwarded),
    /// Give me committed batches.
    #[prost(message, tag = "7")]
    Fetch(Fetch),
    /// Here they are.
    #[prost(message, tag = "8")]
    Fetched(Fetched),
    /// Give me the state above the batches I have.
    #[prost(message, tag = "9")]
    SnapshotWanted(SnapshotWanted),
    /// Here it is.
    #[prost(message, tag = "10")]
    Snapshot(Snapshot),
    /// You are behind my window: fetch.
    #[prost(message, tag = "11")]
    CatchUp(CatchUp),
    /// I know the secret too.
    #[prost(message, tag = "12")]
    Proof(Proof),
    /// I turn you away.
    #[prost(message, tag = "13")]
    Refused(Refused),
    /// Who are you, at this address?
    #[prost(message, tag = "14")]
    WhoAreYou(WhoAreYou),
    /// Its answer.
    #[prost(message, tag = "15")]
    IAm(IAm),
}

impl PeerBody {
    /// The kinds by number: what people call them, and whether they are said before versions are agreed on.
    pub(super) const KINDS: [(u32, &'static str, bool); 15] = [
        (1, "Hello", true),
        (2, "Found", false),
        (3, "Raft", false),
        (4, "Alive", false),
        (5, "Forward", false),
        (6, "Forwarded", false),
        (7, "Fetch", false),
        (8, "Fetched", false),
        (9, "SnapshotWanted", false),
        (10, "Snapshot", false),
        (11, "CatchUp", false),
        (12, "Proof", true),
        (13, "Refused", true),
        (14, "WhoAreYou", true),
        (15, "IAm", true),
    ];

    /// Whether it is said before two nodes know which versions both speak.
    pub(super) fn is_greeting(&self) -> bool {
        matches!(
            self,
            PeerBody::Hello(_)
                | PeerBody::Proof(_)
                | PeerBody::Refused(_)
                | PeerBody::WhoAreYou(_)
                | PeerBody::IAm(_)
        )
    }
}

/// Who I am.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Hello {
    /// The last version of the other messages that I speak.
    #[prost(uint32, tag = "1")]
    pub protocol_newest: u32,
    /// The last feature level that I read.
    #[prost(uint32, tag = "2")]
    pub level_newest: u32,
    /// The cluster I belong to; empty before it is founded.
    #[prost(bytes = "bytes", tag = "3")]
    pub cluster: Bytes,
    /// My node id.
    #[prost(int32, tag = "4")]
    pub node: i32,
    /// My data directory.
    #[prost(bytes = "bytes", tag = "5")]
    pub disk: Bytes,
    /// My start.
    #[prost(fixed64, tag = "6")]
    pub boot: u64,
    /// A checksum over the members I was configured with.
    #[prost(fixed64, tag = "7")]
    pub members_checksum: u64,
    /// A number that I have never used: 32 bytes.
    #[prost(bytes = "bytes", tag = "8")]
    pub nonce: Bytes,
    /// Who accepted: a MAC under each secret that I hold. Who dialled says it in its `Proof`.
    #[prost(bytes = "bytes", repeated, tag = "9")]
    pub proofs: Vec<Bytes>,
    /// The first version of the other messages that I speak.
    #[prost(uint32, tag = "10")]
    pub protocol_oldest: u32,
    /// The first feature level that I read.
    #[prost(uint32, tag = "11")]
    pub level_oldest: u32,
}

/// What shows that I know a secret: who dialled says it once it has the other's hello.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Proof {
    /// A MAC under each secret that I hold; none where there is no secret.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub proofs: Vec<Bytes>,
}

/// I turn you away.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Refused {
    /// My node id.
    #[prost(int32, tag = "1")]
    pub node: i32,
    /// A [`Turned`].
    #[prost(enumeration = "Turned", tag = "2")]
    pub why: i32,
}

/// Why a node is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Turned {
    /// For a reason that this version does not know.
    Otherwise = 0,
    /// It speaks another version of this protocol.
    Version = 1,
    /// Its id is no member's, or not the one that is expected there.
    Stranger = 2,
    /// It was configured with other members.
    Members = 3,
    /// It belongs to another cluster.
    Cluster = 4,
    /// Its data directory is not the one that the cluster knows.
    Disk = 5,
    /// It does not show that it knows the secret.
    Secret = 6,
    /// It does not read the cluster's feature level.
    Level = 7,
}

/// Who are you? The first message on a link of its own, where no secret says it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WhoAreYou {
    /// A number that I have never used: 32 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub nonce: Bytes,
}

/// Who answers at this address.
#[derive(Clone, PartialEq, prost::Message)]
pub struct IAm {
    /// As it was asked.
    #[prost(bytes = "bytes", tag = "1")]
    pub nonce: Bytes,
    /// My node id.
    #[prost(int32, tag = "2")]
    pub node: i32,
    /// My data directory.
    #[prost(bytes = "bytes", tag = "3")]
    pub disk: Bytes,
    /// My start.
    #[prost(fixed64, tag = "4")]
    pub boot: u64,
    /// The cluster I belong to; empty before it is founded.
    #[prost(bytes = "bytes", tag = "5")]
    pub cluster: Bytes,
}

/// How the cluster was founded.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Found {
    /// Its id.
    #[prost(bytes = "bytes", tag = "1")]
    pub cluster: Bytes,
    /// The metadata partition's members.
    #[prost(message, repeated, tag = "2")]
    pub members: Vec<FoundMember>,
    /// The cluster's first feature level.
    #[prost(uint32, tag = "3")]
    pub level: u32,
}

/// A first member of the metadata partition.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FoundMember {
    /// Its replica id.
    #[prost(fixed64, tag = "1")]
    pub replica: u64,
    /// Where it lies.
    #[prost(int32, tag = "2")]
    pub node: i32,
    /// The disk it is bound to.
    #[prost(bytes = "bytes", tag = "3")]
    pub disk: Bytes,
}

/// Raft messages of any partitions, each an encoded [`super::raft::RaftMessage`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Raft {
    /// In the order they were said.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub messages: Vec<Bytes>,
}

/// I am alive.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Alive {
    /// What changed since the last one; everything in the first.
    #[prost(message, repeated, tag = "1")]
    pub leaders: Vec<Leader>,
    /// The nodes that the sender hears.
    #[prost(int32, repeated, tag = "2")]
    pub hears: Vec<i32>,
    /// The last index of the sender's log of the metadata partition.
    #[prost(uint64, tag = "3")]
    pub metadata_end: u64,
    /// Whether the sender would rather not lead: its disk is slow, or full.
    #[prost(bool, tag = "4")]
    pub is_reluctant: bool,
}

/// Who leads a partition.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Leader {
    /// The topic's id.
    #[prost(bytes = "bytes", tag = "1")]
    pub topic: Bytes,
    /// The partition's number.
    #[prost(int32, tag = "2")]
    pub partition: i32,
    /// Since which term.
    #[prost(uint64, tag = "3")]
    pub term: u64,
    /// Which node.
    #[prost(int32, tag = "4")]
    pub node: i32,
    /// The nodes whose replicas are not in sync. Only of the leader itself, and only what it says itself counts.
    #[prost(int32, repeated, tag = "5")]
    pub lagging: Vec<i32>,
}

/// A request for a leader on the other node, in the codec of the machine it is for.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Forward {
    /// Carried back by the answer.
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    /// The request.
    #[prost(bytes = "bytes", tag = "2")]
    pub request: Bytes,
}

/// The answer to a [`Forward`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Forwarded {
    /// The request's.
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    /// The index that an image must have applied before the answer is told.
    #[prost(uint64, tag = "2")]
    pub index: u64,
    /// The answer.
    #[prost(bytes = "bytes", tag = "3")]
    pub reply: Bytes,
}

/// A replica that is behind asks for committed batches by offset.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Fetch {
    /// Carried back by the answer.
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    /// The topic's id.
    #[prost(bytes = "bytes", tag = "2")]
    pub topic: Bytes,
    /// The partition's number.
    #[prost(int32, tag = "3")]
    pub partition: i32,
    /// The first offset wanted.
    #[prost(int64, tag = "4")]
    pub from: i64,
    /// How many bytes at most; the first batch comes whole in any case.
    #[prost(uint32, tag = "5")]
    pub max_bytes: u32,
}

/// The answer to a [`Fetch`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Fetched {
    /// The request's.
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    /// One of Kafka's error codes.
    #[prost(sint32, tag = "2")]
    pub error: i32,
    /// The end of the sender's log.
    #[prost(int64, tag = "3")]
    pub log_end: i64,
    /// The sender's high watermark.
    #[prost(int64, tag = "4")]
    pub high_watermark: i64,
    /// Whole record batches, one after the other, in any number of chunks.
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub chunks: Vec<Bytes>,
}

/// A replica that has fetched its batches asks for the rest of the applied state.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SnapshotWanted {
    /// Carried back by the answer.
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    /// The replica that wants it.
    #[prost(fixed64, tag = "2")]
    pub replica: u64,
    /// The topic's id.
    #[prost(bytes = "bytes", tag = "3")]
    pub topic: Bytes,
    /// The partition's number.
    #[prost(int32, tag = "4")]
    pub partition: i32,
    /// The end of what it has.
    #[prost(int64, tag = "5")]
    pub log_end: i64,
}

/// The answer to a [`SnapshotWanted`]: state and index, no files.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Snapshot {
    /// The request's.
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    /// One of Kafka's error codes.
    #[prost(sint32, tag = "2")]
    pub error: i32,
    /// The replica that wants it.
    #[prost(fixed64, tag = "3")]
    pub replica: u64,
    /// As of which entry.
    #[prost(uint64, tag = "4")]
    pub index: u64,
    /// Of which term.
    #[prost(uint64, tag = "5")]
    pub term: u64,
    /// The voters as of that entry.
    #[prost(fixed64, repeated, tag = "6")]
    pub voters: Vec<u64>,
    /// The learners as of that entry.
    #[prost(fixed64, repeated, tag = "7")]
    pub learners: Vec<u64>,
    /// The log's first offset.
    #[prost(int64, tag = "8")]
    pub log_start: i64,
    /// The offset after the last batch that the state stands on.
    #[prost(int64, tag = "9")]
    pub segment_end: i64,
    /// The partition's or the machine's state, in its own codec.
    #[prost(bytes = "bytes", tag = "10")]
    pub state: Bytes,
    /// The entry's wall time, milliseconds since 1970.
    #[prost(sint64, tag = "11")]
    pub wall: i64,
}

/// A leader tells a replica that what it needs next is below the window.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CatchUp {
    /// The replica that is behind.
    #[prost(fixed64, tag = "1")]
    pub replica: u64,
    /// The topic's id.
    #[prost(bytes = "bytes", tag = "2")]
    pub topic: Bytes,
    /// The partition's number.
    #[prost(int32, tag = "3")]
    pub partition: i32,
    /// The leader's term.
    #[prost(uint64, tag = "4")]
    pub term: u64,
    /// The first offset of the leader's log.
    #[prost(int64, tag = "5")]
    pub log_start: i64,
    /// The leader's high watermark.
    #[prost(int64, tag = "6")]
    pub high_watermark: i64,
}
