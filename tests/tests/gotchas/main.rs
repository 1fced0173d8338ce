//! The traps that brokers which are not Apache Kafka fall into, each with a test named after its number in the
//! project's list of them. The real binary is asked over TCP through a codec that shares no code with ours;
//! where an answer's exact bytes matter, they are read by hand.
//!
//! One room a kind: `versions` (what is advertised, and what the headers look like), `topics` (Metadata,
//! CreateTopics, DeleteTopics, DescribeCluster), `records` (Produce and Fetch), `offsets` (ListOffsets,
//! OffsetForLeaderEpoch, InitProducerId), `groups` (members, their offsets), `consumers` (members of KIP-848),
//! `settings` (what a topic may be told), `configs` (telling and changing it), `administration` (what else an
//! administrator asks), `retention` (what goes, and when).
//!
//! Not here: traps of APIs that are not served yet (SASL, transactions); bytes no client would
//! send (`hostile_requests.rs`, `hostile_records.rs`).

mod administration;
mod configs;
mod consumers;
mod groups;
mod offsets;
mod records;
mod retention;
mod settings;
mod topics;
mod versions;
