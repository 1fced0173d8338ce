//! `bench consume`.

use super::progress::Progress;
use super::{Measured, ReadingArguments};
use crate::consume::reader::{Extent, Reader};
use crate::trouble::Trouble;
use rust_mq_client::admin::{Admin, Place, TopicPartition};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Reads a topic, and measures.
pub(super) async fn run(admin: &Admin, said: &ReadingArguments) -> Result<Measured, Trouble> {
    let unread = |error| Trouble::of(format!("topic `{}` was not read", said.topic), &error);
    let topic = admin.topic(&said.topic).await.map_err(unread)?;
    let partitions: Vec<TopicPartition> =
        topic.partitions.iter().map(|part| TopicPartition::new(topic.name.clone(), part.number)).collect();
    let mut extents = BTreeMap::new();
    let at = |place| partitions.iter().map(move |of| (of.clone(), place)).collect();
    let ends = admin.offsets(at(Place::End)).await;
    for ((of, start), (_, end)) in admin.offsets(at(Place::Start)).await.into_iter().zip(ends) {
        let next = start.map_err(unread)?.offset.unwrap_or(0);
        extents.insert(of, Extent { next, until: end.map_err(unread)?.offset });
    }
    let between = |extent: &Extent| u64::try_from(extent.until.unwrap_or(0) - extent.next).unwrap_or(0);
    let all = extents.values().map(between).sum::<u64>().min(said.num.unwrap_or(u64::MAX));
    let mut reader = Reader::new(admin.client().clone(), extents, false);
    let mut progress = Progress::new(all);
    let (mut records, mut bytes) = (0, 0);
    let start = Instant::now();
    while records < all
        && let Some(some) = reader.next().await?
    {
        let length = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        records += some.len() as u64;
        bytes += some.iter().map(|record| length(&record.key) + length(&record.value)).sum::<u64>();
        progress.is_at(records);
    }
    let elapsed = start.elapsed();
    drop(progress);
    Ok(Measured::new(&said.topic, records, bytes, elapsed, None))
}
