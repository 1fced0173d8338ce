//! A batch that a producer makes: unique values, stamped, compressed, filled or spoilt as its habits say.
//!
//! What is spoilt must be refused by the broker, and never appear (C10); but for the stamps, of which the broker's own
//! clock decides.

use super::Street;
use super::plan::{ProducerHabits, Stamps, TopicPlan};
use crate::claims::ledger::{Author, BatchId, Fate, Shelf, Value};
use crate::dice::Dice;
use bytes::BytesMut;
use rust_mq_proto::records::{BatchBuilder, Codec, NO_TIMESTAMP, Producer};

/// Shortest value: its name and a check.
const VALUE_BYTES_MIN: usize = 16;
/// So far ahead no broker takes a stamp, unless its clock is wrong by days. Milliseconds.
const TOO_FAR_AHEAD_MS: i64 = 10 * 24 * 3_600_000;
/// Requests of so many bytes a node takes, however little memory it has.
const REQUEST_BYTES_TAKEN: usize = 512 << 10;

/// A batch that is not settled.
#[derive(Debug)]
pub struct Draft {
    /// Which.
    pub batch: BatchId,
    /// Its bytes.
    pub bytes: BytesMut,
    /// Records in it.
    pub count: u32,
    /// Where it stands.
    pub state: State,
    /// Some attempt of it may have had effect.
    pub is_unsure: bool,
}

/// Where a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is to be sent, or to be sent again.
    Waiting,
    /// Its answer is awaited.
    Flying,
    /// Its fate is known, or will never be.
    Settled,
}

/// Whose batch it is, and for where.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// What its producer is wont to.
    pub habits: &'a ProducerHabits,
    /// The topic.
    pub topic: &'a TopicPlan,
    /// The partition.
    pub shelf: Shelf,
    /// Its producer and sequence.
    pub author: Option<(Author, i32)>,
    /// Whether its producer speaks a version that knows zstd (KIP-110).
    pub speaks_zstd: bool,
}

/// What makes a batch one to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blemish {
    Crc,
    TooLarge,
    TooFarAhead,
    Transactional,
}

/// The records of a batch before they are bytes.
struct Recipe<'a> {
    order: Order<'a>,
    batch: BatchId,
    codec: Option<Codec>,
    blemish: Option<Blemish>,
    stamps: Vec<i64>,
    keyed: Vec<bool>,
    lengths: Vec<usize>,
}

/// Makes a batch, and tells the ledger.
pub fn write(order: Order<'_>, dice: &mut Dice, street: &mut Street<'_>) -> Draft {
    let habits = order.habits;
    let count = dice.between(1, habits.records_max as u64) as u32;
    let batch = street.ledger.intend(order.shelf, count, order.author);
    let is_spoilt = dice.chance(habits.spoils_ppm);
    let blemishes = [Blemish::Crc, Blemish::TooLarge, Blemish::TooFarAhead, Blemish::Transactional];
    let blemish = Some(*dice.pick(&blemishes)).filter(|_| is_spoilt);
    // Beyond a node's largest request it would not be refused but asked for ever (seed 1000041).
    let is_sendable = order.topic.batch_bytes_max() < REQUEST_BYTES_TAKEN;
    let blemish = blemish.filter(|blemish| *blemish != Blemish::TooLarge || is_sendable);
    let is_full = dice.chance(habits.fills_ppm) || blemish == Some(Blemish::TooLarge);
    let codecs = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    let known = if order.speaks_zstd { 4 } else { 3 };
    // One batch in four is compressed; what is filled to the brim is not, for its size must be known.
    let is_compressed = dice.below(4) == 0 && !is_full;
    let codec = Some(*dice.pick(&codecs[..known])).filter(|_| is_compressed);
    let wall_ms = street.wall_ms();
    let mut recipe = Recipe {
        order,
        batch,
        codec,
        blemish,
        stamps: (0..count).map(|_| stamp(habits.stamps, wall_ms, dice)).collect(),
        keyed: (0..count).map(|_| dice.coin()).collect(),
        lengths: (0..count)
            .map(|_| dice.between(16, habits.record_bytes_max.max(VALUE_BYTES_MIN) as u64) as usize)
            .collect(),
    };
    if blemish == Some(Blemish::TooFarAhead) {
        recipe.stamps[0] = wall_ms + TOO_FAR_AHEAD_MS;
    }
    let mut bytes = recipe.bytes();
    if is_full {
        let limit = order.topic.batch_bytes_max() + usize::from(blemish == Some(Blemish::TooLarge));
        bytes = recipe.filled_to(limit, bytes);
        if bytes.len() == limit && blemish.is_none() {
            street.marks.hit("client.filled_a_batch_to_the_brim");
        }
    }
    if blemish == Some(Blemish::Crc) {
        let last = bytes.len() - 1;
        bytes[last] ^= 0x55;
    }
    street.ledger.built(batch, &bytes, recipe.stamps);
    Draft { batch, bytes, count, state: State::Waiting, is_unsure: false }
}

