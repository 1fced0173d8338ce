//! The gRPC interface in Kafka's words: each call's message as the request of Kafka's protocol that means the same, and
//! Kafka's answer as the call's. So no call has a meaning of its own. `runtime` translates so what comes over HTTP/2; it is
//! pure, so that a simulator can do the same with what the client's machines ask.
//!
//! ```text
//! ProduceRequest of gRPC -> to_append -> ProduceRequest of Kafka, in the version records::PRODUCE; or a Misuse
//!                                            |
//!                                       asked, and answered
//!                                            v
//! ProduceResponse of gRPC <- appended <- ProduceResponse of Kafka; or an Error, for which the call fails as a whole
//! ```
//! - [`records`], [`fetch`], [`topics`], [`groups`], [`offsets`], [`settings`]: the calls, by family.
//! - [`error`]: Kafka's codes as errors, and when one fails the call. [`details`]: how a status carries one.
//! - [`Misuse`]: messages that are nothing in Kafka's words. [`weight`]: what they become in memory, before they do.
//!
//! Invariant: errors of an answer name no leader here. Who that is must be asked for ([`error::missing`] says whether
//! it is worth it), and stands in the answers to [`topics::to_leader`], [`groups::to_find`] and DescribeCluster.
//!
//! Not here: asking, and asking again (a long fetch), what is waited for and where memory is taken from, which are
//! the askers'; what a request means (the core's `api`). What their settings say comes as arguments.

mod by_topic;
pub mod details;
pub mod error;
pub mod fetch;
pub mod groups;
mod misuse;
pub mod offsets;
pub mod records;
pub mod settings;
pub mod topics;
pub mod weight;

pub use misuse::Misuse;

/// Text that was said.
fn if_said(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
