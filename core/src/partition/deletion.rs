//! Deleting records for a client (KIP-107): the leader proposes a later start of the log, as retention does, and whoever
//! asked waits until that is committed. From then on no replica of the partition gives the records below.
//!
//! Invariant: nothing above the high watermark is proposed away.

use super::append::Parked;
use super::{Partition, PartitionCommand};
use crate::entry::EntryKind;
use crate::ids::Offset;
use crate::machine::Waiter;
use crate::mutant::Mutant;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;

/// As far as there is anything.
const ALL: i64 = -1;

impl Partition {
    /// Lets the log begin at `below` at the earliest; -1 is the high watermark. Where it begins, if it does already;
    /// otherwise `waiter` hears of it by `settle`.
    ///
    /// # Errors
    /// A definite refusal, or NOT_LEADER_OR_FOLLOWER.
    pub fn delete_records(
        &mut self,
        now: Now,
        waiter: (Waiter, u32),
        below: i64,
    ) -> Result<Option<Offset>, ErrorCode> {
        if !self.is_leading() {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let start = match below {
            ALL => self.log.end,
            below if below < 0 || Offset(below) > self.log.end => return Err(ErrorCode::OffsetOutOfRange),
            // What is gone is gone, whoever leads. The watermark is another matter: only a commit shows that it is still
            // ours to tell.
            below if Offset(below) <= self.log.start => return Ok(Some(self.log.start)),
            below => Offset(below),
        };
        let command = PartitionCommand::LogStart(start).encode(self.level);
        let proposed = self.replica.propose(EntryKind::Commands, now.wall, command);
        let index = proposed.map_err(|_| ErrorCode::NotLeaderOrFollower)?;
        if self.has(Mutant::DeletedAtPropose) {
            return Ok(Some(start));
        }
        self.parked.push_back(Parked::at(index, self.replica.term(), waiter, start));
        Ok(None)
    }
}
