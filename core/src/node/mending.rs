//! Mending segments: where a disk does not give back what was written, the bytes are fetched from another replica,
//! which holds the same, and written in place (decision 0008).
//!
//! ```text
//! a read finds damage    --Damaged-->   a replica's node is asked for the range
//! a start finds a segment cut short     it is read through, which finds the damage
//! Fetched{batches}       compared with what the log knows of them, handed to storage, written and synced
//! Mended                 who waits for the range looks again; the rest of the range is read through
//! ```
//! Until then the range is refused as it would be for ever where no other replica is: KAFKA_STORAGE_ERROR, which
//! clients retry; a fetch that may wait, waits.
//!
//! Leadership stays: nobody has looked whether another replica can read that range, everything else is served on,
//! and a round trip mends it (decision 0008).
//!
//! - Invariant: at most one mending a replica, and one call of it on the way. Other damage waits until a read
//!   meets it again.
//! - Invariant: only committed batches are written: whole, sound, of the epoch that the log has there.
//!
//! Not here: finding damage and writing over it (`storage/reads`, `storage/mend`), giving batches to who asks
//! (`serving_catch_up`).

use super::Node;
use crate::action::{Action, Notice};
use crate::ids::{NodeId, Offset, ReplicaId, TopicPartition};
use crate::limits::{MEND_FETCH_BYTES, MEND_PATIENCE, MEND_READ_BYTES, MEND_WAIT_MAX, MEND_WAIT_MIN};
use crate::now::{Mono, Now};
use crate::partition::Partition;
use crate::peer::{Bulk, CallId, Fetch, Fetched};
use crate::storage::{Chunk, Lookup, MendRefused, ReadFault, ReadId};
use crate::timer::Deadlines;
use bytes::{Bytes, BytesMut};
use rust_mq_proto::records::{Batch, Batches};
use std::collections::BTreeMap;

/// The mendings of this node's replicas.
#[derive(Default)]
pub(super) struct Mendings {
    of: BTreeMap<ReplicaId, Mending>,
    due: Deadlines<ReplicaId>,
    /// Segments that the start found cut short, of replicas that do not run yet: first and last offset.
    cut: BTreeMap<ReplicaId, (Offset, Offset)>,
}

/// One of them.
struct Mending {
    /// What cannot be read now; empty while it is not known whether anything cannot.
    from: Offset,
    below: Offset,
    /// How far everything is to be looked through.
    until: Offset,
    /// Times that the place was asked for in vain.
    tries: u32,
    /// When the step is over at the latest.
    at: Mono,
    step: Step,
}

/// What a mending waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Its time to ask.
    Time,
    /// A peer's answer.
    Answer(NodeId, CallId),
    /// The disk, which writes what that peer gave.
    Disk(NodeId),
    /// The disk, which reads.
    Read(ReadId),
}

impl Mendings {
    /// When [`Node::mendings_due`] has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.due.next()
    }

    /// The start found a segment of a replica cut short.
    pub fn found_cut(&mut self, replica: ReplicaId, from: Offset, below: Offset) {
        let range = self.cut.entry(replica).or_insert((from, below));
        *range = (range.0.min(from), range.1.max(below));
    }
}

impl Node {
    /// Whether that offset cannot be read now, and good bytes are on their way.
    pub fn is_being_mended(&self, of: TopicPartition, offset: Offset) -> bool {
        let mending = self.residents.replica_of(of).and_then(|id| self.mendings.of.get(&id));
        mending.is_some_and(|mending| mending.from <= offset && offset < mending.below)
    }

    /// A read met damage.
    pub(super) fn found_damage(&mut self, now: Now, id: ReplicaId, from: Offset, below: Offset) {
        if self.other_holders(id).is_empty() {
            return;
        }
        let (until, tries) = match self.mendings.of.get(&id) {
            None => (below, 0),
            // It was looking, and has found something. What it found before was mended.
            Some(known) if matches!(known.step, Step::Read(_)) => (known.until.max(below), 0),
            Some(_) => return,
        };
        let mending = Mending { from, below, until, tries, at: now.mono, step: Step::Time };
        self.mendings.of.insert(id, mending);
        self.ask_for_good_bytes(now, id);
    }

