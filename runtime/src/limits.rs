//! Every bound of the driver: its value, its unit, where it comes from, and what happens at its edge.
//!
//! What the core bounds (requests, memory per connection, queues towards peers) stands in its own `limits`.

use std::time::Duration;

/// Events of one turn. Source: chosen; a turn of this many small requests stays under 10 ms.
/// At the edge: the rest waits for the next turn, which follows at once.
pub const TURN_EVENTS_MAX: usize = 4_096;
/// Bytes that the events of one turn carry, the last one's overshoot aside. Source: chosen, a quarter of a
/// journal frame. At the edge: as above.
pub const TURN_BYTES_MAX: usize = 4 << 20;
/// One read of a socket, and what the core thread's shared read buffer takes. Source: the usual receive
/// window of a loopback or LAN client with many small requests. At the edge: the link is read in bulk.
pub const READ_BYTES: usize = 64 << 10;
/// One read of a socket that filled the last read, if its credit goes as far. Source: the core's credit; more
/// would leave the processor's cache before the core has copied it. At the edge: the link's turn is over.
pub const BULK_READ_BYTES: usize = 256 << 10;
/// Slices of one vectored write. Source: chosen, 2 KiB of stack; the kernel's IOV_MAX is 1,024.
/// At the edge: another write.
pub const WRITE_SLICES: usize = 128;
/// Client connections. Source: chosen; with the least credit of each 40 MiB. At the edge: new ones are
/// closed, one log line a second says so.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Client connections from one address that is not loopback. Source: as above.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 1_000;
/// Listeners of a node for clients. Source: chosen, several times what networks there are. At the edge: refused at the
/// start.
pub const LISTENERS_MAX: usize = 16;
/// Connections taken from the kernel in one turn. Source: chosen. At the edge: the rest next turn.
pub const ACCEPTS_PER_TURN: usize = 64;
/// Descriptors that connections leave to files, peers and the runtime. Source: `OPEN_FILES_MAX`,
/// `PEER_CONNECTIONS_MAX`, and 128 for the ring of journal files and the rest. At the edge: the connection limit
/// is lowered, and said; see `descriptors` for what is left of a small limit.
pub const RESERVED_DESCRIPTORS: usize = 640;
/// How long accepting rests when the process is out of descriptors. Source: chosen; never a busy loop.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection may stay silent before its first four bytes while connections are scarce. Source: chosen, many
/// round trips. At the edge: it is closed.
pub const FIRST_BYTES_WAIT: Duration = Duration::from_secs(10);
/// How long a client may refuse to take bytes while connections are scarce. Source: chosen, as long as clients wait for
/// an answer. At the edge: closed. The core ends it earlier if others need the memory.
pub const UNREAD_WAIT: Duration = Duration::from_secs(30);
/// How long a connection may be silent, or take nothing, while connections are not scarce. Source: Kafka's
/// `connections.max.idle.ms`. At the edge: closed.
pub const IDLE_WAIT: Duration = Duration::from_secs(600);
/// Connections are scarce once one in so many of the limit is taken. Source: chosen. At the edge: who is slow is not
/// waited for as long.
pub const CONNECTIONS_SCARCE: usize = 2;
/// How often the three waits above are looked at. Source: chosen. Only while there are connections.
pub const SWEEP: Duration = Duration::from_secs(5);
/// How long the last answers may take to leave at the end. Source: chosen. At the edge: they are lost.
pub const LAST_WORDS_WAIT: Duration = Duration::from_secs(1);
/// How often it is looked whether they have left. Source: chosen.
pub const LAST_WORDS_LOOK: Duration = Duration::from_millis(5);

/// How long after the first signal to stop another one is a second wish, and not the same. Source: chosen, below
/// what a person needs to press Ctrl-C again.
pub const SECOND_SIGNAL_AFTER: Duration = Duration::from_millis(300);

