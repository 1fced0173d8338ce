//! The verbs of `rust-mq`, with the real binary and a real broker: what they print on which stream, and how they end.

mod bench;
mod cluster;
mod configs;
mod groups;
mod records;
mod topics;
mod troubles;

use bytes::Bytes;
use tests::batch::Batch;
use tests::dialogue::produce;
use tests::node::Node;

/// That many records, to partition 0.
fn fill(node: &Node, topic: &str, count: usize) {
    let values: Vec<Bytes> = (0..count).map(|number| Bytes::from(format!("value {number}"))).collect();
    for value in values {
        produce(&mut node.connect(), topic, Batch::of(&[&value[..]]).bytes());
    }
}
