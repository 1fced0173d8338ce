//! How far a leader's followers are, over time: which replicas are in sync (Kafka's ISR), for Metadata and for
//! `min.insync.replicas`. Nothing is acknowledged by it alone: that is what a majority has made durable.
//!
//! A replica is in sync if it is there, and all three are so:
//! - it is at most `limits::ISR_LAG_MAX` entries behind;
//! - it lacks at most `limits::ISR_LAG_BYTES_MAX` of them, and nothing that its leader no longer has in memory;
//! - it had, at some moment of the last `limits::ISR_LAG_TIME_MAX`, all that the log held at that moment. That is for
//!   one that takes nothing any more, because its disk is full or stalls, under a leader that is seldom written to.
//!
//! One that was away has had nothing meanwhile: it is in sync when it has had what the log held when it came back.
//!
//! Source: Kafka's `Replica.lastCaughtUpTimeMs` (KIP-16); that a broker which was fenced has to catch up before it is
//! in the ISR again: KIP-841.

use crate::ids::{Index, ReplicaId, Term};
use crate::limits::{ISR_LAG_BYTES_MAX, ISR_LAG_MAX, ISR_LAG_TIME_MAX};
use crate::now::Mono;
use crate::replica::Replica;

/// What a leader remembers of its followers. Empty on others, and in another term: who was away under its earlier
/// leadership may have come back between the two, which nobody told (seed 22083).
#[derive(Debug, Default)]
pub(super) struct Followers {
    term: Term,
    marks: Vec<Mark>,
    looked_at: Mono,
}

/// One follower: when it has this entry, it had all that the log held then.
#[derive(Debug)]
struct Mark {
    replica: ReplicaId,
    index: Index,
    at: Mono,
    /// The latest moment of which it has all; none since it came back.
    caught_up_at: Option<Mono>,
    is_away: bool,
    /// Whether it has said anything to this leader.
    is_heard: bool,
}

impl Followers {
    /// Looks how far each is now.
    pub fn look(&mut self, now: Mono, replica: &Replica) {
        if !self.leads(replica) {
            return;
        }
        self.looked_at = now;
        let last = replica.last_index();
        for (id, matched) in replica.progress().filter(|(id, _)| *id != replica.id()) {
            let mark = self.mark(id, last, now);
            mark.is_heard |= replica.hears(id);
            if matched >= last {
                mark.caught_up_at = Some(now);
            } else if matched >= mark.index {
                mark.caught_up_at = Some(mark.at);
            }
            if matched >= mark.index {
                (mark.index, mark.at) = (last, now);
            }
        }
    }

    /// A follower's node is gone.
    pub fn lost(&mut self, id: ReplicaId, replica: &Replica) {
        if self.leads(replica) {
            let now = self.looked_at;
            self.mark(id, replica.last_index(), now).is_away = true;
        }
    }

    /// A follower's node is there again.
    pub fn returned(&mut self, id: ReplicaId, replica: &Replica, now: Mono) {
        if self.leads(replica) {
            let index = replica.last_index();
            let mark = self.mark(id, index, now);
            *mark = Mark { replica: id, index, at: now, caught_up_at: None, is_away: false, is_heard: false };
        }
    }

    /// Whether a replica that has everything up to `matched` is in sync with its leader.
    pub fn is_in_sync(&self, replica: &Replica, id: ReplicaId, matched: Index) -> bool {
        let last = replica.last_index();
        let mut known = self.marks.iter().filter(|_| self.term == replica.term());
        let mark = known.find(|mark| mark.replica == id);
        if id == replica.id() {
            return true;
        }
        if mark.is_some_and(|mark| mark.is_away) {
            return false;
        }
        if matched >= last {
            return true;
        }
        let is_recent = |at: Mono| self.looked_at.since(at) <= ISR_LAG_TIME_MAX;
        let had_all = mark.is_none_or(|mark| {
            let at = if matched >= mark.index { Some(mark.at) } else { mark.caught_up_at };
            at.is_some_and(is_recent)
        });
        // A new leader knows nothing yet, and gives everybody time to show.
        let is_heard = replica.hears(id) || mark.is_some_and(|mark| mark.is_heard);
        let is_unknown = matched == Index(0) && !is_heard;
        let lacks_little =
            last.0 - matched.0 <= ISR_LAG_MAX && !replica.lacks_more_than(matched, ISR_LAG_BYTES_MAX);
        had_all && (is_unknown || lacks_little)
    }

    /// Whether the replica leads; what is remembered of another leadership goes.
    fn leads(&mut self, replica: &Replica) -> bool {
        let is_same = replica.is_leader() && self.term == replica.term();
        if !is_same {
            (self.term, self.marks) = (replica.term(), Vec::new());
        }
        replica.is_leader()
    }

    fn mark(&mut self, id: ReplicaId, last: Index, now: Mono) -> &mut Mark {
        let known = self.marks.iter().position(|mark| mark.replica == id);
        let at = known.unwrap_or_else(|| {
            let caught_up_at = Some(now);
            let (is_away, is_heard) = (false, false);
            self.marks.push(Mark { replica: id, index: last, at: now, caught_up_at, is_away, is_heard });
            self.marks.len() - 1
        });
        &mut self.marks[at]
    }
}
