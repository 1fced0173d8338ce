//! Every bound: its value, its unit, where it comes from, and what happens at its edge.
//!
//! A queue, loop, retry or buffer without a name here has no place in the core (`CONTRIBUTING.md`, rule 8).

use std::time::Duration;

/// Longest Kafka request, bytes after the length prefix, unless half of the node's budget for requests is less. Source:
/// Kafka's socket.request.max.bytes; clients fill it. At the edge: the connection is closed.
pub const REQUEST_BYTES_MAX: usize = 100 << 20;
/// Requests of one connection that may be unanswered. Source: chosen; clients pipeline 5, librdkafka and franz-go
/// some dozens.
/// At the edge: the connection is not read.
pub const CONNECTION_REQUESTS_MAX: usize = 64;
/// Bytes of unanswered requests of one connection. Source: chosen, several of the 1 MB requests that clients send.
/// At the edge: the connection is not read, but one whole request is always let in.
pub const CONNECTION_REQUEST_BYTES_MAX: usize = 8 << 20;
/// Bytes that wait in the driver for a connection whose client does not read, besides the newest answer.
/// Source: chosen, one usual Fetch answer. At the edge: no further request of it is taken up.
pub const CONNECTION_UNREAD_BYTES_MAX: usize = 1 << 20;
/// Credit that one connection may hold, so what may arrive unasked once the node's budget is used up. Source:
/// chosen; at 1 GB/s an `Allow` every 128 us. At the edge: given again when half is used.
pub const CONNECTION_CREDIT_BYTES: usize = 256 << 10;
/// Credit that a connection which holds nothing has in any case, at most: what a small request takes, so that half
/// requests of others hold up no metadata, no fetch and no new client. Source: chosen; 10,000 connections hold 40 MiB
/// so, and a quarter where the budget is small. At the edge: the request waits for the budget.
pub const CONNECTION_CREDIT_BYTES_LEAST: usize = 4 << 10;
/// Connections that are very many: half of what a node serves. Source: chosen. At the edge: who is slow is not waited
/// for as long as otherwise.
pub const CONNECTIONS_MANY: usize = 5_000;
/// How long a request may take from its first byte to its last while others have no room for theirs. Source: chosen, as
/// long as clients wait for an answer. At the edge: the connection is closed.
pub const REQUEST_ARRIVAL_MAX: Duration = Duration::from_secs(30);
/// How long a client may read nothing of what waits for it while others cannot be answered for that. Source: chosen,
/// below what clients wait for an answer. At the edge: the connection is aborted.
pub const CONNECTION_UNREAD_MAX: Duration = Duration::from_secs(2);
/// How long a client whose connection is being closed may read nothing of what waits for it. Source: chosen. At the
/// edge: the connection is aborted.
pub const CONNECTION_CLOSING_MAX: Duration = Duration::from_secs(30);
/// How long a connection may be silent. Source: Kafka's connections.max.idle.ms. At the edge: it is closed.
pub const CONNECTION_IDLE_MAX: Duration = Duration::from_secs(600);
/// What a decoded request may take in memory beyond its wire bytes, unless a 16th of the node's budget is less.
/// Source: chosen; decoded arrays are 20 to 50 times their wire size. At the edge: the connection is closed.
pub const DECODED_BYTES_MAX: usize = 64 << 20;
/// How often what a request was decoded to is charged while it is at the desk: what was made of its parts, and the
/// answer's, besides. Source: measured for Fetch and ListOffsets, rounded up.
pub const DECODED_TIMES: usize = 8;
/// Largest record batch, the default of `max.message.bytes`. Source: Kafka (1 MiB + the log overhead of 12).
/// At the edge: MESSAGE_TOO_LARGE.
pub const BATCH_BYTES_MAX_DEFAULT: usize = (1 << 20) + 12;
/// Highest value of `max.message.bytes`: a batch must fit one journal frame. At the edge: INVALID_CONFIG.
pub const BATCH_BYTES_MAX_CEILING: usize = 8 << 20;
/// Largest decompressed batch. Source: chosen, twice the largest batch: a bomb stops
/// here (Kafka has had such a bound since its pull request 23429). At the edge: MESSAGE_TOO_LARGE.
pub const DECOMPRESSED_BYTES_MAX: usize = 16 << 20;
/// Bytes of records, decompressed, that one Produce or ListOffsets may have looked through whatever it carries. Source:
/// chosen; four of the largest batches, some 0.1 s of processor time. At the edge: the rest of it is refused with a
/// code that clients retry.
pub const LOOKED_THROUGH_BYTES: usize = 64 << 20;
/// How many more for each byte that it carries, or asks to be read. Source: chosen; text shrinks to a tenth, seldom to
/// a thirtieth. At the edge: as above.
pub const LOOKED_THROUGH_RATIO: usize = 32;
/// What one time that a ListOffsets asks for counts as. Source: chosen; with the ratio, 64 KiB of records, which is
/// what is read of a segment at least. Bytes.
pub const TIME_LOOK_UP_BYTES: usize = 2 << 10;
/// One group commit. Source: chosen, what a disk writes in some 10 ms. At the edge: what does not fit waits for the
/// next frame.
pub const FRAME_BYTES_MAX: usize = 16 << 20;
/// Bytes one replica may have proposed and not yet committed. Source: chosen, so that a ready fits
/// one frame. At the edge: the produce waits, or is refused NOT_LEADER_OR_FOLLOWER when it cannot.
pub const REPLICA_UNCOMMITTED_BYTES_MAX: usize = 12 << 20;
/// Largest answer to a Fetch. Source: Kafka's fetch.max.bytes. At the edge: a smaller answer, never less than
/// one batch.
pub const FETCH_BYTES_MAX: usize = 55 << 20;
/// Longest time a Fetch may ask to wait. Source: chosen, twice what clients ask at most. At the edge: clamped.
pub const FETCH_WAIT_MAX: Duration = Duration::from_secs(60);
/// Fetches parked on one node. Source: chosen, one for each connection there may be. At the edge: answered at once.
pub const FETCHES_PARKED_MAX: usize = 10_000;
/// What one partition of a parked fetch takes: the part, what it found, its place among the partition's watchers,
/// and its part of the answer. Source: measured, rounded up. Bytes.
pub const FETCH_PARKED_PART_BYTES: usize = 1 << 10;
/// The part of the node's memory that parked fetches may take so: one in this many. Source: chosen; with 4 GiB
/// 262,144 partitions, a thousand consumers of 262 each. At the edge: a fetch is answered at once.
pub const FETCH_PARKED_SHARE: u64 = 16;
/// Fetch sessions of one node. Source: Kafka (`max.incremental.fetch.session.cache.slots`). At the edge: one that is not used
/// goes, or a smaller one; else a fetch gets no session, and its client goes on without.
pub const FETCH_SESSIONS_MAX: usize = 1_000;
/// How long a session may not be used, or be there if it is small, before another may take its place. Source: Kafka
/// (`min.incremental.fetch.session.eviction.ms`).
pub const FETCH_SESSIONS_IDLE: Duration = Duration::from_secs(120);
/// What a partition of a fetch session takes: what is asked, its name twice, its turn, and its place among the partition's
/// watchers. Source: the sum of their shapes is some 400 for a name of 20 letters. Bytes.
pub const FETCH_SESSION_PART_BYTES: usize = 512;
/// The part of the node's memory that fetch sessions may take: one in this many. Source: chosen; with 4 GiB 131,072
/// partitions. At the edge: as above.
pub const FETCH_SESSIONS_SHARE: u64 = 64;
/// Partitions on a page of DescribeTopicPartitions. Source: Kafka (`max.request.partition.size.limit`). At the edge: the
/// page says where the next begins.
pub const DESCRIBED_PARTITIONS_MAX: usize = 2_000;
/// Resources whose settings one DescribeConfigs request may ask for. Source: chosen; with synonyms and documentation
/// each takes some 20 KiB of the answer. At the edge: POLICY_VIOLATION for those that are too many.
pub const CONFIGS_DESCRIBED_MAX: usize = 1_000;
/// Topics one Metadata request may name. Source: chosen, half of all there may be. At the edge: the connection is
/// closed.
pub const METADATA_TOPICS_MAX: usize = 10_000;
/// Topics that clients' Metadata requests may be making on the way at a time, on one node. Source: chosen, far above
/// what a client names at once; how many there may be in all is `PARTITIONS_MAX`. At the edge: LEADER_NOT_AVAILABLE,
/// and the client asks again.
pub const AUTO_CREATIONS_MAX: usize = 1_000;
/// Partitions one CreateTopics request may make. Source: Kafka (POLICY_VIOLATION).
pub const CREATE_PARTITIONS_MAX: usize = 10_000;
/// Records of one refused batch that are told why. Source: chosen; a batch may hold a million. At the edge: the others
/// are not named.
pub const RECORD_ERRORS_MAX: usize = 100;
/// Partitions of the whole cluster, and so the most that one Fetch may name. Source: chosen; each
/// takes some 8 KiB of a node's memory. At the edge: POLICY_VIOLATION; the Fetch's connection is closed.
pub const PARTITIONS_MAX: usize = 20_000;
/// What a partition takes in memory without any records. Source: measured, rounded up. Bytes.
pub const PARTITION_BYTES: u64 = 7 << 10;
/// The part of the node's memory that partitions may take: one in this many, and `PARTITIONS_BESIDES_BYTES`. Source:
/// chosen; 4,681 partitions with 64 MiB, 8,192 with 256 MiB, all that there may be from 1 GiB on. At the edge:
/// POLICY_VIOLATION, by the limit of the node that leads the metadata partition.
pub const PARTITIONS_SHARE: u64 = 8;
/// Bytes. Source: chosen, of the 64 MiB that a node may take above its limit.
pub const PARTITIONS_BESIDES_BYTES: u64 = 24 << 20;
/// Longest value of a topic's setting, bytes. Source: Kafka (`ConfigurationControlManager`, Short.MAX_VALUE). At the
/// edge: INVALID_CONFIG.
pub const CONFIG_VALUE_BYTES_MAX: usize = 32_767;
/// Lists' elements in one request to the metadata machine (settings, nodes of assigned partitions). Source: chosen,
/// every setting of as many topics as one request may make. At the edge: POLICY_VIOLATION.
pub const ASKED_ELEMENTS_MAX: usize = 32 * CREATE_PARTITIONS_MAX;
/// One request to the metadata machine, encoded. Source: chosen; with `COMMANDS_BYTES_MAX` and what is told of each
/// setting, the answer is below `PEER_MESSAGE_BYTES_MAX`. At the edge: POLICY_VIOLATION.
pub const ASKED_BYTES_MAX: usize = 8 << 20;
/// What one request may make of the metadata, encoded. Source: chosen, as `ASKED_BYTES_MAX`; 10,000 topics with the
/// longest names take 3 MiB. At the edge: POLICY_VIOLATION for the topics that are too many.
pub const COMMANDS_BYTES_MAX: usize = 4 << 20;
/// State that one turn encodes for a checkpoint, bytes. Source: chosen; about a millisecond. At the edge: the rest waits
/// until that is on the disk.
pub const GATHERED_BYTES_MAX: u64 = 512 << 10;
/// What a replica counts among that whatever its state takes. Source: measured, rounded up. Bytes.
pub const GATHERED_REPLICA_BYTES: u64 = 512;
/// What a replica that starts counts among the state that a turn decodes, whatever its state takes. Source: measured: with
/// it a turn starts some 500, which takes as long as decoding what it may. Bytes.
pub const STARTED_REPLICA_BYTES: u64 = 1 << 10;
/// What a page counts among that which is named where it lies. Source: measured, rounded up. Bytes.
pub const GATHERED_PAGE_BYTES: u64 = 32;
/// State that is read back in one piece at a start, bytes, unless a page is larger. Source: chosen, as much as a turn
/// encodes. At the edge: another read.
pub const STATE_READ_BYTES_MAX: u64 = 512 << 10;
/// A page of state, encoded, unless one entry alone is larger. Source: chosen; a change copies and writes one, and
/// 500 MB are 31,000 of them. At the edge: the page is split.
pub const PAGE_BYTES: usize = 16 << 10;
/// The metadata's state, encoded. Source: chosen, what a frame holds as a reset beside `READY_ITEM_BYTES` and so what a
/// peer's message holds as a snapshot; 20,000 topics with the longest names take 11 MiB. At the edge: POLICY_VIOLATION
/// for new topics.
pub const STATE_BYTES_MAX: usize = FRAME_BYTES_MAX - (64 << 10);
/// A machine's state takes, encoded, at most one part in so many of a node's memory. Source: chosen: in memory it is two to
/// three times as large, and what an old copy shares with a new one counts once. At the edge: as at `STATE_BYTES_MAX`.
pub const STATE_SHARE: u64 = 8;
/// Producers remembered per partition. Source: chosen, 2 MB. At the edge: the longest idle goes.
pub const PRODUCERS_PER_PARTITION_MAX: usize = 10_000;
/// Batches remembered of a log whose timestamps fall, for the largest timestamp of what it holds. Source: chosen, 1 KiB
/// a partition; where timestamps rise it is one. At the edge: once older ones are deleted, a record that is nearly the
/// newest is named instead.
pub const NEWEST_TIMESTAMPS_MAX: usize = 64;
/// Batches remembered per producer. Source: Kafka (max.in.flight.requests.per.connection of 5).
pub const PRODUCER_BATCHES: usize = 5;
/// Producers of a partition whose time is over, and whose newest batch is remembered. Source: chosen, 150 KB. At the
/// edge: the longest idle are forgotten, and must begin at sequence 0 again.
pub const PRODUCERS_EXPIRED_MAX: usize = 1_000;
/// Unknown producers of a partition that its leader has refused a batch of, by name. Source: chosen, 256 bytes. At the
/// edge: every unknown producer counts as one, and must begin at sequence 0.
pub const PRODUCERS_REFUSED_MAX: usize = 16;
/// How long all that is remembered of an idle producer is kept. Source: Kafka's producer.id.expiration.ms.
pub const PRODUCER_EXPIRATION: Duration = Duration::from_secs(24 * 3600);
/// The part of the node's memory that its partitions may take together to remember producers: one in this many. Source:
/// chosen; 8,192 producers with 64 MiB, 131,072 with 1 GiB. At the edge: the longest idle of each partition are
/// forgotten, and must begin at sequence 0 again.
pub const PRODUCERS_SHARE: u64 = 16;
/// What is remembered of a producer takes. Source: measured, rounded up. Bytes.
pub const PRODUCER_BYTES: usize = 512;
/// Quarters of that which are remembered still, once it was too much. Source: chosen.
pub const PRODUCERS_KEPT_QUARTERS: usize = 3;
/// Between two times. Source: chosen, a commit.
pub const PRODUCERS_FORGOTTEN_WAIT: Duration = Duration::from_millis(50);
/// The part of the budget that entries may take before a checkpoint is made for it, and nothing is kept for followers
/// that are behind: one in this many. Source: chosen, half of what keeps clients out.
pub const BEHIND_SHARE: u64 = 4;
/// What an entry takes in memory besides what it weighs: in the window, in the tail, and its allocations. Source:
/// measured, rounded up. Bytes.
pub const ENTRY_MEMORY_BYTES: usize = 192;
/// Producer ids one node takes at a time. Source: Kafka's ProducerIdsBlock.
pub const PRODUCER_ID_BLOCK: i64 = 1_000;
/// Longest name of a topic. Source: Kafka (org.apache.kafka.common.internals.Topic).
pub const TOPIC_NAME_MAX: usize = 249;
/// How often replicas of several voters are ticked. Source: chosen, many to an election timeout.
pub const TICK: Duration = Duration::from_millis(50);
/// Longest election timeouts that the oldest frame may be unsynced before any disk is called slow. Source: chosen;
/// above any sync of a sound disk, below what a client waits. At the edge: what the node leads is handed over.
pub const SLOW_DISK_ELECTIONS: usize = 2;
/// How many times as old as usual the oldest frame may become before its disk is called slow, if that is less. Source:
/// chosen; a sound disk that is busy takes several times as long as usual. At the edge: as above.
pub const SLOW_DISK_FACTOR: usize = 8;
/// Longest election timeouts in which no frame may have been unsynced for half as long before the disk is sound
/// again. Source: chosen, four times as long as it takes to be called slow, so that leadership does not go to and fro.
pub const SOUND_DISK_ELECTIONS: usize = 8;
/// Longest election timeouts for which a replica on a slow disk lets others stand for election when nobody leads.
/// Source: chosen; others need one, or two after a split vote. At the edge: it stands, as a slow leader is better than
/// none.
pub const RELUCTANT_ELECTIONS: usize = 3;
/// Longest election timeouts for which a leader may give a follower nothing of what that lacks. Source: chosen, many
/// reads, and the time in which another replica's bytes mend a segment. At the edge: another is to lead.
pub const UNSERVED_ELECTIONS: usize = 4;
/// Longest election timeouts for which a voter that does not hear the leader may ask a follower that does. Source:
/// chosen, twice what an election takes at most, or a healed link to be used again. At the edge: the follower asks for
/// the leadership, if more voters hear it.
pub const UNHEARD_ELECTIONS: usize = 4;
/// How often the rest after a round of handing over in vain doubles. Source: chosen; 64 election timeouts.
pub const HAND_OVER_DOUBLINGS_MAX: u32 = 3;
/// Largest message between peers. Source: chosen, a frame's entries and their headers.
/// At the edge: the lane is closed.
pub const PEER_MESSAGE_BYTES_MAX: usize = 24 << 20;
/// Bytes queued towards one peer on one lane. Source: chosen, above two of the largest messages. At the edge:
/// appends are dropped; Raft sends them again.
pub const PEER_QUEUE_BYTES_MAX: usize = 64 << 20;
/// A batch below this is copied out of the buffer it came in, so that it does not keep the whole buffer alive.
/// Source: chosen, a quarter of a read. Bytes.
pub const BATCH_COPY_BELOW: usize = 16 << 10;
/// Quarters of its buffer that a batch fills at least, if the log keeps the buffer with it. Source: measured: what is kept
/// is at most a third more than what is counted, and records are three quarters of the memory in memory, so that all of
/// it stays within the limit; with two quarters 710 batches of 900 KiB, each in a request of twice that, took 1,265 MiB
/// of 1,024 (842 at worst with three). At the edge: the batch is copied.
pub const BATCH_QUARTERS_MIN: usize = 3;
/// How many entries a replica may be behind its leader's log and still count as in sync. Source: chosen. At the
/// edge: it is not named in the ISR, nor counted for min.insync.replicas.
pub const ISR_LAG_MAX: u64 = 4_096;
/// How many bytes a replica may lack and still count as in sync. Source: chosen, some more than a replica may have
/// proposed and not committed (`REPLICA_UNCOMMITTED_BYTES_MAX`), which any follower may lack. At the edge: as above.
pub const ISR_LAG_BYTES_MAX: usize = 16 << 20;
/// How long ago a replica may have had all that its leader had then, and still count as in sync. Source: chosen, a
/// third of Kafka's replica.lag.time.max.ms: no producer waits for a slow replica here. At the edge: as above.
pub const ISR_LAG_TIME_MAX: Duration = Duration::from_secs(10);
/// How often leaders look how far their followers are, for that. Source: chosen, a tenth of it.
pub const ISR_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long nobody may hear a node before clients are no longer told of it. Source: Kafka's broker.session.timeout.ms. At
/// the edge: Metadata and DescribeCluster leave it out, until it is heard again.
pub const NODE_GONE_AFTER: Duration = Duration::from_secs(9);
/// How long an answer about new topics waits for their leaders. Source: chosen, twice the default election
/// timeout would be 6 s; a client's own pause is 0.1 s. At the edge: the answer says LEADER_NOT_AVAILABLE.
pub const LEADERS_AWAITED_MAX: Duration = Duration::from_secs(2);
/// What a turn does for clients, in bytes of records that are looked at or decompressed. Source: chosen; some 20 ms of
/// processor time, and four times what a driver lets in a turn. At the edge: the rest is done in the next turn.
pub const TURN_WORK_BYTES: usize = 16 << 20;
/// The most that one step of a turn looks at: one batch of the largest size, as it came and decompressed, or a request
/// that names all partitions. At the edge: a turn ends no later than after its share and one step.
pub const STEP_WORK_BYTES: usize =
    BATCH_BYTES_MAX_CEILING + DECOMPRESSED_BYTES_MAX + PARTITIONS_MAX * PART_WORK_BYTES;
