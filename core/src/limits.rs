//! Every bound: its value, its unit, where it comes from, and what happens at its edge.
//!
//! A queue, loop, retry or buffer without a name here has no place in the core (STYLE rule 8).

use std::time::Duration;

/// Longest Kafka request, bytes after the length prefix. Source: reliability.md section 5 (Kafka: 100 MiB).
/// At the edge: the connection is closed.
pub const REQUEST_BYTES_MAX: usize = 16 << 20;
/// Requests of one connection that may be unanswered. Source: reliability.md section 5.
/// At the edge: the connection is not read.
pub const CONNECTION_REQUESTS_MAX: usize = 64;
/// Bytes of unanswered requests of one connection. Source: reliability.md section 5.
/// At the edge: the connection is not read, but one whole request is always let in.
pub const CONNECTION_REQUEST_BYTES_MAX: usize = 8 << 20;
/// Bytes that wait in the driver for a connection whose client does not read, besides the newest answer.
/// Source: reliability.md section 5. At the edge: no further request of it is taken up.
pub const CONNECTION_UNREAD_BYTES_MAX: usize = 1 << 20;
/// What a decoded request may take in memory beyond its wire bytes. Source: chosen; decoded arrays are 20 to
/// 50 times their wire size. At the edge: the connection is closed.
pub const DECODED_BYTES_MAX: usize = 64 << 20;
/// Largest record batch, the default of `max.message.bytes`. Source: Kafka (1 MiB + the log overhead of 12).
/// At the edge: MESSAGE_TOO_LARGE.
pub const BATCH_BYTES_MAX_DEFAULT: usize = (1 << 20) + 12;
/// Highest value of `max.message.bytes`: a batch must fit one journal frame. At the edge: INVALID_CONFIG.
pub const BATCH_BYTES_MAX_CEILING: usize = 8 << 20;
/// Largest decompressed batch. Source: DESIGN section 8. At the edge: MESSAGE_TOO_LARGE.
pub const DECOMPRESSED_BYTES_MAX: usize = 16 << 20;
/// One group commit. Source: DESIGN section 7. At the edge: what does not fit waits for the next frame.
pub const FRAME_BYTES_MAX: usize = 16 << 20;
/// Bytes one replica may have proposed and not yet committed. Source: DESIGN section 7 (a ready fits one
/// frame). At the edge: the produce waits, or is refused NOT_LEADER_OR_FOLLOWER when it cannot.
pub const REPLICA_UNCOMMITTED_BYTES_MAX: usize = 12 << 20;
/// Largest answer to a Fetch. Source: Kafka's fetch.max.bytes. At the edge: a smaller answer, never less than
/// one batch.
pub const FETCH_BYTES_MAX: usize = 55 << 20;
/// Longest time a Fetch may ask to wait. Source: reliability.md section 3. At the edge: clamped.
pub const FETCH_WAIT_MAX: Duration = Duration::from_secs(60);
/// Fetches parked on one node. Source: reliability.md section 5. At the edge: answered at once.
pub const FETCHES_PARKED_MAX: usize = 10_000;
/// Topics one Metadata request may name. Source: reliability.md section 3. At the edge: INVALID_REQUEST.
pub const METADATA_TOPICS_MAX: usize = 10_000;
/// Partitions one CreateTopics request may make. Source: Kafka (POLICY_VIOLATION).
pub const CREATE_PARTITIONS_MAX: usize = 10_000;
/// Partitions of the whole cluster. Source: reliability.md section 5. At the edge: POLICY_VIOLATION.
pub const PARTITIONS_MAX: usize = 20_000;
/// Producers remembered per partition. Source: reliability.md section 3. At the edge: the longest idle goes.
pub const PRODUCERS_PER_PARTITION_MAX: usize = 10_000;
/// Batches remembered per producer. Source: Kafka (max.in.flight.requests.per.connection of 5).
pub const PRODUCER_BATCHES: usize = 5;
/// How long an idle producer is remembered. Source: Kafka's producer.id.expiration.ms.
pub const PRODUCER_EXPIRATION: Duration = Duration::from_secs(24 * 3600);
/// Producer ids one node takes at a time. Source: Kafka's ProducerIdsBlock.
pub const PRODUCER_ID_BLOCK: i64 = 1_000;
/// Longest name of a topic. Source: Kafka (org.apache.kafka.common.internals.Topic).
pub const TOPIC_NAME_MAX: usize = 249;
/// How often replicas of several voters are ticked. Source: DESIGN section 4.
pub const TICK: Duration = Duration::from_millis(50);
/// Largest message between peers. Source: chosen, a frame's entries and their headers.
/// At the edge: the lane is closed.
pub const PEER_MESSAGE_BYTES_MAX: usize = 24 << 20;
/// Bytes queued towards one peer on one lane. Source: reliability.md section 5. At the edge: appends are
/// dropped; Raft sends them again.
pub const PEER_QUEUE_BYTES_MAX: usize = 64 << 20;
/// Bytes of entries in one append to a follower. Source: chosen, a millisecond of a gigabit link. At the
/// edge: the rest goes in the next append; a single larger entry goes alone.
pub const APPEND_BYTES_MAX: usize = 1 << 20;
/// Appends to one follower that it has not answered. Source: PEER_QUEUE_BYTES_MAX / APPEND_BYTES_MAX.
/// At the edge: entries gather until an answer comes, then travel together.
pub const APPENDS_IN_FLIGHT_MAX: usize = 64;
/// Bytes of committed entries that one ready hands out. Source: chosen; bounds the time of one turn. At the
/// edge: the rest comes with the next ready.
pub const READY_COMMITTED_BYTES_MAX: usize = 4 << 20;
/// Linearizable reads of one replica that wait for a majority. Source: chosen; the floor above asks once a
/// turn. At the edge: the read is refused, and asked again.
pub const READS_PENDING_MAX: usize = 1_024;
/// Messages that one ready holds back until it is durable. Source: chosen, the appends of several followers'
/// windows. At the edge: the newest are dropped; Raft sends them again.
pub const PROMISES_MAX: usize = 1_024;
/// What an entry takes in a journal frame besides its payload, at most. Source: chosen; `storage/` stays
/// below.
pub const ENTRY_ITEM_BYTES: usize = 64;
/// What a ready takes in a journal frame besides its entries, at most: a hard state, a reset, its members.
pub const READY_ITEM_BYTES: usize = 1 << 10;
/// Members of one replica's group. Source: chosen, fits READY_ITEM_BYTES. At the
/// edge: INVALID_REPLICATION_FACTOR.
pub const MEMBERS_MAX: usize = 32;
