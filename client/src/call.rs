//! The calls of the service that have one message each way: what is asked, what is answered, and the path. Made of
//! `proto/rustmq/v1/broker.proto` when the crate is built.

use rust_mq_proto::grpc;

/// A message that is a call of its own: `CreateTopicsRequest` asks `CreateTopics`.
pub trait Call: prost::Message + Clone + Default + Send + Sync + 'static {
    /// What comes back.
    type Answer: prost::Message + Default + Send + Sync + 'static;
    /// Where it is asked.
    const PATH: &'static str;
}

include!(concat!(env!("OUT_DIR"), "/calls.rs"));
