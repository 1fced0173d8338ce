//! What a message becomes in memory, told from its bytes before it is decoded: two bytes may say "another record", and a
//! record takes a hundred. prost decodes whatever it is given, so what would take too much is not given to it.
//!
//! The shapes of all messages are those of our own descriptors. What is in none of them is passed over, as prost does.
//!
//! Not here: how much is too much, which is for whoever decodes.
//!
//! Bound: the walk stops at the limit; it goes as deep as our messages are nested, and none holds itself.

use crate::grpc::DESCRIPTORS;
use prost::Message;
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a message within a message takes, and what is made of it. Source: the largest is 136 bytes.
const MESSAGE_BYTES: usize = 128;
/// What a text or bytes take beside their bytes, and what is made of them. Source: 24 and 32, and an allocation.
const TEXT_BYTES: usize = 64;
/// What a number in a list takes.
const NUMBER_BYTES: usize = 8;

/// A field as far as memory is concerned.
#[derive(Clone, Debug)]
enum Field {
    /// A message, by its full name.
    Message(String),
    /// Text or bytes.
    Text,
    /// A number, or a list of them.
    Number,
}

type Shape = BTreeMap<u32, Field>;

static SHAPES: LazyLock<BTreeMap<String, Shape>> = LazyLock::new(|| {
    let files = FileDescriptorSet::decode(DESCRIPTORS).expect("our own descriptors are well formed");
    let mut shapes = BTreeMap::new();
    for file in &files.file {
        for message in &file.message_type {
            describe(file.package(), message, &mut shapes);
        }
    }
    shapes
});

/// Whether a message of that name, decoded, takes at most so many bytes besides its own. Bytes that are no message take
/// what they take until that shows.
pub fn fits(name: &str, bytes: &[u8], most: usize) -> bool {
    let mut left = most;
    SHAPES.get(name).is_none_or(|shape| weigh(shape, bytes, &mut left).is_some())
}

fn describe(within: &str, message: &DescriptorProto, shapes: &mut BTreeMap<String, Shape>) {
    let name = format!("{within}.{}", message.name());
    for nested in &message.nested_type {
        describe(&name, nested, shapes);
    }
    let fields = message.field.iter().map(|field| {
        let of = match field.r#type() {
            Type::Message => Field::Message(field.type_name().trim_start_matches('.').to_owned()),
            Type::String | Type::Bytes => Field::Text,
            _ => Field::Number,
        };
        (field.number().unsigned_abs(), of)
    });
    shapes.insert(name, fields.collect());
}

/// None if it is too much.
fn weigh(shape: &Shape, mut bytes: &[u8], left: &mut usize) -> Option<()> {
    while !bytes.is_empty() {
        let Some(tag) = varint(&mut bytes) else { return Some(()) };
        let field = shape.get(&((tag >> 3) as u32));
        let value = match tag & 7 {
            0 => varint(&mut bytes).map(|_| &[][..]),
            1 => take(&mut bytes, 8),
            2 => varint(&mut bytes).and_then(|length| take(&mut bytes, usize::try_from(length).ok()?)),
            5 => take(&mut bytes, 4),
            // Groups are in none of our messages, and end the decoding.
            _ => None,
        };
        let Some(value) = value else { return Some(()) };
        match field {
            Some(Field::Message(name)) => {
                *left = left.checked_sub(MESSAGE_BYTES)?;
                if let Some(shape) = SHAPES.get(name) {
                    weigh(shape, value, left)?;
                }
            }
            Some(Field::Text) => *left = left.checked_sub(TEXT_BYTES)?,
            Some(Field::Number) => {
                *left = left.checked_sub(NUMBER_BYTES.saturating_mul(value.len()))?;
            }
            None => {}
        }
    }
    Some(())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::partition_records::Data;
    use crate::grpc::{GetTopicMetadataRequest, PartitionRecords, ProduceRequest, Record, Records};
    use prost::Name;

    #[test]
    fn records_topics_and_settings_weigh_what_they_are() {
        let records = Records { records: vec![Record::default(); 1_000], ..Default::default() };
        let partition = PartitionRecords { data: Some(Data::Records(records)), ..Default::default() };
        let produce = ProduceRequest { partitions: vec![partition], ..Default::default() }.encode_to_vec();
        let name = ProduceRequest::full_name();
        assert!(fits(&name, &produce, 1_002 * MESSAGE_BYTES));
        assert!(!fits(&name, &produce, 1_001 * MESSAGE_BYTES));
        let topics = GetTopicMetadataRequest { topics: vec!["t".into(); 100], ..Default::default() };
        assert!(fits(&GetTopicMetadataRequest::full_name(), &topics.encode_to_vec(), 100 * TEXT_BYTES));
        assert!(!fits(&GetTopicMetadataRequest::full_name(), &topics.encode_to_vec(), 99 * TEXT_BYTES));
        // A batch is one text, however long.
        let data = Some(Data::Batch(vec![0x0a; 100_000].into()));
        let partition = PartitionRecords { topic: "t".into(), partition: 0, data };
        let batch = ProduceRequest { partitions: vec![partition], ..Default::default() }.encode_to_vec();
        assert!(fits(&name, &batch, MESSAGE_BYTES + 2 * TEXT_BYTES));
    }

    #[test]
    fn any_bytes_are_walked_to_an_end() {
        let mut bytes = vec![0xff; 50];
        for number in 0..2_000_u32 {
            bytes.push((number.wrapping_mul(2_654_435_761) >> 13) as u8);
            for name in SHAPES.keys() {
                fits(name, &bytes, 10_000);
                fits(name, &bytes[number as usize..], 10_000);
            }
            if number % 97 == 0 {
                bytes.reverse();
            }
        }
    }
}
