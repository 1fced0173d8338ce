//! The node's memory for what clients make it do: one budget, charged by purpose, so that what is charged can be told
//! from what is held. Owned by the node, lent to whoever takes memory or gives it back.
//!
//! ```text
//! intake   credit    given to links and not used yet        work   decoded   requests that wait at the desk
//!          requests  arrived and not answered                      answers   made and not taken by the client
//!          behind    accepted, and not on the disk for good        reads     of files, until they are answered
//!                                                                  sessions  what fetches go on with
//! ```
//! The two halves have half of the capacity each. While the intake's is used up no link is given credit; while the
//! work's is, no request is taken up. So neither can hold up what frees the other: whole requests are taken up
//! however many half ones there are, and the disk, readers and deadlines free what is work.
//!
//! Charging never fails: what was promised cannot be called back. Who takes more asks for room first.
//!
//! Invariant: `used <= capacity` + the credit that was out when a half was used up + one request and one answer that
//! were begun below it; nothing is given back twice.

use crate::limits::{CONNECTION_CREDIT_BYTES_LEAST, DECODED_BYTES_MAX, REQUEST_BYTES_MAX};

/// What memory is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Credit of links beyond what each has for a small request.
    Credit,
    /// Bytes of requests that have arrived and are not answered.
    Requests,
    /// Entries that replicas keep in memory until a checkpoint covers them, and writes of logs that are gone.
    Behind,
    /// What requests have become, while they wait at the desk.
    Decoded,
    /// Bytes of answers that their clients have not taken.
    Answers,
    /// Reads of files that are under way or not answered yet.
    Reads,
    /// What fetch sessions are about.
    Sessions,
}

/// All of them, in the order of `Purpose`.
pub const PURPOSES: [Purpose; 7] = [
    Purpose::Credit,
    Purpose::Requests,
    Purpose::Behind,
    Purpose::Decoded,
    Purpose::Answers,
    Purpose::Reads,
    Purpose::Sessions,
];

/// How much of the intake's half credit may take that nobody needs yet: one in so many. Source: chosen. At the edge: a
/// link has credit for a small request, and gets more with the beginning of a larger one.
const CREDIT_SHARE: u64 = 4;

/// The least credit of one link, as a part of the intake's half. Source: chosen: all of 10,000 links have 10 MiB of
/// credit for small requests where the budget is 16 MiB, and 40 MiB from 64 MiB on.
const LEAST_SHARE: u64 = 8 << 10;

/// How much of the work's half one request may take when it is decoded, before what is made of it: one in so many.
/// Source: chosen; with 64 MiB in memory 1 MiB, a Fetch of all partitions that there may be then.
const DECODED_SHARE: u64 = 8;

/// Memory for what clients ask.
#[derive(Clone, Debug)]
pub struct Budget {
    half_bytes: u64,
    used: [u64; PURPOSES.len()],
}

impl Budget {
    /// An unused budget.
    pub fn new(capacity_bytes: u64) -> Budget {
        Budget { half_bytes: capacity_bytes / 2, used: [0; PURPOSES.len()] }
    }

    /// Takes note of memory that is taken.
    pub fn charge(&mut self, purpose: Purpose, bytes: usize) {
        self.used[purpose as usize] += bytes as u64;
    }

    /// Gives back what was charged.
    pub fn give_back(&mut self, purpose: Purpose, bytes: usize) {
        let used = &mut self.used[purpose as usize];
        assert!(*used >= bytes as u64, "a budget gets back at most what was charged");
        *used -= bytes as u64;
    }

    /// Takes note of how much is taken altogether, where that is known.
    pub fn set(&mut self, purpose: Purpose, bytes: u64) {
        self.used[purpose as usize] = bytes;
    }

    /// Whether more may be let in.
    pub fn has_room(&self) -> bool {
        self.intake_bytes() < self.half_bytes
    }

    /// How many bytes may still be let in.
    pub fn room_bytes(&self) -> u64 {
        self.half_bytes.saturating_sub(self.intake_bytes())
    }

    /// Whether credit may be given to whom nothing is missing.
    pub fn has_spare_credit(&self) -> bool {
        self.used(Purpose::Credit) < self.half_bytes / CREDIT_SHARE
    }

    /// What a link has credit for in any case, and is not charged: a small request, so that nobody's half requests
    /// keep others from asking for metadata or records.
    pub fn least_credit_bytes(&self) -> usize {
        let share = usize::try_from(self.half_bytes / LEAST_SHARE).unwrap_or(usize::MAX);
        share.clamp(CONNECTION_CREDIT_BYTES_LEAST / 4, CONNECTION_CREDIT_BYTES_LEAST)
    }

    /// Whether a request that becomes whole frees memory: it is taken up, and does not just wait for the disk.
    pub fn is_freed_by_requests(&self) -> bool {
        self.used(Purpose::Behind) < self.half_bytes && self.has_work_room()
    }

    /// Whether a request may be taken up.
    pub fn has_work_room(&self) -> bool {
        self.work_bytes() < self.half_bytes
    }

    /// How many bytes an answer may take.
    pub fn work_room_bytes(&self) -> u64 {
        self.half_bytes.saturating_sub(self.work_bytes())
    }

    /// Largest request that is let in: it has the intake's half at most, and as much again is left to the work.
    pub fn request_bytes_max(&self) -> usize {
        request_bytes_max(self.capacity_bytes())
    }

    /// How much memory a request may take when it is decoded.
    pub fn decoded_bytes_max(&self) -> usize {
        usize::try_from(self.half_bytes / DECODED_SHARE).unwrap_or(usize::MAX).min(DECODED_BYTES_MAX)
    }

    /// What there is of it.
    pub fn capacity_bytes(&self) -> u64 {
        2 * self.half_bytes
    }

    /// How many bytes are charged for that.
    pub fn used(&self, purpose: Purpose) -> u64 {
        self.used[purpose as usize]
    }

    /// How many bytes are charged.
    pub fn used_bytes(&self) -> u64 {
        self.used.iter().sum()
    }

    fn intake_bytes(&self) -> u64 {
        self.used(Purpose::Credit) + self.used(Purpose::Requests) + self.used(Purpose::Behind)
    }

    fn work_bytes(&self) -> u64 {
        self.used(Purpose::Decoded)
            + self.used(Purpose::Answers)
            + self.used(Purpose::Reads)
            + self.used(Purpose::Sessions)
    }
}

/// Largest request of a node with such a budget, bytes after its length.
pub fn request_bytes_max(budget_bytes: u64) -> usize {
    usize::try_from(budget_bytes / 2).unwrap_or(usize::MAX).min(REQUEST_BYTES_MAX)
}
