//! A consumer that reads a partition from its first record to its last: what lies there, not what arrives.

use crate::client::{Client, fetch_request};
use crate::side::cluster::Topic;
use crate::workload::watch::Work;
use rust_mq_proto::records::Batches;
use std::io;

/// Reads partition 0 from its start to its end; `record_bytes` is what each record holds.
pub fn read(topic: &Topic, record_bytes: usize) -> io::Result<Work> {
    let mut client = Client::connect(&topic.leaders[0])?;
    let mut work = Work::default();
    let (mut offset, mut end) = (0, i64::MAX);
    while offset < end {
        let partition = client.fetch_partition(&fetch_request(&topic.name, offset))?;
        end = partition.high_watermark;
        let before = offset;
        let records = partition.records.map(|records| records.parts().concat()).unwrap_or_default();
        for batch in Batches::new(&records) {
            let batch = batch.map_err(io::Error::other)?;
            work.records += u64::try_from(batch.count()).unwrap_or(0);
            offset = batch.last_offset() + 1;
        }
        work.requests += 1;
        if offset == before && offset < end {
            return Err(io::Error::other("a fetch within the log came back empty"));
        }
    }
    work.bytes = work.records * record_bytes as u64;
    Ok(work)
}
