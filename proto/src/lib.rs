//! Shapes: every language that Rust-MQ speaks or stores, as plain structs and views with their encoders and
//! decoders. Pure: no IO, no meaning; what a message leads to is `core`'s.
//!
//! - [`kafka`]: requests and responses, one declarative description an API.
//! - [`records`]: record batches as views over their bytes.
//! - [`peer`]: what nodes say to each other.
//! - [`grpc`]: the messages of the gRPC interface, made of `rustmq/v1/*.proto`.
//! - [`translation`]: these in Kafka's words, and back.
//!
//! Invariant: no bytes from outside make a decoder panic or take more memory than it was allowed.

pub mod grpc;
pub mod kafka;
pub mod peer;
pub mod records;
pub mod translation;