/// Open files besides the journal, checkpoint and node.meta. Source: chosen; an open costs 2 us.
/// At the edge: the one used longest ago is closed.
pub const OPEN_FILES_MAX: usize = 256;
/// Bytes of a segment's write from which on it goes around the page cache. Source: measured; below, the two
/// ends that go through it cost as much. A journal's frame, which has no such ends, always does.
pub const DIRECT_BYTES_MIN: usize = 256 << 10;
/// Aligned memory of a lane for such writes, taken with the first. Source: measured; smaller pieces wait for
/// the device more often. At the edge: another piece.
pub const DIRECT_MEMORY_BYTES: usize = 2 << 20;
/// Threads that read files. Source: chosen, so that one cold read does not hold up all others.
pub const READ_THREADS: usize = 2;
/// What a part of a file of the memory disk is charged above its bytes: tree slot, `Bytes` and its shared
/// header. Source: measured, rounded up. At the edge: tiny parts fill the disk as their real memory does.
pub const PART_OVERHEAD_BYTES: u64 = 128;
/// Smallest `--memory-limit`. Source: chosen; below, not even one journal frame and its readers fit.
pub const MEMORY_LIMIT_MIN: u64 = 32 << 20;
/// Largest `--memory-limit` where the system does not say how much memory there is. Source: chosen, beyond any machine.
/// At the edge: refused, as what is more than the machine has.
pub const MEMORY_LIMIT_MAX: u64 = 64 << 40;
/// Largest default of `--memory-limit`. Source: chosen; a larger one is asked for.
pub const MEMORY_LIMIT_DEFAULT_MAX: u64 = 4 << 30;
/// What the memory disk leaves of the limit to buffers, at most; otherwise a quarter. Source: chosen.
pub const BUFFER_RESERVE_MAX: u64 = 256 << 20;
/// What it leaves to partitions, and what is remembered for them, at most; otherwise an eighth. Source: 20,000
/// partitions take 137 MiB, measured.
pub const PARTITIONS_RESERVE_MAX: u64 = 128 << 20;

/// HTTP/2 streams of one peer connection. Source: chosen, a hundred times what two lanes need; tonic sets none.
pub const PEER_STREAMS_MAX: u32 = 8;
/// HTTP/2 streams that were reset for the other side's errors. Source: as above.
pub const PEER_RESETS_MAX: usize = 1_024;
/// HTTP/2 streams reset by the other side before we took them up. Source: hyper's default.
pub const PEER_PENDING_RESETS_MAX: usize = 20;
/// Header list of a peer's call. Source: hyper's default.
pub const PEER_HEADERS_BYTES_MAX: u32 = 16 << 10;
/// HTTP/2 ping to a silent peer. Source: chosen.
pub const PEER_KEEPALIVE: Duration = Duration::from_secs(30);
/// How long the answer to that ping may take. At the edge: the lane is closed.
pub const PEER_KEEPALIVE_WAIT: Duration = Duration::from_secs(10);
/// HTTP/2 window of one lane. Source: chosen, bandwidth times delay of 1 GB/s and 1 ms; a lane has a
/// connection of its own, so both windows are the same.
pub const PEER_WINDOW_BYTES: u32 = 1 << 20;
/// How long connecting to a peer may take. Source: chosen, under two election timeouts.
/// At the edge: `Closed`; the core dials again.
pub const PEER_CONNECT_WAIT: Duration = Duration::from_secs(2);
/// Connections that others may hold open at the peers' door. Source: chosen, far above two a member. At the edge: the
/// oldest stranger goes; where all are peers', a new one is closed, and one log line a second says so.
pub const PEER_CONNECTIONS_MAX: usize = 256;
/// Those among them of which it is not known who is there. Source: chosen, as the core's `PEER_STRANGERS_MAX`.
/// At the edge: the oldest goes.
pub const PEER_VISITORS_MAX: usize = 64;
/// How long a peer's connection may be without a lane, once it had one. Source: chosen; a lane that broke alone is
/// opened on a connection of its own. At the edge: it is closed.
pub const PEER_LANELESS_WAIT: Duration = Duration::from_secs(10);

