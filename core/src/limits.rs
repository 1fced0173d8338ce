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
/// A batch below this is copied out of the buffer it came in, so that it does not keep the whole buffer alive.
/// Source: chosen, a quarter of a read. Bytes.
pub const BATCH_COPY_BELOW: usize = 16 << 10;
/// How many entries a replica may be behind its leader's log and still count as in sync. Source: chosen; Kafka
/// counts time instead (replica.lag.time.max.ms), which a busy leader's own log end makes as fuzzy.
pub const ISR_LAG_MAX: u64 = 4_096;
/// How long an answer about new topics waits for their leaders. Source: chosen, twice the default election
/// timeout would be 6 s; a client's own pause is 0.1 s. At the edge: the answer says LEADER_NOT_AVAILABLE.
pub const LEADERS_AWAITED_MAX: Duration = Duration::from_secs(2);
/// How often produces that wait for their commit are looked through for those whose time is up.
/// Source: chosen: a timeout is 30 s by default, and rarely comes.
pub const SWEEP: Duration = Duration::from_millis(250);
/// How often the leader of a partition looks for records that may go. Source: Kafka's
/// log.retention.check.interval.ms.
pub const RETENTION_INTERVAL: Duration = Duration::from_secs(300);
