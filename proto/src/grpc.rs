//! The messages of the gRPC interface, as `rustmq/v1/*.proto` has them: what each means stands there. Besides, gRPC's own
//! health protocol.
//!
//! Not here: the service's stubs, which whoever calls makes of the same files; what a call means (each is a Kafka API's, in
//! whose words `translation` puts it).

#![allow(clippy::all, reason = "generated")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated")]

include!(concat!(env!("OUT_DIR"), "/rustmq.v1.rs"));

/// gRPC's own health protocol.
pub mod health {
    include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.rs"));
}

/// All of it as data: a `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
