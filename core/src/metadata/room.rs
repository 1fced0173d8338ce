//! What a decision may still take: of its one proposal, and of the state that it leads to. Each topic takes its part
//! before its command is given out, or is refused.
//!
//! What the state takes is counted as it changes, and what each topic adds is counted from above: a decision costs what
//! it makes, and not what there is.
//!
//! Invariant: commands given out, encoded together <= commands_bytes_max; state with them <= state_bytes_max.

use super::request::Refusal;
use super::{Command, Metadata};
use crate::codec;
use crate::level::Level;
use crate::machine::Room;
use crate::mutant::{Mutant, is_planted};
use rust_mq_proto::kafka::ErrorCode;

/// What stands before a state, and its own numbers: the log's time, kinds and versions, the cluster's id and levels,
/// three counters and the lengths of two maps.
const STATE_HEAD_BYTES: usize = 128;
/// What a topic's name leads to: the topic's id, and a length.
const NAME_BYTES: usize = 32;
/// What a state holds of a partition's birth, besides where it is to be.
const BIRTH_BYTES: usize = 16;
/// A deletion among the commands.
const DELETION_BYTES: usize = 24;

/// What is left.
pub struct RoomLeft {
    room: Room,
    commands: usize,
    state: usize,
    level: Level,
    is_blind: bool,
}

impl RoomLeft {
    /// What a decision on `metadata` may take.
    pub fn on(metadata: &Metadata, room: Room, mutant: Option<Mutant>) -> RoomLeft {
        let state = metadata.bytes() + STATE_HEAD_BYTES;
        RoomLeft {
            room,
            commands: room.commands_bytes_max,
            state: room.state_bytes_max.saturating_sub(state),
            level: metadata.level,
            is_blind: is_planted(mutant, Mutant::RoomIgnored),
        }
    }

    /// Takes what a topic needs that is to be made.
    ///
    /// # Errors
    /// There is not so much: nothing was taken.
    pub fn take(&mut self, command: &Command, name: &str) -> Result<(), Refusal> {
        let bytes = codec::shape_bytes(command, self.level);
        let births = match command {
            Command::TopicCreated { topic, .. } | Command::MachineTopicCreated { topic, .. } => {
                topic.partitions.len() * BIRTH_BYTES
            }
            Command::PartitionsAdded { partitions, .. } => partitions.len() * BIRTH_BYTES,
            _ => 0,
        };
        let kept = bytes + name.len() + NAME_BYTES + births;
        let refuse = |message| Err(Refusal { code: ErrorCode::PolicyViolation, message });
        if self.is_blind {
            return Ok(());
        }
        if bytes > self.commands {
            let most = self.room.commands_bytes_max;
            return refuse(format!("one request makes at most {most} bytes of metadata, names and settings"));
        }
        if kept > self.state {
            let most = self.room.state_bytes_max;
            let words = "the cluster's metadata, topics with their settings, takes at most";
            return refuse(format!(
                "{words} {most} bytes; {} are left, and this topic needs {kept}",
                self.state
            ));
        }
        (self.commands, self.state) = (self.commands - bytes, self.state - kept);
        Ok(())
    }
}

/// How many deletions one decision may hold.
pub fn deletions_max(room: Room) -> usize {
    room.commands_bytes_max / DELETION_BYTES
}
