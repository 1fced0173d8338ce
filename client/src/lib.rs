//! Rust-MQ for Rust programs: a `Producer`, a `Consumer` and an `Admin`, over the gRPC door of the cluster.
//!
//! A [`Client`] knows some addresses of a cluster and finds everything else out: which node leads a partition, which
//! coordinates a group, and where they have gone when they move. What is temporary is tried again, with growing pauses
//! and until a deadline; what is permanent comes back as an [`Error`] that says which node said what.
//!
//! ```no_run
//! # async fn example() -> Result<(), rust_mq_client::Error> {
//! use rust_mq_client::{Client, To, grpc::DescribeClusterRequest};
//!
//! let client = Client::new("broker-1:9092,broker-2:9092")?;
//! let cluster = client.ask(To::Anyone, DescribeClusterRequest {}).await?;
//! println!("{} nodes", cluster.nodes.len());
//! # Ok(())
//! # }
//! ```
//!
//! # How it is built
//!
//! All that decides lies in `machine`: pure state machines, which are told what happened and say what to do, without a
//! clock, a socket or chance of their own; the broker's simulator drives them under faults that no test with sockets
//! could bring about. Around them is a thin shell on tokio and tonic: [`Connections`] has one channel for each node,
//! [`Client`] asks and follows.
//!
//! Not here: what calls and messages mean, which stands in `proto/rustmq/v1/*.proto`, and record batches, which are
//! `rust_mq_proto::records`'.

mod asking;
mod call;
mod client;
mod connections;
mod machine;
mod producer;
mod settings;
mod status;

pub use call::Call;
pub use client::{Client, Patience, To};
pub use connections::Connections;
pub use machine::backoff::Pauses;
pub use machine::error::{Error, Remedy};
pub use machine::record::Record;
pub use producer::{Delivery, Placed, Producer, ProducerSettings};
/// The messages of the calls.
pub use rust_mq_proto::grpc;
pub use rust_mq_proto::grpc::Acks;
/// How batches are compressed.
pub use rust_mq_proto::records::Codec as Compression;
pub use settings::ClientSettings;
