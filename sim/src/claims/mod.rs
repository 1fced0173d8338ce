//! The claims: what must hold in every run, one file each (C5 has two: what is shown and what is told; C6 four: replicas,
//! records, replay and tip; C9 two: what is read and what is looked up), fed event by event, so that a run stops at the
//! step that breaks one and not at a symptom seconds later. What each number says stands in `docs/claims.md`.
//!
//! `watch` feeds those about nodes, with `shadow` and `frames` as its eyes on their disks; the ledger's sightings and
//! the clients those about records (C7 to C10, C14); the world those about time, bounds and the door (C17 to C20).
//!
//! A check owns what it has seen and nothing else; it reports the first breach to the [`Verdict`] and the world
//! stops there.

pub mod atlas;
pub mod c01_one_leader;
pub mod c02_committed_stays;
pub mod c03_durable_promises;
pub mod c04_one_vote;
pub mod c05_never_falls;
pub mod c05_watched;
pub mod c06_records_equal;
pub mod c06_replay_is_live;
pub mod c06_replicas_equal;
pub mod c06_settings_act;
mod c06_tip_is_committed;
pub mod c07_acked_is_there;
pub mod c07_topics_stay;
pub mod c08_begins_at_zero;
pub mod c08_send_order;
pub mod c09_lookups_are_exact;
pub mod c09_readers_see_one_log;
pub mod c10_refused_never_appears;
pub mod c13_commits_are_current;
pub mod c13_handed_out;
pub mod c13_one_holder;
pub mod c14_ids_are_new;
pub mod c17_everything_completes;
pub mod c18_majority_serves;
pub mod c19_all_is_bounded;
pub mod c20_never_panics;
pub mod c21_loss_is_named;
pub mod c22_strangers_learn_nothing;
pub mod frames;
pub mod ledger;
pub mod recovered;
pub mod rehearsal;
pub mod shadow;
pub mod sightings;
pub mod watch;

use serde::{Deserialize, Serialize};
use std::fmt;

/// A promise, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Claim {
    /// At most one leader per group and term.
    C1,
    /// Committed entries never change.
    C2,
    /// No vote, append or ack leaves before the durable journal holds it.
    C3,
    /// One vote per term, across restarts.
    C4,
    /// What must not fall does not fall.
    C5,
    /// Replicas are equal up to what they have applied.
    C6,
    /// An acknowledged record is there, once, at that offset, with the same bytes.
    C7,
    /// Per idempotent producer and partition, log order is send order.
    C8,
    /// Readers never see two values for one offset, nor one at or above the high watermark, nor a gap.
    C9,
    /// A record that was definitely refused never appears.
    C10,
    /// One owner of a partition in each generation of a group; commits of the current generation only, and read back.
    C13,
    /// Ids are never used again.
    C14,
    /// After healing, everything pending completes in bounded time.
    C17,
    /// The same with a minority broken for ever.
    C18,
    /// Memory, queues and files stay bounded; no storm at idle, no turning without cause.
    C19,
    /// Nothing from outside makes the core panic, and it keeps the laws of the door.
    C20,
    /// What a disk does not give back as it was written is refused or noticed, and never served.
    C21,
    /// Who does not know the cluster's secret is told nothing.
    C22,
    /// The run draws nothing from outside its seed.
    Pure,
}

impl Claim {
    /// Whether it holds whatever disks lose.
    pub fn needs_no_disk(self) -> bool {
        matches!(self, Claim::C14 | Claim::C19 | Claim::C20 | Claim::C21 | Claim::C22 | Claim::Pure)
    }
}

/// What a run demands of the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Demands {
    /// Every claim: what disks lose beyond rot of segments, a majority without them holds just then, and no disk loses a
    /// term or a vote (the atlas).
    #[default]
    Safety,
    /// Disks lose more than any replication survives, so committed entries may go. What a disk does not give back as it
    /// was written is refused or noticed all the same, and never served; and nothing panics or grows (C14, C19 to C22).
    Detection,
}

/// A broken claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which.
    pub claim: Claim,
    /// At which step of the run.
    pub step: u64,
    /// When, nanoseconds after the start.
    pub at_ns: u64,
    /// What was seen.
    pub words: String,
}

/// The first breach of a run.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    first: Option<(Claim, String)>,
    demands: Demands,
}

impl Verdict {
    /// For a run that demands that.
    pub fn of(demands: Demands) -> Verdict {
        Verdict { first: None, demands }
    }

    /// Reports a breach; only the first counts.
    pub fn breach(&mut self, claim: Claim, words: String) {
        if self.demands == Demands::Safety || claim.needs_no_disk() {
            self.first.get_or_insert((claim, words));
        }
    }

    /// Reports a breach unless that holds.
    pub fn hold(&mut self, is_true: bool, claim: Claim, words: impl FnOnce() -> String) {
        if !is_true {
            self.breach(claim, words());
        }
    }

    /// Whether one was reported.
    pub fn is_broken(&self) -> bool {
        self.first.is_some()
    }

    /// The first one, with the place it was seen at.
    pub fn take(&mut self, step: u64, at_ns: u64) -> Option<Failure> {
        self.first.take().map(|(claim, words)| Failure { claim, step, at_ns, words })
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, out)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { claim, step, at_ns, words } = self;
        write!(out, "{claim} broken at step {step}, {} ms: {words}", at_ns / 1_000_000)
    }
}
