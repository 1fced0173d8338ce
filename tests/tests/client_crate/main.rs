//! Rust programs on the client crate: producers and consumers against the real binary, alone and on three nodes of which
//! one is killed meanwhile.

mod consumer;
mod examples;
mod mixed_group;
mod producer;

use rust_mq_client::grpc::{CreateTopicsRequest, NewTopic};
use rust_mq_client::{Client, To};
use std::future::Future;
use std::time::Duration;

/// Runs one program, for at most two minutes.
#[track_caller]
fn block_on<T>(program: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let limited = async { tokio::time::timeout(Duration::from_secs(120), program).await };
    runtime.expect("a runtime can be made").block_on(limited).expect("it ends within two minutes")
}

fn client(bootstrap: &str) -> Client {
    Client::new(bootstrap).expect("a node's address is one")
}

/// A topic of so many partitions, on as many nodes as there are.
async fn create(client: &Client, name: &str, partitions: i32, replication_factor: i32) {
    let topic = NewTopic {
        name: name.into(),
        partitions: Some(partitions),
        replication_factor: Some(replication_factor),
        ..Default::default()
    };
    let asked = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    let made = client.ask(To::Anyone, asked).await.expect("the topic is made");
    assert_eq!(made.topics[0].error, None);
}