/// Calls under way over gRPC. Source: chosen, as many as half of the clients' connections. At the edge: a call more is
/// refused, RESOURCE_EXHAUSTED.
pub const GRPC_LINES_MAX: usize = 4_096;
/// Lines that a gRPC connection keeps for its next calls. Source: chosen, what one busy client has in flight. At the
/// edge: the line is closed, and the next call opens one.
pub const GRPC_IDLE_LINES_MAX: usize = 32;
/// Streams of one gRPC connection. Source: chosen, as gRPC servers usually allow. At the edge: HTTP/2 holds the next
/// back.
pub const GRPC_STREAMS_MAX: u32 = 128;
/// Streams that were reset for the client's errors, at a time. Source: hyper's default. At the edge: GOAWAY.
pub const GRPC_RESETS_MAX: usize = 1_024;
/// Streams that the client reset before we took them up, at a time. Source: hyper's default (CVE-2023-44487). At the
/// edge: GOAWAY.
pub const GRPC_PENDING_RESETS_MAX: usize = 20;
/// Header list of a call. Source: hyper's default. At the edge: the stream is refused.
pub const GRPC_HEADERS_BYTES_MAX: u32 = 16 << 10;
/// HTTP/2 window of one stream. Source: chosen, a 32nd of a connection's: h2 ends a connection on which more small
/// DATA frames wait than half of its window is worth at 256 bytes each (`record_data_frame`), and those of a stream that is
/// held back wait.
pub const GRPC_STREAM_WINDOW_BYTES: u32 = 64 << 10;
/// HTTP/2 frame from a client. Source: chosen, half of a stream's window: the next is on its way while one is read. At the
/// edge: the connection is closed.
pub const GRPC_FRAME_BYTES_MAX: u32 = 32 << 10;
/// HTTP/2 window of a connection. Source: chosen, bandwidth times delay of 1 GB/s and 2 ms.
pub const GRPC_WINDOW_BYTES: u32 = 2 << 20;
/// What of answers waits in HTTP/2 for one stream's window. Source: chosen; an answer more large is handed over whole.
pub const GRPC_SEND_BYTES: usize = 256 << 10;
/// HTTP/2 ping to a silent client. Source: chosen.
pub const GRPC_KEEPALIVE: Duration = Duration::from_secs(30);
/// How long the answer to that ping may take. At the edge: the connection is closed.
pub const GRPC_KEEPALIVE_WAIT: Duration = Duration::from_secs(10);
/// How long a gRPC connection may be without a call. Source: Kafka's `connections.max.idle.ms`. At the edge: GOAWAY.
pub const GRPC_IDLE_WAIT: Duration = Duration::from_secs(600);
/// A message of a call, to us. Source: gRPC's usual default. At the edge: OUT_OF_RANGE.
pub const GRPC_MESSAGE_BYTES_MAX: usize = 4 << 20;
/// A message of ours. Source: chosen, above what a fetch returns at most. At the edge: OUT_OF_RANGE.
pub const GRPC_ANSWER_BYTES_MAX: usize = 16 << 20;
/// What a fetch over gRPC returns at most, its first batch aside. Source: chosen, a quarter of an answer.
pub const GRPC_FETCH_BYTES_MAX: i32 = 4 << 20;
/// What a fetch over gRPC returns of one partition unless it says so. Source: Kafka's `max.partition.fetch.bytes`.
pub const GRPC_FETCH_PARTITION_BYTES: i32 = 1 << 20;
/// What records take that are returned as fields, and one batch of them while it is read. Source: chosen, three quarters
/// of an answer. At the edge: the next fetch goes on there.
pub const GRPC_FIELDS_BYTES_MAX: usize = 12 << 20;
/// How long a fetch over gRPC waits at most. Source: chosen, twice what Kafka's consumers wait. At the edge: an empty
/// answer.
pub const GRPC_WAIT_MAX: Duration = Duration::from_secs(60);
/// For how long one long poll parks at the core's desk at a time. Source: chosen: a hundredth of a core for 10,000 of
/// them. At the edge: it asks again; who has hung up does not.
pub const GRPC_POLL_MAX: Duration = Duration::from_secs(5);
/// Memory for messages over gRPC that are not whole yet and for records as fields, as a part of the memory limit: one in
/// so many. Source: chosen. At the edge: who wants more waits, then RESOURCE_EXHAUSTED.
pub const GRPC_POOL_SHARE: u64 = 32;
/// The least of it. Source: chosen, three largest messages and one answer's fields.
pub const GRPC_POOL_BYTES_MIN: usize = 24 << 20;
/// The most of it. Source: chosen, 16 largest messages.
pub const GRPC_POOL_BYTES_MAX: usize = 64 << 20;
/// How much of a message is not counted. Source: the core's least credit of a link. At the edge: the rest is.
pub const GRPC_SMALL_BYTES: usize = 4 << 10;
/// How long whoever holds some of it may not move while others wait. Source: the core's `CONNECTION_UNREAD_MAX`. At the
/// edge: its connection is closed.
pub const GRPC_STUCK_MAX: Duration = Duration::from_secs(2);
/// How often it is looked who that is, by each that waits. Source: chosen.
pub const GRPC_STUCK_LOOK: Duration = Duration::from_millis(500);
/// What a message may take in memory when it is decoded, beside its bytes. Source: chosen, 130,000 records in fields. At
/// the edge: RESOURCE_EXHAUSTED.
pub const GRPC_DECODED_BYTES_MAX: usize = 24 << 20;
/// How long a message waits for room. Source: chosen, below what callers wait. At the edge: RESOURCE_EXHAUSTED.
pub const GRPC_POOL_WAIT: Duration = Duration::from_secs(5);
/// How long it may be until the core hears that a caller has taken an answer. Source: chosen: a wake-up a millisecond costs
/// a few thousandths of a core.
pub const GRPC_SPENT_WAIT: Duration = Duration::from_millis(1);
/// How long a message may take from its first counted byte to its last. Source: chosen, 70 KB/s for the largest. At the
/// edge: its call ends.
pub const GRPC_ARRIVAL_MAX: Duration = Duration::from_secs(60);
/// How long whoever began with HTTP/2's first four bytes may take for the rest of its hello. Source: as
/// `FIRST_BYTES_WAIT`. At the edge: the connection is closed.
pub const GRPC_HELLO_WAIT: Duration = Duration::from_secs(10);
/// Frames without content of one connection in a second; a reset counts as five. Source: chosen, ten times what the
/// liveliest clients send. At the edge: the connection is closed.
pub const GRPC_FLOOD_POINTS: u32 = 10_000;
/// Connections over gRPC, as a part of the memory limit at `GRPC_CONNECTION_BYTES` each: one in so many. At the edge: a
/// new one is closed, one log line a second says so.
pub const GRPC_CONNECTIONS_SHARE: u64 = 32;
/// What an idle gRPC connection takes. Source: measured, rounded up.
pub const GRPC_CONNECTION_BYTES: u64 = 32 << 10;
/// How often it is looked whether a node is still healthy, for those who watch. Source: chosen.
pub const GRPC_WATCH_EVERY: Duration = Duration::from_secs(1);
/// Messages of one `ProduceStream` that are not answered. Source: the core's `CONNECTION_REQUESTS_MAX`, beyond which it
/// takes up none. At the edge: the stream is not read.
pub const GRPC_PIPELINE_MAX: usize = 64;
/// Partitions of one `Subscribe`. Source: chosen, as many as a busy node has. At the edge: RESOURCE_EXHAUSTED.
pub const GRPC_SUBSCRIBED_MAX: usize = 20_000;
/// How long a decision or a commit is waited for, unless the call says so. Source: clients' usual `request.timeout.ms`.
pub const GRPC_DECISION_WAIT: Duration = Duration::from_secs(30);