    /// What was read out of a segment, up to the first batch that is not of the epoch that the log has there. No
    /// checksum covers a batch's epoch, since its leader writes it; but the log knows it.
    pub(super) fn compare_epochs(
        &mut self,
        now: Now,
        id: ReplicaId,
        chunk: Chunk,
    ) -> Result<Chunk, ReadFault> {
        let (Some(place), Some(run)) = (chunk.place, chunk.batches.first()) else { return Ok(chunk) };
        let Some(partition) = self.residents.partition(id) else { return Ok(chunk) };
        let mut good = 0;
        let mut wrong = None;
        for batch in Batches::new(run).map_while(Result::ok) {
            if !is_of_its_epoch(partition, &batch) {
                wrong = Some((Offset(batch.base_offset()), Offset(batch.last_offset().saturating_add(1))));
                break;
            }
            good += batch.bytes().len();
        }
        let Some((from, below)) = wrong else { return Ok(chunk) };
        let good_run = run.slice(..good);
        self.storage.doubt(place, good as u64, (from, below), &mut self.disk_actions);
        self.found_damage(now, id, from, below);
        if good_run.is_empty() {
            return Err(ReadFault::Damaged { from, below });
        }
        Ok(Chunk { batches: vec![good_run], ..chunk })
    }

    /// A replica runs now: if the start found segments of it cut short, they are read through.
    pub(super) fn look_at_cuts(&mut self, now: Now, id: ReplicaId) {
        let Some((from, until)) = self.mendings.cut.remove(&id) else { return };
        if !self.other_holders(id).is_empty() {
            let (at, step) = (now.mono, Step::Time);
            self.mendings.of.insert(id, Mending { from, below: from, until, tries: 0, at, step });
            self.look_through(now, id);
        }
    }

    /// The other nodes that hold the partition.
    pub(super) fn other_holders(&self, id: ReplicaId) -> Vec<NodeId> {
        let Some(of) = self.residents.partition(id).map(Partition::of) else { return Vec::new() };
        let Some(topic) = self.image().and_then(|image| image.topic(of.topic)) else { return Vec::new() };
        let placed = usize::try_from(of.partition.0).ok().and_then(|number| topic.partitions.get(number));
        let nodes = placed.into_iter().flatten().map(|placed| placed.node);
        nodes.filter(|node| *node != self.config.node).collect()
    }

    fn ask_for_good_bytes(&mut self, now: Now, id: ReplicaId) {
        let holders = self.other_holders(id);
        let alive: Vec<NodeId> = holders.into_iter().filter(|node| self.is_alive(*node)).collect();
        let (Some(of), Some(log_start)) = (self.residents.partition_of(id), self.log_start_of(id)) else {
            return self.mending_over(id);
        };
        let call = self.next_call();
        let Some(mending) = self.mendings.of.get_mut(&id) else { return };
        if mending.until <= log_start {
            return self.mending_over(id);
        }
        let asked = Fetch { id: call, partition: of, from: mending.from, max_bytes: MEND_FETCH_BYTES };
        let peer = (!alive.is_empty()).then(|| alive[mending.tries as usize % alive.len()]);
        match peer.filter(|peer| self.peers.send_bulk(*peer, Bulk::Fetch(asked)).is_ok()) {
            Some(peer) => {
                (mending.step, mending.at) = (Step::Answer(peer, call), now.mono + MEND_PATIENCE);
                self.mendings.due.arm(mending.at, id);
            }
            None => self.mend_later(now, id),
        }
    }

    fn log_start_of(&self, id: ReplicaId) -> Option<Offset> {
        self.storage.extent(id).map(|extent| extent.log_start)
    }

    /// Nobody gave what is missing: another is asked, after a wait that grows.
    fn mend_later(&mut self, now: Now, id: ReplicaId) {
        let Some(mending) = self.mendings.of.get_mut(&id) else { return };
        let wait = MEND_WAIT_MIN * (1 << mending.tries.min(16));
        mending.tries = mending.tries.saturating_add(1);
        (mending.step, mending.at) = (Step::Time, now.mono + wait.min(MEND_WAIT_MAX));
        self.mendings.due.arm(mending.at, id);
    }

    /// Asks whom it is time to ask, and gives up answers that do not come.
    pub(super) fn mendings_due(&mut self, now: Now) {
        while let Some(id) = self.mendings.due.pop_due(now.mono) {
            match self.mendings.of.get(&id).filter(|mending| mending.at <= now.mono) {
                Some(Mending { step: Step::Time, .. }) => self.ask_for_good_bytes(now, id),
                Some(Mending { step: Step::Answer(..), .. }) => self.mend_later(now, id),
                _ => {}
            }
        }
    }

    /// A peer's answer; returns whether a mending asked for it.
    pub(super) fn fetched_for_mending(&mut self, now: Now, node: NodeId, fetched: &Fetched) -> bool {
        let step = Step::Answer(node, fetched.id);
        let asker = self.mendings.of.iter().find(|(_, mending)| mending.step == step).map(|(id, _)| *id);
        let Some(id) = asker else { return false };
        let Some(mending) = self.mendings.of.get_mut(&id) else { return false };
        let (from, below) = (mending.from, mending.below);
        let good =
            self.residents.partition(id).and_then(|partition| good_run(partition, fetched, from, below));
        let written = good.map(|good| self.storage.mend(id, from, good, &mut self.disk_actions));
        match written {
            Some(Ok(())) => mending.step = Step::Disk(node),
            Some(Err(MendRefused::Sound)) => self.mending_over(id),
            Some(Err(MendRefused::Busy | MendRefused::Unfit)) | None => self.mend_later(now, id),
        }
        true
    }

