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
//! (`serving`).

use super::company::Company;
use super::ports::Ports;
use crate::action::{Action, Notice};
use crate::ids::{NodeId, Offset, ReplicaId};
use crate::limits::{
    CATCH_UP_FETCH_BYTES, MEND_FETCH_BYTES, MEND_PATIENCE, MEND_READ_BYTES, MEND_WAIT_MAX, MEND_WAIT_MIN,
};
use crate::now::{Mono, Now};
use crate::partition::Partition;
use crate::peer::{Bulk, CallId, Fetch, Fetched};
use crate::resident::Residents;
use crate::storage::{Chunk, Lookup, MendRefused, ReadFault, ReadId, Shortened};
use crate::timer::Deadlines;
use bytes::{Bytes, BytesMut};
use rust_mq_proto::records::{Batch, Batches};
use std::collections::BTreeMap;

/// The mendings of this node's replicas.
#[derive(Default)]
pub(super) struct Mendings {
    of: BTreeMap<ReplicaId, Mending>,
    due: Deadlines<ReplicaId>,
    /// Segments that the start found shorter than they were, of replicas that do not run yet: first and last offset.
    shortened: BTreeMap<ReplicaId, (Offset, Offset)>,
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
    /// How many are under way, or have left a gap.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.of.len() + self.shortened.len()
    }

    /// When `woke` has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.due.next()
    }

    /// The start found a segment shorter than it was.
    pub fn found_shortened(&mut self, found: Shortened) {
        let Shortened { replica, from, below } = found;
        let range = self.shortened.entry(replica).or_insert((from, below));
        *range = (range.0.min(from), range.1.max(below));
    }

    /// Whether that offset cannot be read now, and good bytes are on their way.
    pub fn is_being_mended(&self, id: ReplicaId, offset: Offset) -> bool {
        self.of.get(&id).is_some_and(|mending| mending.from <= offset && offset < mending.below)
    }

    /// A read met damage.
    pub fn found_damage(
        &mut self,
        now: Now,
        id: ReplicaId,
        (from, below): (Offset, Offset),
        residents: &mut Residents,
        ports: &mut Ports,
    ) {
        if Company::of(residents, ports).other_holders(id).is_empty() {
            return;
        }
        let (until, tries) = match self.of.get(&id) {
            None => (below, 0),
            // It was looking, and has found something. What it found before was mended.
            Some(known) if matches!(known.step, Step::Read(_)) => (known.until.max(below), 0),
            Some(_) => return,
        };
        self.of.insert(id, Mending { from, below, until, tries, at: now.mono, step: Step::Time });
        self.ask(now, id, residents, ports);
    }

    /// What was read out of a segment, up to the first batch that is not of the epoch that the log has there. No
    /// checksum covers a batch's epoch, since its leader writes it; but the log knows it.
    ///
    /// # Errors
    /// Nothing of it is as the log knows it.
    pub fn compare_epochs(
        &mut self,
        now: Now,
        id: ReplicaId,
        chunk: Chunk,
        residents: &mut Residents,
        ports: &mut Ports,
    ) -> Result<Chunk, ReadFault> {
        let (Some(place), Some(run)) = (chunk.place, chunk.batches.first()) else { return Ok(chunk) };
        let Some(partition) = residents.partition(id) else { return Ok(chunk) };
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
        ports.storage.doubt(place, good as u64, (from, below), &mut ports.actions);
        self.found_damage(now, id, (from, below), residents, ports);
        if good_run.is_empty() {
            return Err(ReadFault::Damaged { from, below });
        }
        Ok(Chunk { batches: vec![good_run], ..chunk })
    }

    /// A replica runs now: if the start found segments of it cut short, they are read through.
    pub fn started(&mut self, now: Now, id: ReplicaId, residents: &mut Residents, ports: &mut Ports) {
        let Some((from, until)) = self.shortened.remove(&id) else { return };
        if !Company::of(residents, ports).other_holders(id).is_empty() {
            let (at, step) = (now.mono, Step::Time);
            self.of.insert(id, Mending { from, below: from, until, tries: 0, at, step });
            self.look_through(now, id, residents, ports);
        }
    }

    /// Asks whom it is time to ask, and gives up answers that do not come.
    pub fn woke(&mut self, now: Now, residents: &mut Residents, ports: &mut Ports) {
        while let Some(id) = self.due.pop_due(now.mono) {
            match self.of.get(&id).filter(|mending| mending.at <= now.mono) {
                Some(Mending { step: Step::Time, .. }) => self.ask(now, id, residents, ports),
                Some(Mending { step: Step::Answer(..), .. }) => self.mend_later(now, id),
                _ => {}
            }
        }
    }

    /// A peer's answer; returns whether a mending asked for it.
    pub fn fetched(
        &mut self,
        now: Now,
        node: NodeId,
        fetched: &Fetched,
        residents: &mut Residents,
        ports: &mut Ports,
    ) -> bool {
        let step = Step::Answer(node, fetched.id);
        let asker = self.of.iter().find(|(_, mending)| mending.step == step).map(|(id, _)| *id);
        let Some(id) = asker else { return false };
        let Some(mending) = self.of.get_mut(&id) else { return false };
        let (from, below) = (mending.from, mending.below);
        let log_start = residents.partition(id).map_or(from, Partition::log_start);
        let good = residents
            .partition(id)
            .and_then(|partition| good_run(partition, fetched, (from, from.max(log_start)), below));
        let written = good.map(|good| ports.storage.mend(id, (from, log_start), good, &mut ports.actions));
        match written {
            Some(Ok(())) => mending.step = Step::Disk(node),
            Some(Err(MendRefused::Sound)) => self.over(id, residents, ports),
            Some(Err(MendRefused::Busy | MendRefused::Unfit)) | None => self.mend_later(now, id),
        }
        true
    }

    /// The disk has written good bytes, or could not.
    pub fn mended(
        &mut self,
        now: Now,
        id: ReplicaId,
        (from, is_mended): (Offset, bool),
        residents: &mut Residents,
        ports: &mut Ports,
    ) {
        let Some(partition) = residents.partition_of(id) else { return };
        let Some(mending) = self.of.get_mut(&id) else { return };
        let Step::Disk(peer) = mending.step else { return };
        if mending.from != from || !is_mended {
            return self.mend_later(now, id);
        }
        mending.below = mending.from;
        ports.actions.push(Action::Note(Notice::Mended { partition, offset: from, from: peer }));
        ports.wake_readers(residents.get_mut(id));
        self.look_through(now, id, residents, ports);
    }

    /// A cold read ended; returns whether a mending looked through a segment with it.
    pub fn read(
        &mut self,
        now: Now,
        read: ReadId,
        result: &Result<Chunk, ReadFault>,
        residents: &mut Residents,
        ports: &mut Ports,
    ) -> bool {
        let looks = |mending: &Mending| mending.step == Step::Read(read);
        let reader = self.of.iter().find(|(_, mending)| looks(mending)).map(|(id, _)| *id);
        let Some(id) = reader else { return false };
        let end = result.as_ref().ok().and_then(end_of);
        match (end, self.of.get_mut(&id)) {
            (Some(end), Some(mending)) if end > mending.from => {
                (mending.from, mending.below) = (end, end);
                self.look_through(now, id, residents, ports);
            }
            _ => self.over(id, residents, ports),
        }
        true
    }

    /// What was asked of a node will not be answered.
    pub fn lost(&mut self, now: Now, node: NodeId) {
        let asks = |mending: &Mending| matches!(mending.step, Step::Answer(asked, _) if asked == node);
        let lost = self.of.iter().filter(|(_, mending)| asks(mending)).map(|(id, _)| *id);
        for id in lost.collect::<Vec<_>>() {
            self.mend_later(now, id);
        }
    }

    /// There is nothing to mend any more, or nobody to mend it.
    pub fn over(&mut self, id: ReplicaId, residents: &mut Residents, ports: &mut Ports) {
        self.of.remove(&id);
        self.shortened.remove(&id);
        ports.wake_readers(residents.get_mut(id));
    }

    fn ask(&mut self, now: Now, id: ReplicaId, residents: &mut Residents, ports: &mut Ports) {
        let holders = Company::of(residents, ports).other_holders(id);
        let alive: Vec<NodeId> = holders.into_iter().filter(|node| ports.is_alive(*node)).collect();
        let Some(partition) = residents.partition(id) else { return self.over(id, residents, ports) };
        let (of, log_start) = (partition.of(), partition.log_start());
        let call = ports.next_call();
        let Some(mending) = self.of.get_mut(&id) else { return };
        if mending.until <= log_start {
            return self.over(id, residents, ports);
        }
        if mending.below <= log_start {
            // Nobody needs that any more.
            return self.look_through(now, id, residents, ports);
        }
        // What is deleted nobody gives, and what follows it is wanted up to where it is known to lie.
        let max_bytes = if mending.from < log_start { CATCH_UP_FETCH_BYTES } else { MEND_FETCH_BYTES };
        let from = mending.from.max(log_start);
        let asked = Fetch { id: call, partition: of, from, max_bytes };
        let peer = (!alive.is_empty()).then(|| alive[mending.tries as usize % alive.len()]);
        match peer.filter(|peer| ports.peers.send_bulk(*peer, Bulk::Fetch(asked)).is_ok()) {
            Some(peer) => {
                (mending.step, mending.at) = (Step::Answer(peer, call), now.mono + MEND_PATIENCE);
                self.due.arm(mending.at, id);
            }
            None => self.mend_later(now, id),
        }
    }

    /// Nobody gave what is missing: another is asked, after a wait that grows.
    fn mend_later(&mut self, now: Now, id: ReplicaId) {
        let Some(mending) = self.of.get_mut(&id) else { return };
        let wait = MEND_WAIT_MIN * (1 << mending.tries.min(16));
        mending.tries = mending.tries.saturating_add(1);
        (mending.step, mending.at) = (Step::Time, now.mono + wait.min(MEND_WAIT_MAX));
        self.due.arm(mending.at, id);
    }

    /// Reads on from where the mending is: what is found there is mended too.
    fn look_through(&mut self, now: Now, id: ReplicaId, residents: &mut Residents, ports: &mut Ports) {
        let Some(log_start) = residents.partition(id).map(Partition::log_start) else {
            return self.over(id, residents, ports);
        };
        let Some(mending) = self.of.get_mut(&id) else { return };
        let from = mending.from.max(log_start);
        if from >= mending.until {
            return self.over(id, residents, ports);
        }
        match ports.storage.read(id, from, mending.until, MEND_READ_BYTES, &mut ports.actions) {
            Lookup::Later(read) => (mending.step, mending.at) = (Step::Read(read), now.mono),
            // In memory, or nowhere: there is nothing to mend.
            Lookup::Now(_) | Lookup::Refused(_) => self.over(id, residents, ports),
        }
    }
}

/// The batches of an answer that belong into `[from, below)`, as one run of bytes; `None` if the first is not there,
/// which begins at `at_latest` at the latest.
fn good_run(
    partition: &Partition,
    fetched: &Fetched,
    (from, at_latest): (Offset, Offset),
    below: Offset,
) -> Option<Bytes> {
    let mut run = BytesMut::new();
    let first = fetched.chunks.iter().flat_map(|chunk| Batches::new(chunk)).next()?.ok()?;
    let from = Offset(first.base_offset()).max(from);
    if from > at_latest {
        return None;
    }
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
