//! Produces and consumes: `cargo run -p rust-mq-client --example greetings -- localhost:9092`. The program of the README;
//! it does not notice when a node of the cluster is killed meanwhile, but for a pause.

use rust_mq_client::{Client, ConsumerSettings, Error, Goal, ProducerSettings, Record};
use std::time::Duration;

/// Sends so many greetings, and reads them back.
pub async fn run(bootstrap: &str, count: usize) -> Result<Vec<String>, Error> {
    let client = Client::new(bootstrap)?;
    let producer = client.producer(ProducerSettings::default())?;
    for number in 0..count {
        let delivery = producer.send(Record::new("greetings", format!("hello {number}"))).await?;
        delivery.await?;
    }
    producer.close().await;

    let settings = ConsumerSettings { reset: Some(Goal::Earliest), ..ConsumerSettings::group("readers") };
    let consumer = client.consumer(settings)?;
    consumer.subscribe(&["greetings"])?;
    let mut heard = Vec::new();
    while heard.len() < count {
        let message = consumer.next().await?;
        heard.push(String::from_utf8_lossy(message.value.as_deref().unwrap_or_default()).into_owned());
    }
    consumer.close(Duration::from_secs(5)).await;
    Ok(heard)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let bootstrap = std::env::args().nth(1).unwrap_or_else(|| "localhost:9092".to_owned());
    for greeting in run(&bootstrap, 10).await? {
        println!("{greeting}");
    }
    Ok(())
}