/// Connections of those who watch the node. Source: chosen, several times what a pair of Prometheus servers, a probe and
/// a person need. At the edge: a new one is closed, one log line a second says so.
pub const ADMIN_CONNECTIONS_MAX: usize = 16;
/// How long one of them may take for a request's head, and be silent between two. Source: hyper's default. At the edge:
/// it is closed.
pub const ADMIN_REQUEST_WAIT: Duration = Duration::from_secs(30);
/// How long one of them lasts altogether, whether its answers are taken or not. Source: as `IDLE_WAIT`. At the edge: it
/// is closed.
pub const ADMIN_CONNECTION_WAIT: Duration = Duration::from_secs(600);
/// Headers of a request of theirs. Source: hyper's default is 100. At the edge: 431.
pub const ADMIN_HEADERS_MAX: usize = 64;
/// Bytes of a request's head. Source: hyper's least. At the edge: 431.
pub const ADMIN_HEADERS_BYTES_MAX: usize = 16 << 10;
/// How long the core may take for an answer to one question. Source: chosen, half of what Prometheus and Kubernetes
/// usually wait. At the edge: 503.
pub const ADMIN_ANSWER_WAIT: Duration = Duration::from_secs(5);

/// Size of a file of secrets. Source: chosen, above the longest four. At the edge: refused.
pub const SECRET_FILE_BYTES_MAX: u64 = 4 << 10;
/// Size of a cluster file. Source: chosen, thousands of members. At the edge: refused.
pub const CLUSTER_FILE_BYTES_MAX: u64 = 1 << 20;
/// Longest piece of a cluster file's line that is shown with a mistake, characters. Source: chosen, a wide terminal.
/// At the edge: the piece around the mistake, between ellipses.
pub const EXCERPT_MAX: usize = 120;
/// Longest line of the last words of a process, characters. Source: chosen, twice a mistake's text and its place. At
/// the edge: cut, with an ellipsis.
pub const LINE_SHOWN_MAX: usize = 600;
/// Longest text of remote origin in a log line, characters. Source: chosen.
pub const LOG_TEXT_MAX: usize = 256;
/// Log lines about rejected links in one second. Source: chosen. At the edge: counted, and the count logged.
pub const REJECTED_LINES_PER_SECOND: u32 = 10;
/// Log lines about topics that were made, widened or deleted in one second. Source: chosen. At the edge: as above.
pub const TOPIC_LINES_PER_SECOND: u32 = 10;
/// Log lines about data that was found damaged in one second: whoever reads it all finds all of it. Source: chosen. At the
/// edge: as above.
pub const DAMAGE_LINES_PER_SECOND: u32 = 10;
/// Log lines about replicas that were mended, caught up or died in one second. Source: chosen. At the edge: as above.
pub const REPLICA_LINES_PER_SECOND: u32 = 10;
/// Log lines in one second about connections that are turned away for one kind of reason. Source: chosen. At the edge: as
/// above.
pub const REFUSED_LINES_PER_SECOND: u32 = 1;
