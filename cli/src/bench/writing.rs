//! `bench produce`.

use super::histogram::Histogram;
use super::progress::Progress;
use super::{Measured, WritingArguments, with_topic};
use crate::produce::Whom;
use crate::trouble::Trouble;
use bytes::Bytes;
use rust_mq_client::admin::Admin;
use rust_mq_client::{Acks, Error, ProducerSettings, Record};
use std::time::Duration;
use tokio::sync::mpsc::channel;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

/// Records under way. Source: chosen, many batches. At the edge: the oldest is waited for.
const UNDER_WAY_MAX: usize = 100_000;
/// Records that are handed over before the producer has its turn: all share one thread. Source: chosen, below a batch.
const AT_A_TIME: u64 = 64;

/// Appends records, and measures.
pub(super) async fn run(admin: &Admin, said: &WritingArguments) -> Result<Measured, Trouble> {
    match &said.topic {
        Some(topic) => measure(admin, said, topic).await,
        None => {
            let of_own = async |topic: String| measure(admin, said, &topic).await;
            with_topic(admin, said.partitions, said.replicas, of_own).await
        }
    }
}

async fn measure(admin: &Admin, said: &WritingArguments, topic: &str) -> Result<Measured, Trouble> {
    let measured = written(admin, said, topic).await;
    measured.map_err(|error| Trouble::of_data("not all was produced", &error))
}

async fn written(admin: &Admin, said: &WritingArguments, topic: &str) -> Result<Measured, Error> {
    let settings = ProducerSettings {
        acks: if said.acks == Whom::All { Acks::All } else { Acks::None },
        is_idempotent: said.acks == Whom::All,
        compression: said.compression.of_client(),
        ..ProducerSettings::default()
    };
    let producer = admin.client().producer(settings)?;
    let value = value(said.size as usize);
    let (sender, mut under_way) = channel(UNDER_WAY_MAX);
    let start = Instant::now();
    let write = async {
        // With it goes the sender, and so the other half comes to its end.
        let sender = sender;
        for number in 0..said.num {
            if let Some(rate) = said.rate {
                sleep_until(start + Duration::from_secs(number) / rate).await;
            }
            let since = Instant::now();
            let delivery = producer.send(Record::new(topic, value.clone())).await?;
            // Nobody else drops the receiver.
            let _ = sender.send((since, delivery)).await;
            if number % AT_A_TIME == 0 {
                yield_now().await;
            }
        }
        Ok::<_, Error>(())
    };
    let (mut latency, mut progress, mut count) = (Histogram::new(), Progress::new(said.num), 0);
    let settle = async {
        while let Some((since, delivery)) = under_way.recv().await {
            delivery.await?;
            latency.add(since.elapsed());
            count += 1;
            progress.is_at(count);
        }
        Ok::<_, Error>(())
    };
    tokio::try_join!(write, settle)?;
    let elapsed = start.elapsed();
    drop(progress);
    producer.close().await;
    Ok(Measured::new(topic, said.num, said.num * u64::from(said.size), elapsed, Some(&latency)))
}

/// Bytes that compress about as text does: letters, each from a hash of its place.
pub(super) fn value(size: usize) -> Bytes {
    let letter = |at: usize| b'a' + (at.wrapping_mul(2_654_435_761) >> 7) as u8 % 26;
    (0..size).map(letter).collect()
}
