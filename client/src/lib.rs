//! Rust-MQ for Rust programs: a `Producer`, a `Consumer` and an `Admin`, over the gRPC door of the cluster.
//!
//! A [`Client`] knows some addresses of a cluster and finds everything else out: which node leads a partition, which
//! coordinates a group, and where they have gone when they move. What is temporary is tried again, with growing pauses
//! and until a deadline; what is permanent comes back as an [`Error`] that says which node said what.
//!
//! ```no_run
//! # async fn example() -> Result<(), rust_mq_client::Error> {
//! use rust_mq_client::{Client, ConsumerSettings, ProducerSettings, Record};
//!
//! let client = Client::new("broker-1:9092,broker-2:9092,broker-3:9092")?;
//! let producer = client.producer(ProducerSettings::default())?;
//! let delivery = producer.send(Record::new("greetings", "hello").key("world")).await?;
//! println!("at {:?}", delivery.await?);
//! producer.close().await;
//!
//! let consumer = client.consumer(ConsumerSettings::group("readers"))?;
//! consumer.subscribe(&["greetings"])?;
//! let message = consumer.next().await?;
//! println!("{}/{}: {:?}", message.partition, message.offset, message.value);
//! # Ok(())
//! # }
//! ```
//!
//! They go on when the node that leads the topic is killed in the middle. A producer's records are in their partition once
//! and in order, and each resolves to where it is or to why not; a consumer hands each record out at least once.
//!
//! # How it is built
//!
//! All that decides lies in `machine`: pure state machines, which are told what happened and say what to do, without a
//! clock, a socket or chance of their own; the broker's simulator drives them under faults that no test with sockets
//! could bring about (the feature `simulation` makes them public for that; the feature `shell`, which is on unless it is
//! taken away, is all the rest). Around them is a thin shell on tokio and tonic: [`Connections`] has one channel for each node,
//! [`Client`] asks and follows, and a [`Producer`] and a [`Consumer`] have a task each that does what their machine says.
//!
//! Not here: what calls and messages mean, which stands in `proto/rustmq/v1/*.proto`, and record batches, which are
//! `rust_mq_proto::records`'.

#[cfg(feature = "shell")]
pub mod admin;
#[cfg(feature = "shell")]
mod asking;
#[cfg(feature = "shell")]
mod call;
#[cfg(feature = "shell")]
mod client;
#[cfg(feature = "shell")]
mod connections;
#[cfg(feature = "shell")]
mod consumer;
#[cfg(not(feature = "simulation"))]
mod machine;
#[cfg(feature = "simulation")]
pub mod machine;
#[cfg(feature = "shell")]
mod producer;
#[cfg(feature = "shell")]
mod settings;
#[cfg(feature = "shell")]
mod status;

#[cfg(feature = "shell")]
pub use call::Call;
#[cfg(feature = "shell")]
pub use client::{Client, Patience, To};
#[cfg(feature = "shell")]
pub use connections::Connections;
#[cfg(feature = "shell")]
pub use consumer::{Consumer, ConsumerSettings, Messages, OnRebalance, Rebalance};
pub use machine::backoff::Pauses;
pub use machine::consumer::assignor::Assignor;
pub use machine::consumer::{Goal, Message};
pub use machine::error::{Error, Remedy};
pub use machine::record::Record;
#[cfg(feature = "shell")]
pub use producer::{Delivery, Placed, Producer, ProducerSettings};
/// The messages of the calls.
pub use rust_mq_proto::grpc;
pub use rust_mq_proto::grpc::Acks;
/// How batches are compressed.
pub use rust_mq_proto::records::Codec as Compression;
#[cfg(feature = "shell")]
pub use settings::ClientSettings;