    /// The disk has written good bytes, or could not.
    pub(super) fn mended(&mut self, now: Now, id: ReplicaId, from: Offset, is_mended: bool) {
        let Some(partition) = self.residents.partition_of(id) else { return };
        let Some(mending) = self.mendings.of.get_mut(&id) else { return };
        let Step::Disk(peer) = mending.step else { return };
        if mending.from != from || !is_mended {
            return self.mend_later(now, id);
        }
        mending.below = mending.from;
        self.disk_actions.push(Action::Note(Notice::Mended { partition, offset: from, from: peer }));
        if let Some(partition) = self.residents.partition_mut(id) {
            self.news.woken.extend(partition.take_watchers());
        }
        self.look_through(now, id);
    }

    /// Reads on from where the mending is: what is found there is mended too.
    fn look_through(&mut self, now: Now, id: ReplicaId) {
        let Some(log_start) = self.log_start_of(id) else { return self.mending_over(id) };
        let Some(mending) = self.mendings.of.get_mut(&id) else { return };
        let from = mending.from.max(log_start);
        if from >= mending.until {
            return self.mending_over(id);
        }
        match self.storage.read(id, from, mending.until, MEND_READ_BYTES, &mut self.disk_actions) {
            Lookup::Later(read) => (mending.step, mending.at) = (Step::Read(read), now.mono),
            // In memory, or nowhere: there is nothing to mend.
            Lookup::Now(_) | Lookup::Refused(_) => self.mending_over(id),
        }
    }

    /// A cold read ended; returns whether a mending looked through a segment with it.
    pub(super) fn looked_through(
        &mut self,
        now: Now,
        read: ReadId,
        result: &Result<Chunk, ReadFault>,
    ) -> bool {
        let looks = |mending: &Mending| mending.step == Step::Read(read);
        let reader = self.mendings.of.iter().find(|(_, mending)| looks(mending)).map(|(id, _)| *id);
        let Some(id) = reader else { return false };
        let end = result.as_ref().ok().and_then(end_of);
        match (end, self.mendings.of.get_mut(&id)) {
            (Some(end), Some(mending)) if end > mending.from => {
                (mending.from, mending.below) = (end, end);
                self.look_through(now, id);
            }
            _ => self.mending_over(id),
        }
        true
    }

    /// What was asked of a node will not be answered.
    pub(super) fn mendings_lost(&mut self, now: Now, node: NodeId) {
        let asks = |mending: &Mending| matches!(mending.step, Step::Answer(asked, _) if asked == node);
        let lost = self.mendings.of.iter().filter(|(_, mending)| asks(mending)).map(|(id, _)| *id);
        for id in lost.collect::<Vec<_>>() {
            self.mend_later(now, id);
        }
    }

    /// There is nothing to mend any more, or nobody to mend it.
    pub(super) fn mending_over(&mut self, id: ReplicaId) {
        self.mendings.of.remove(&id);
        self.mendings.cut.remove(&id);
        if let Some(partition) = self.residents.partition_mut(id) {
            self.news.woken.extend(partition.take_watchers());
        }
    }
}

/// The batches of an answer that belong into `[from, below)`, as one run of bytes; `None` if the first is not there.
fn good_run(partition: &Partition, fetched: &Fetched, from: Offset, below: Offset) -> Option<Bytes> {
    let mut run = BytesMut::new();
    let mut end = from;
    for chunk in fetched.chunks.iter().filter(|_| fetched.error == 0) {
        for batch in Batches::new(chunk) {
            let Ok(batch) = batch else { break };
            let next = Offset(batch.last_offset().saturating_add(1));
            let is_ours = batch.base_offset() == end.0
                && next > end
                && next <= below.min(partition.high_watermark())
                && batch.check_crc().is_ok()
                && is_of_its_epoch(partition, &batch);
            if !is_ours {
                break;
            }
            run.extend_from_slice(batch.bytes());
            end = next;
        }
    }
    (end > from).then(|| run.freeze())
}

fn is_of_its_epoch(partition: &Partition, batch: &Batch<'_>) -> bool {
    let known = partition.epochs().epoch_at(Offset(batch.base_offset()));
    known.is_none_or(|term| term.epoch() == batch.leader_epoch())
}

/// Where the last batch of a chunk ends.
pub(super) fn end_of(chunk: &Chunk) -> Option<Offset> {
    let last = Batches::new(chunk.batches.last()?).filter_map(Result::ok).last()?;
    Some(Offset(last.last_offset().saturating_add(1)))
}