impl Recipe<'_> {
    fn bytes(&self) -> BytesMut {
        let mut builder = BatchBuilder::new();
        if let Some(codec) = self.codec {
            builder = builder.codec(codec);
        }
        if let Some((author, sequence)) = self.order.author {
            let (id, epoch) = (author.producer, author.epoch);
            builder = builder.producer(Producer { id, epoch, base_sequence: sequence });
        }
        if self.blemish == Some(Blemish::Transactional) {
            builder = builder.transactional();
        }
        let key = self.batch.to_be_bytes();
        for (index, (stamp, length)) in (0..).zip(self.stamps.iter().zip(&self.lengths)) {
            let value = Value { batch: self.batch, index }.encode(*length);
            builder.push(*stamp, self.keyed[index as usize].then_some(&key[..]), Some(&value), &[]);
        }
        builder.build()
    }

    /// The batch with its last record so long that it has that size, or as near below as lengths that are varints
    /// allow; as it is if it is larger.
    fn filled_to(&mut self, limit: usize, mut bytes: BytesMut) -> BytesMut {
        let last = self.lengths.len() - 1;
        let mut fitting = None;
        for _ in 0..4 {
            if bytes.len() <= limit {
                let longer = limit - bytes.len();
                fitting = Some(bytes);
                if longer == 0 {
                    break;
                }
                self.lengths[last] += longer;
            } else {
                let shorter = bytes.len() - limit;
                self.lengths[last] = self.lengths[last].saturating_sub(shorter).max(VALUE_BYTES_MIN);
            }
            bytes = self.bytes();
        }
        fitting.unwrap_or_else(|| self.bytes())
    }
}

impl Draft {
    /// No attempt of it had effect, and none will be made, unless one is unsure.
    pub fn refuse(&mut self, street: &mut Street<'_>) {
        if self.state != State::Settled && !self.is_unsure {
            assert!(street.ledger.batch(self.batch).fate == Fate::Unknown, "a draft's fate is open");
            street.ledger.refuse(self.batch, street.verdict);
        }
        self.state = State::Settled;
    }
}

fn stamp(stamps: Stamps, wall_ms: i64, dice: &mut Dice) -> i64 {
    match stamps {
        Stamps::Now => wall_ms,
        Stamps::Away { by_ms } => wall_ms + by_ms,
        Stamps::Around { within_ms } => {
            wall_ms - within_ms + dice.below(2 * within_ms.unsigned_abs() + 1) as i64
        }
        Stamps::Never => NO_TIMESTAMP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_batch_can_be_filled_to_the_byte() {
        let topic = TopicPlan {
            name: "t".into(),
            partitions: 1,
            replicas: 1,
            configs: BTreeMap::new(),
            is_remade: false,
        };
        let habits = ProducerHabits { records_max: 2, record_bytes_max: 40, ..ProducerHabits::default() };
        let shelf = Shelf { topic: [1; 16], partition: 0 };
        let order = Order { habits: &habits, topic: &topic, shelf, author: None, speaks_zstd: false };
        for limit in [500, 5_000, 70_000, 1_048_588] {
            let mut recipe = Recipe {
                order,
                batch: 1,
                codec: None,
                blemish: None,
                stamps: vec![5, 6],
                keyed: vec![true, false],
                lengths: vec![16, 40],
            };
            let bytes = recipe.bytes();
            let filled = recipe.filled_to(limit, bytes).len();
            assert!((limit - 2..=limit).contains(&filled), "{filled} of {limit}");
        }
    }
}
