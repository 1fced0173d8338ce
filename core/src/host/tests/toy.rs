//! A machine for tests that uses all of the contract: numbers by key, which are added to, read, and waited for.

use crate::entry::Stamp;
use crate::level::{Level, Levels};
use crate::machine::{Answer, Built, Context, Decision, Machine, Proof, Undecodable, Waiter};
use crate::now::Mono;
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::BTreeMap;

/// How long somebody waits for a number.
pub const PATIENCE: Mono = Mono(1_000);

/// Keys that one step of an election looks at.
pub const STEP: usize = 3;

/// The replicated state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toy {
    numbers: BTreeMap<u8, u64>,
}

/// What the leader keeps besides.
#[derive(Default)]
pub struct Soft {
    /// How many keys there are, counted in steps after an election.
    counted: u64,
    next: u8,
    waiting: Vec<(u8, u64, Mono, Waiter)>,
}

/// What it sees of the rest of the cluster.
#[derive(Clone, Copy)]
pub struct Image {
    /// No more than this is added at once.
    pub most: u64,
}

#[derive(Clone, Copy, Debug)]
pub enum Request {
    /// Adds, and says the sum.
    Add { key: u8, amount: u64 },
    /// The sum, as a leader knows it that is one.
    Read { key: u8 },
    /// The sum, as a leader knows it that may be none.
    Peek { key: u8 },
    /// The sum, once it is large enough.
    Await { key: u8, at_least: u64 },
    /// How many keys soft state has counted.
    Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Value(u64),
    Late,
    TooMuch,
    NotLeader,
}

impl Toy {
    fn number(&self, key: u8) -> u64 {
        self.numbers.get(&key).copied().unwrap_or(0)
    }
}

impl Machine for Toy {
    type Request = Request;
    type Reply = Reply;
    type Command = (u8, u64);
    type Soft = Soft;
    type Image = Image;

    fn elected(&self, soft: &mut Soft, _context: &mut Context<'_, Image>) -> Built {
        let keys: Vec<u8> = self.numbers.range(soft.next..).map(|(key, _)| *key).take(STEP).collect();
        soft.counted += keys.len() as u64;
        soft.next = keys.last().map_or(soft.next, |last| last + 1);
        if self.numbers.range(soft.next..).next().is_none() { Built::Whole } else { Built::Partly }
    }

    fn decide(
        &self,
        soft: &mut Soft,
        context: &mut Context<'_, Image>,
        waiter: Waiter,
        request: Request,
    ) -> Decision<(u8, u64), Reply> {
        let told =
            |reply, proof| Decision { commands: Vec::new(), answers: vec![Answer { waiter, reply, proof }] };
        match request {
            Request::Add { amount, .. } if amount > context.image.most => {
                told(Reply::TooMuch, Proof::Applied)
            }
            Request::Add { key, amount } => {
                let sum = self.number(key) + amount;
                soft.counted += u64::from(!self.numbers.contains_key(&key));
                let answer = |waiter| Answer { waiter, reply: Reply::Value(sum), proof: Proof::Confirmed };
                let content = soft.waiting.extract_if(.., |(on, least, ..)| *on == key && *least <= sum);
                let waiters = std::iter::once(waiter).chain(content.map(|(.., waiter)| waiter));
                Decision { commands: vec![(key, amount)], answers: waiters.map(answer).collect() }
            }
            Request::Read { key } => told(Reply::Value(self.number(key)), Proof::Confirmed),
            Request::Peek { key } => told(Reply::Value(self.number(key)), Proof::Applied),
            Request::Count => told(Reply::Value(soft.counted), Proof::Applied),
            Request::Await { key, at_least } if self.number(key) >= at_least => {
                told(Reply::Value(self.number(key)), Proof::Confirmed)
            }
            Request::Await { key, at_least } => {
                let until = Mono(context.now.mono.0 + PATIENCE.0);
                soft.waiting.push((key, at_least, until, waiter));
                Decision::default()
            }
        }
    }

    fn next_deadline(&self, soft: &Soft) -> Option<Mono> {
        soft.waiting.iter().map(|(.., until, _)| *until).min()
    }

    fn due(&self, soft: &mut Soft, context: &mut Context<'_, Image>) -> Decision<(u8, u64), Reply> {
        let late = soft.waiting.extract_if(.., |(.., until, _)| *until <= context.now.mono);
        let answer = |(.., waiter): (u8, u64, Mono, Waiter)| Answer {
            waiter,
            reply: Reply::Late,
            proof: Proof::Applied,
        };
        Decision { commands: Vec::new(), answers: late.map(answer).collect() }
    }

    fn lost(soft: Soft) -> Vec<Waiter> {
        soft.waiting.into_iter().map(|(.., waiter)| waiter).collect()
    }

    fn not_leader() -> Reply {
        Reply::NotLeader
    }

    fn apply(&mut self, _at: Stamp, (key, amount): &(u8, u64)) {
        *self.numbers.entry(*key).or_default() += amount;
    }

    fn encode(&self, into: &mut BytesMut) {
        for (key, number) in &self.numbers {
            into.put_u8(*key);
            into.put_u64(*number);
        }
    }

    fn level(&self) -> Level {
        Levels::BUILD.newest
    }

    fn since(_command: &(u8, u64)) -> Level {
        Levels::BUILD.oldest
    }

    fn decode(bytes: &[u8], _reads: Level) -> Result<Toy, Undecodable> {
        let numbers = decode(bytes)?.into_iter().collect();
        Ok(Toy { numbers })
    }

    fn encode_commands(commands: &[(u8, u64)], _level: Level) -> Bytes {
        let mut bytes = BytesMut::new();
        for (key, amount) in commands {
            bytes.put_u8(*key);
            bytes.put_u64(*amount);
        }
        bytes.freeze()
    }

    fn decode_commands(bytes: &[u8], _reads: Level) -> Result<Vec<(u8, u64)>, Undecodable> {
        decode(bytes)
    }
}

fn decode(bytes: &[u8]) -> Result<Vec<(u8, u64)>, Undecodable> {
    let (pairs, []) = bytes.as_chunks::<9>() else {
        return Err(Undecodable { what: "toy", reason: "it is cut".into() });
    };
    let number = |pair: &[u8; 9]| pair[1..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    Ok(pairs.iter().map(|pair| (pair[0], number(pair))).collect())
}
