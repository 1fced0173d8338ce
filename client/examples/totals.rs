//! Reads a topic as a stream and commits by hand, after each hundred records whose sum was kept:
//! `cargo run -p rust-mq-client --example totals -- localhost:9092 amounts`.

use rust_mq_client::{Client, ConsumerSettings, Error, Goal, Message, Rebalance};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tonic::codegen::tokio_stream::{Stream, StreamExt};

/// Adds up so many records of a topic, whose values are numbers in text.
pub async fn run(bootstrap: &str, topic: &str, count: usize) -> Result<i64, Error> {
    let settings = ConsumerSettings {
        reset: Some(Goal::Earliest),
        commit_interval: None,
        on_rebalance: Some(Arc::new(|rebalance: &Rebalance| {
            eprintln!("{rebalance:?}");
            Vec::new()
        })),
        ..ConsumerSettings::group("totals")
    };
    let consumer = Client::new(bootstrap)?.consumer(settings)?;
    consumer.subscribe(&[topic])?;
    let mut messages = consumer.messages();
    let mut total = 0;
    for number in 1..=count {
        total += amount(&mut messages).await?;
        if number % 100 == 0 || number == count {
            consumer.commit().await?;
        }
    }
    drop(messages);
    consumer.close(Duration::from_secs(5)).await;
    Ok(total)
}

async fn amount(messages: &mut (impl Stream<Item = Result<Message, Error>> + Unpin)) -> Result<i64, Error> {
    let next = Pin::new(messages).next().await.ok_or(Error::Closed { may_take_effect: false })??;
    Ok(String::from_utf8_lossy(next.value.as_deref().unwrap_or_default()).parse().unwrap_or(0))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let bootstrap = arguments.next().unwrap_or_else(|| "localhost:9092".to_owned());
    let topic = arguments.next().unwrap_or_else(|| "amounts".to_owned());
    println!("{}", run(&bootstrap, &topic, 1_000).await?);
    Ok(())
}