/// Partitions, or groups and their commits, that one piece of what a watched node tells is about. Source: chosen, half a
/// millisecond of processor time. At the edge: the next piece.
pub const WATCHED_PIECE: usize = 512;
/// What a part of a request counts as besides. Source: chosen, what a partition's look-ups and its answer take.
pub const PART_WORK_BYTES: usize = 256;
/// How long a request waits for a decision of the metadata leader, whatever the client says. Source: chosen, twice
/// clients' default of 30 s. At the edge: REQUEST_TIMED_OUT, and what was asked may still be done.
pub const DECISION_AWAITED_MAX: Duration = Duration::from_secs(60);
/// How long a producer waits for an id. Source: chosen, some elections: any node gives ids, and one whose disk has stopped
/// gives none. At the edge: COORDINATOR_LOAD_IN_PROGRESS, and its client asks again, or elsewhere.
pub const PRODUCER_ID_AWAITED_MAX: Duration = Duration::from_secs(5);
/// How long ListOffsets waits for a majority or the disk. Source: clients' default. At the edge: REQUEST_TIMED_OUT.
pub const OFFSETS_AWAITED_MAX: Duration = Duration::from_secs(30);
/// How long a fetch waits for the disk. Source: clients' default. At the edge: KAFKA_STORAGE_ERROR where nothing has come.
pub const DISK_AWAITED_MAX: Duration = Duration::from_secs(30);
/// How long a request for all topics waits for a node that has just started to know them. Source: chosen, several
/// elections, and a third of clients' default of 30 s. At the edge: the connection is closed.
pub const TOPICS_AWAITED_MAX: Duration = Duration::from_secs(10);
/// Between two looks for records that may go while space is short. Source: chosen, some turns of a busy node, and what
/// a fast disk is written in a few of them. At the edge: records may be refused although others could have gone.
pub const RETENTION_HURRY: Duration = Duration::from_millis(20);
/// And for each partition of the node, so that the looks take a part of the time only. Source: chosen, 20 times what a
/// partition's look takes.
pub const RETENTION_HURRY_PARTITION: Duration = Duration::from_micros(10);
/// How often produces that wait for their commit are looked through for those whose time is up.
/// Source: chosen: a timeout is 30 s by default, and rarely comes.
pub const SWEEP: Duration = Duration::from_millis(250);
/// Window that a leader keeps beyond its checkpoint for followers that are not far behind. Source: chosen, a
/// quarter of a second of a gigabit link. At the edge: they fetch by offset instead.
pub const WINDOW_KEPT_BYTES_MAX: usize = 32 << 20;
/// How long a stopping node lets produces finish. Source: chosen; a supervisor kills after 10 s or more.
/// At the edge: whoever waits is told that the outcome is unknown.
pub const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// How long a stopping node waits, after that, for its disk to be clean. Source: chosen; both together are below
/// the 30 s that most supervisors give. At the edge: the process ends all the same,
/// and says why; the next start replays the journal.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of entries in one append to a follower. Source: chosen, a millisecond of a gigabit link. At the edge:
/// the rest goes in the next append; a single larger entry goes alone.
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
/// How far above a replica's own term a message's may be. Source: chosen; half a year of an election a second that
/// the replica hears nothing of, and a hundredth of the terms that there are. At the edge: refused.
pub const TERM_LEAP_MAX: u64 = 1 << 24;
/// Members of one partition. Source: chosen, fits READY_ITEM_BYTES. At the
/// edge: INVALID_REPLICATION_FACTOR.
pub const MEMBERS_MAX: usize = 32;
/// Bytes of one fetch of a replica that catches up. Source: chosen; a fraction of the bulk lane's window.
pub const CATCH_UP_FETCH_BYTES: u32 = 1 << 20;
/// How long a replica that catches up waits for an answer. Source: chosen. At the edge: it gives up; the leader
/// asks it again.
pub const CATCH_UP_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of one fetch of a replica that mends a segment. Source: chosen, four times what lies between two entries
/// of an index. At the edge: what is left is asked for next.
pub const MEND_FETCH_BYTES: u32 = 64 << 10;
/// Bytes of one read of a replica that looks whether a segment is whole. Source: chosen, as a consumer's.
pub const MEND_READ_BYTES: usize = 1 << 20;
/// How long a mending waits for a peer's answer. Source: chosen, many round trips. At the edge: the next peer is
/// asked, after a wait.
pub const MEND_PATIENCE: Duration = Duration::from_secs(2);
/// Wait before a mending asks again. Source: chosen, an election or a peer's own mending may be over by then.
pub const MEND_WAIT_MIN: Duration = Duration::from_millis(50);
/// Longest such wait. Source: chosen. At the edge: no longer doubled.
pub const MEND_WAIT_MAX: Duration = Duration::from_secs(10);
/// How fast a node's binary reads through its segments in the background unless it is told otherwise, bytes a second.
/// Source: chosen: a terabyte in six days, a hundredth of what a disk reads. At the edge: the next read waits.
pub const SCRUB_BYTES_PER_SECOND: u64 = 2 << 20;
/// Bytes of one such read; a larger batch comes alone. Source: chosen, eight reads a second at that rate.
pub const SCRUB_READ_BYTES: usize = 256 << 10;
/// How long after its start a node begins. Source: chosen: a start has better things to do.
pub const SCRUB_AFTER_START: Duration = Duration::from_secs(60);
/// Rest after all was read through. Source: chosen; small data is read once a day.
pub const SCRUB_REST: Duration = Duration::from_secs(24 * 3600);
/// Rest where that met damage. Source: chosen: longer than mending a few places takes.
pub const SCRUB_REST_AFTER_DAMAGE: Duration = Duration::from_secs(600);
/// Bytes one peer's lane may hand to its driver on bulk before it waits for `Sent`. Source: chosen; what a
/// fast link carries in 10 ms. At the edge: messages wait in the lane's own queue.
pub const PEER_BULK_WINDOW_BYTES: usize = 8 << 20;
/// Credit given to one peer lane. Source: chosen, above one message. At the edge: given again when half is used.
pub const PEER_CREDIT_BYTES: usize = 32 << 20;
/// How long two nodes may take over their hellos. Source: chosen, many round trips.
/// At the edge: the lane is aborted.
pub const PEER_HELLO_MAX: Duration = Duration::from_secs(5);
/// What a link may bring before its hello is good, bytes. Source: chosen, many times a hello.
/// At the edge: it is aborted.
pub const PEER_STRANGER_BYTES_MAX: usize = 16 << 10;
/// Accepted peer links whose hello is not good yet. Source: chosen. At the edge: the oldest is aborted, so that those
/// who only stay keep no member out.
pub const PEER_STRANGERS_MAX: usize = 64;
/// How often a refusal of one kind is told of one peer. Source: chosen, seen by whoever looks and no flood.
/// At the edge: it is not told.
pub const REFUSAL_REPEAT: Duration = Duration::from_secs(600);
/// How long a peer may read nothing of what waits on a lane. Source: as for clients. At the edge: the lane is
/// aborted and dialled anew.
pub const PEER_UNREAD_MAX: Duration = Duration::from_secs(30);
/// Wait before the first repetition of a failed dial. Source: chosen, well below an election timeout.
pub const PEER_DIAL_WAIT_MIN: Duration = Duration::from_millis(50);
/// Longest wait between two dials. Source: chosen, below an election timeout. At the edge: no longer doubled.
pub const PEER_DIAL_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long after its start a node looks what the registry says of it, and again while nobody leads. Source: chosen: a
/// start has better things to do, and a level is raised within a second.
pub const REGISTER_LOOK_AFTER: Duration = Duration::from_millis(200);
/// How long it waits before it asks once more. Source: chosen, as a forwarded request waits for its answer.
pub const REGISTER_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How long a forwarded request waits for its answer. Source: chosen, a third of clients' default of 30 s.
/// At the edge: the asker is told that it is lost.
pub const FORWARD_WAIT_MAX: Duration = Duration::from_secs(10);
/// Requests this node may have forwarded at a time. Source: chosen. At the edge: NOT_CONTROLLER.
pub const FORWARDS_MAX: usize = 10_000;
/// Leaders told in one message; more take several. Source: chosen, a quarter of what a body may list.
pub const LEADERS_PER_MESSAGE: usize = 16_384;
/// How long a request waits for someone to lead the metadata partition. Source: chosen: longer than a start, and
/// than most elections. At the edge: NOT_CONTROLLER.
pub const CONTROLLER_AWAITED_MAX: Duration = Duration::from_secs(2);
/// How long the journal is quiet before the last frame is sealed. Source: chosen, many syncs of a sound
/// disk.
pub const JOURNAL_SEAL_AFTER: Duration = Duration::from_millis(50);
/// What an item and its header may take of a frame at least. Source: chosen. At the edge: the frame is
/// called full a little early.
pub const FRAME_ROOM_SPARED_BYTES: usize = 1 << 10;
/// Bytes of one write to a segment. Source: chosen. At the edge: the rest follows in another.
pub const SEGMENT_WRITE_BYTES_MAX: u64 = 8 << 20;
/// Dead replicas remembered: what a slot of node.meta holds. Source: chosen, above PARTITIONS_MAX, of which one node
/// has a replica each. There is no edge: whoever is neither on the disk nor in the image is forgotten.
pub const DEAD_REPLICAS_MAX: usize = 32_000;
/// Smallest read of a segment. Source: chosen, a usual readahead.
pub const SEGMENT_READ_BYTES_MIN: u64 = 64 << 10;
/// Largest, unless a single batch is larger. Source: chosen. At the edge: a smaller answer.
pub const SEGMENT_READ_BYTES_MAX: u64 = 8 << 20;
/// Reads of segments that are under way together, bytes. Source: chosen, two of the largest. At the edge: the next waits
/// for one to end, unless fewer than `SEGMENT_READS_MIN` are under way.
pub const SEGMENT_READS_BYTES_MAX: u64 = 8 << 20;
/// Reads of segments that may be under way whatever their size. Source: chosen, the driver's threads that read.
pub const SEGMENT_READS_MIN: usize = 2;
/// Segments whose removal is under way. Source: chosen: a write that is asked for meanwhile waits for so few. At the
/// edge: the others wait.
pub const REMOVALS_UNDER_WAY_MAX: usize = 4;
/// Damaged places remembered. Source: chosen. At the edge: the first is forgotten and found again.
pub const DAMAGES_MAX: usize = 1024;
/// Notes about files left in place, at one start. Source: chosen. At the edge: the others are not named.
pub const LEFT_NOTES_MAX: usize = 20;
/// What one step of zeroing writes: a frame behind it waits for about 0.1 ms. Source: chosen.
pub const JOURNAL_ZERO_STEP_BYTES: u64 = 256 << 10;
/// Free files kept for reuse. Source: chosen: one in use next, one spare. At the edge: removed.
pub const JOURNAL_FREE_FILES_MAX: usize = 2;
/// How long doomed files lie before a checkpoint is called for to remove them, on a node that is too quiet
/// for one. Source: chosen.
pub const DOOMED_AGE_MAX: Duration = Duration::from_secs(10);
/// What one step of compaction looks through, stored and decompressed together, unless one batch alone is more. Source:
/// chosen, about a millisecond and a half. At the edge: the next step. Bytes.
pub const COMPACTION_STEP_BYTES: u64 = 512 << 10;
/// How much of it there is in a second. Source: chosen, a tenth of a core. Bytes.
pub const COMPACTION_BYTES_PER_SECOND: u64 = 16 << 20;
/// How often it is looked which logs are to be compacted. Source: Kafka's log.cleaner.backoff.ms.
pub const COMPACTION_LOOK: Duration = Duration::from_secs(15);
/// Keys of a log that is compacted take one part in so many of the node's memory, and at most so many bytes. Source:
/// chosen, and Kafka's log.cleaner.dedupe.buffer.size. At the edge: another pass.
pub const COMPACTION_KEYS_SHARE: u64 = 32;
/// See [`COMPACTION_KEYS_SHARE`].
pub const COMPACTION_KEYS_BYTES_MAX: u64 = 128 << 20;
/// Compactions of a log whose times are remembered, for its tombstones. Source: chosen, 1 KiB a partition. At the edge: two
/// that follow each other shortly count as the later, and tombstones live that much longer.
pub const COMPACTIONS_MAX: usize = 64;
/// Entries kept in memory over all segments. Source: chosen, 3 MiB. At the edge: the index that was loaded
/// first is forgotten, and read again when it is needed.
pub const INDEX_ENTRIES_CACHED_MAX: usize = 128 << 10;
/// Between two tries. Source: chosen.
pub const SPACE_RETRY_AFTER: Duration = Duration::from_secs(1);
/// What one read asks for, if the frame is not larger. Source: chosen.
pub const WALK_READ_BYTES: u64 = 1 << 20;
/// Logs written before their time at once when memory is short: those that have waited longest.
/// Source: chosen. At the edge: the next ones follow when these are written.
pub const LOGS_WRITTEN_EARLY: usize = 64;
/// How long a new member that waits for a rebalance to end is waited for. Source: Kafka's new member join timeout. At the
/// edge: it is no member, and joins anew.
pub const GROUP_JOIN_AWAITED_MAX: Duration = Duration::from_secs(300);
/// How long an answer of a coordinator is waited for that does not wait for members. Source: Kafka's
/// offsets.commit.timeout.ms. At the edge: COORDINATOR_NOT_AVAILABLE, and what was asked may still be done.
pub const GROUP_AWAITED_MAX: Duration = Duration::from_secs(5);
/// How long a rebalance of an empty group waits for more members, in a cluster, milliseconds; alone not at all. Source:
/// Kafka's group.initial.rebalance.delay.ms.
pub const GROUP_INITIAL_REBALANCE_DELAY_MS: u32 = 3_000;
/// When what was proposed about a group is looked at again: a proposal may be dropped. Source: chosen.
pub const GROUP_LOOKED_AT_AGAIN: Duration = Duration::from_secs(1);
/// Groups of one partition of `__consumer_offsets`. Source: chosen. At the edge: GROUP_MAX_SIZE_REACHED for who would make
/// another, by joining or by committing.
pub const GROUPS_MAX: usize = 200_000;
/// Groups and members that one step of an election gives sessions. Source: chosen; well below a millisecond. At the edge:
/// the next step.
pub const GROUPS_SEATED: usize = 1_000;
/// Alarms of groups that one turn looks at. Source: chosen. At the edge: the next turn.
pub const GROUP_ALARMS: usize = 1_000;
/// Offsets that one step looks at to see whether they are over, unless one group has more. Source: chosen; well below a
/// millisecond. At the edge: the next step.
pub const OFFSETS_SWEPT: usize = 2_000;
/// Between two such steps. Source: chosen: a million offsets take five seconds, and a hundredth of a core.
pub const OFFSETS_SWEPT_ON: Duration = Duration::from_millis(10);
/// How often it is looked whether topics are gone for which offsets are kept. Source: chosen: they are not seen any more,
/// and take space.
pub const OFFSETS_SWEPT_AFTER: Duration = Duration::from_secs(30);
/// Shortest and longest session of a member, unless it is set otherwise, milliseconds. Source: Kafka's
/// group.min.session.timeout.ms and group.max.session.timeout.ms. At the edge: INVALID_SESSION_TIMEOUT.
pub const GROUP_SESSION_MS: (i32, i32) = (6_000, 1_800_000);
/// Members of a group, unless it is set lower. Source: chosen; Kafka has no limit by default. At the edge:
/// GROUP_MAX_SIZE_REACHED.
pub const GROUP_MEMBERS_MAX: usize = 10_000;
/// How long a member of a consumer group may be silent, and how often it is heard, milliseconds. Source: Kafka's
/// group.consumer.session.timeout.ms and group.consumer.heartbeat.interval.ms.
pub const CONSUMER_SESSION_MS: i32 = 45_000;
/// See [`CONSUMER_SESSION_MS`].
pub const CONSUMER_HEARTBEAT_MS: i32 = 5_000;
/// Between two assignments of a consumer group, milliseconds: who comes within that time is taken along. Source: Kafka's
/// group.consumer.assignment.interval.ms.
pub const CONSUMER_ASSIGNMENT_MS: i32 = 1_000;
/// Steps (a member, a topic of it, a partition, a name looked at) that one decision takes for a consumer group. Source:
/// chosen; some milliseconds. At the edge: the next turn goes on.
pub const CONSUMER_STEPS: usize = 50_000;
/// Bytes of a regular expression that somebody subscribes by. Source: chosen. At the edge: INVALID_REGULAR_EXPRESSION.
pub const PATTERN_BYTES_MAX: usize = 4_096;
/// Bytes that it takes compiled. Source: chosen: some two thousand instructions, and so many steps for each letter of a
/// name at worst. At the edge: INVALID_REGULAR_EXPRESSION.
pub const PATTERN_COMPILED_BYTES_MAX: usize = 128 << 10;
/// Up to here a name counts for one step. Source: chosen.
pub const PATTERN_LIGHT_BYTES: usize = 16 << 10;
/// UTF-16 units of what a client says besides an offset. Source: Kafka's offset.metadata.max.bytes. At the edge:
/// OFFSET_METADATA_TOO_LARGE.
pub const OFFSET_METADATA_MAX: usize = 4_096;
