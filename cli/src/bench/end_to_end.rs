//! `bench e2e`: from the moment at which a record is handed to the producer to the one at which a reader has it. Both are
//! this process, so that there is one clock.

use super::histogram::Histogram;
use super::progress::Progress;
use super::writing::value;
use super::{EndToEndArguments, Measured, with_topic};
use crate::consume::reader::{Extent, Reader};
use crate::trouble::Trouble;
use rust_mq_client::admin::{Admin, TopicPartition};
use rust_mq_client::{ProducerSettings, Record};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// How long a record may be on its way before it counts as lost. Source: chosen, far beyond an election.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// Writes and reads, and measures.
pub(super) async fn run(admin: &Admin, said: &EndToEndArguments) -> Result<Measured, Trouble> {
    let of_own = async |topic: String| measure(admin, said, &topic).await;
    with_topic(admin, 1, said.replicas, of_own).await
}

async fn measure(admin: &Admin, said: &EndToEndArguments, topic: &str) -> Result<Measured, Trouble> {
    let unsent = |error| Trouble::of_data("not all was produced", &error);
    let settings = ProducerSettings { linger: Duration::ZERO, ..ProducerSettings::default() };
    let producer = admin.client().producer(settings).map_err(unsent)?;
    let extent = Extent { next: 0, until: None };
    let mut reader =
        Reader::new(admin.client().clone(), BTreeMap::from([(TopicPartition::new(topic, 0), extent)]), true);
    let (mut latency, mut progress) = (Histogram::new(), Progress::new(said.num));
    let value = value(said.size as usize);
    let start = Instant::now();
    let due = |number: u64| start + Duration::from_secs(number) / said.rate;
    let write = async {
        for number in 0..said.num {
            sleep_until(due(number)).await;
            // It is delivered: the reader sees that.
            drop(producer.send(Record::new(topic, value.clone())).await.map_err(unsent)?);
        }
        Ok::<_, Trouble>(())
    };
    let read = async {
        let mut count = 0;
        while count < said.num {
            let lost = |_| {
                let why = format!("nothing came for {LOST_AFTER:?}, after {count} of {}", said.num);
                Trouble::failed(
                    "not all was read",
                    why,
                    "`rust-mq cluster health` shows whether the cluster is well",
                )
            };
            let records = timeout(LOST_AFTER, reader.next()).await.map_err(lost)??;
            let now = Instant::now();
            for record in records.unwrap_or_default() {
                // One partition: its offsets count the records. From when it was due, so that whoever was late counts.
                let number = u64::try_from(record.offset).unwrap_or(0);
                latency.add(now.saturating_duration_since(due(number)));
                count += 1;
            }
            progress.is_at(count);
        }
        Ok::<_, Trouble>(())
    };
    tokio::try_join!(write, read)?;
    let elapsed = start.elapsed();
    producer.close().await;
    drop(progress);
    Ok(Measured::new(topic, said.num, said.num * u64::from(said.size), elapsed, Some(&latency)))
}
