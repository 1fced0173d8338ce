//! A resident's state as its log alone makes it, entry by entry, for the comparison with the states that nodes have.
//! Compiled only with the feature `simulation`.

use super::{METADATA, Resident};
use crate::entry::{Entry, EntryKind, Stamp};
use crate::group::Groups;
use crate::host::Host;
use crate::ids::{TopicId, TopicPartition};
use crate::level::Levels;
use crate::machine::{Machine, Undecodable};
use crate::metadata::Metadata;
use crate::now::Wall;
use crate::partition::LogState;
use crate::rng::hash;
use bytes::BytesMut;

/// A state that the log alone makes, entry by entry, for the comparison with the states that nodes have.
#[derive(Clone, Debug)]
pub enum Replayed {
    /// The metadata machine's.
    Metadata(Box<Metadata>),
    /// That of groups.
    Group(Box<Groups>),
    /// A partition's.
    Partition(Box<LogState>),
}

impl Replayed {
    /// What a log begins with.
    pub fn empty(of: TopicPartition) -> Replayed {
        match of.topic {
            _ if of == METADATA => Replayed::Metadata(Box::default()),
            TopicId::CONSUMER_OFFSETS => Replayed::Group(Box::default()),
            _ => Replayed::Partition(Box::default()),
        }
    }

    /// From the bytes of a snapshot.
    ///
    /// # Errors
    /// Bytes that no state has.
    pub fn decode(of: TopicPartition, state: &[u8]) -> Result<Replayed, Undecodable> {
        Ok(match of.topic {
            _ if of == METADATA => {
                Replayed::Metadata(Box::new(Host::decode_state(state, Levels::READABLE)?.1))
            }
            TopicId::CONSUMER_OFFSETS => {
                Replayed::Group(Box::new(Host::decode_state(state, Levels::READABLE)?.1))
            }
            _ => Replayed::Partition(Box::new(LogState::decode(state)?)),
        })
    }

    /// Takes the next committed entry in.
    ///
    /// # Errors
    /// An entry that cannot stand there.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Undecodable> {
        match self {
            Replayed::Metadata(machine) if entry.kind == EntryKind::Commands => {
                let at = Stamp { index: entry.index, term: entry.term, wall: entry.wall };
                // What stands in the log can be read by every build that reads the level that the log had there.
                let commands = Metadata::decode_commands(&entry.payload, machine.level())?;
                commands.iter().for_each(|command| machine.apply(at, command));
            }
            Replayed::Group(machine) if entry.kind == EntryKind::Commands => {
                let at = Stamp { index: entry.index, term: entry.term, wall: entry.wall };
                let commands = Groups::decode_commands(&entry.payload, machine.level())?;
                commands.iter().for_each(|command| machine.apply(at, command));
            }
            Replayed::Metadata(_) | Replayed::Group(_) => {}
            Replayed::Partition(log) => {
                log.apply(entry)?;
            }
        }
        Ok(())
    }

    /// What [`Resident::state_hash`] says of one with this state, if the log's time is `wall`.
    pub fn hash(&self, wall: Wall) -> u64 {
        match self {
            Replayed::Metadata(machine) => hash_of_state(&Host::encode_state(wall, &**machine)),
            Replayed::Group(machine) => hash_of_state(&Host::encode_state(wall, &**machine)),
            Replayed::Partition(log) => hash_of_log(log),
        }
    }
}

impl Resident {
    /// A hash over the replicated state.
    pub fn state_hash(&self) -> u64 {
        match self {
            // Not as a checkpoint has it: planted bugs write another.
            Resident::Records(partition) => hash_of_log(partition.log()),
            Resident::Metadata(_) | Resident::Group(..) => hash_of_state(&self.encode()),
        }
    }
}

fn hash_of_log(log: &LogState) -> u64 {
    let mut state = BytesMut::new();
    log.encode(Levels::BUILD.newest, &mut state);
    hash_of_state(&state)
}

/// The hash of a state's bytes, as a snapshot carries them. Their head does not count: which version says the same.
pub fn hash_of_state(bytes: &[u8]) -> u64 {
    let bytes = bytes.get(2..).unwrap_or_default();
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let tail = u64::from_le_bytes(last);
    words
        .iter()
        .fold(hash(&[bytes.len() as u64, tail]), |state, word| hash(&[state, u64::from_le_bytes(*word)]))
}
