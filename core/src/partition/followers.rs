//! How far a leader's followers are, over time: which replicas are in sync (Kafka's ISR), for Metadata and for
//! `min.insync.replicas`. Nothing is acknowledged by it: that is what a majority has made durable.
//!
//! A replica is in sync while it is at most `limits::ISR_LAG_MAX` entries behind, and had, at some moment of the last
//! `limits::ISR_LAG_TIME_MAX`, all that the log held at that moment. The second half is for one that takes nothing
//! any more, because its disk is full or stalls, under a leader that is seldom written to.
//!
//! Source: Kafka's `Replica.lastCaughtUpTimeMs` (KIP-16).

use crate::ids::{Index, ReplicaId};
use crate::limits::{ISR_LAG_MAX, ISR_LAG_TIME_MAX};
use crate::now::Mono;
use crate::replica::Replica;

/// What a leader remembers of its followers. Empty on others.
#[derive(Debug, Default)]
pub(super) struct Followers {
    marks: Vec<Mark>,
    looked_at: Mono,
}

/// One follower: when it has this entry, it had all that the log held then.
#[derive(Debug)]
struct Mark {
    replica: ReplicaId,
    index: Index,
    at: Mono,
    caught_up_at: Mono,
}

impl Followers {
    /// Looks how far each is now.
    pub fn look(&mut self, now: Mono, replica: &Replica) {
        if !replica.is_leader() {
            self.marks = Vec::new();
            return;
        }
        self.looked_at = now;
        let last = replica.last_index();
        for (id, matched) in replica.progress().filter(|(id, _)| *id != replica.id()) {
            let known = self.marks.iter().position(|mark| mark.replica == id);
            let at = known.unwrap_or_else(|| {
                // A new leader knows nothing yet, and gives everybody time to show.
                self.marks.push(Mark { replica: id, index: last, at: now, caught_up_at: now });
                self.marks.len() - 1
            });
            let mark = &mut self.marks[at];
            if matched >= last {
                mark.caught_up_at = now;
            } else if matched >= mark.index {
                mark.caught_up_at = mark.at;
            }
            if matched >= mark.index {
                (mark.index, mark.at) = (last, now);
            }
        }
    }

    /// Whether a replica that has everything up to `matched` is in sync with its leader.
    pub fn is_in_sync(&self, replica: &Replica, id: ReplicaId, matched: Index) -> bool {
        let last = replica.last_index();
        if id == replica.id() || matched >= last {
            return true;
        }
        let mark = self.marks.iter().find(|mark| mark.replica == id);
        let is_recent = mark.is_none_or(|mark| self.looked_at.since(mark.caught_up_at) <= ISR_LAG_TIME_MAX);
        is_recent && last.0 - matched.0 <= ISR_LAG_MAX
    }
}
