//! How the floor above hands over its parts in these tests: a few pages a turn, of a toy machine that is a map.

use super::model::{Machine, machine, state};
use super::world::World;
use crate::entry::Members;
use crate::ids::PageId;
use crate::ids::{Index, ReplicaId, Term};
use crate::limits::{GATHERED_BYTES_MAX, PAGE_BYTES};
use crate::paged::Folded;
use crate::storage::{Part, PartState, RecoveredReplica};
use bytes::Bytes;
use std::collections::VecDeque;

/// Parts and pages that a turn takes of the usual small machines.
const PIECES_A_TURN: usize = 3;

/// What was taken for a checkpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// Bytes of pages that were written.
    pub written: usize,
    /// The most in one turn.
    pub turn_max: usize,
    /// Turns that took anything.
    pub turns: usize,
}

/// A checkpoint's parts, while they are gathered.
#[derive(Default)]
pub struct Gathering {
    untaken: VecDeque<ReplicaId>,
    open: Option<(ReplicaId, Machine, Vec<PageId>, usize)>,
    pub taken: Taken,
}

/// Whether the state of a replica is in pages; that of the others is whole.
fn is_paged(replica: ReplicaId) -> bool {
    !replica.0.is_multiple_of(3)
}

impl World {
    pub fn checkpoint(&mut self) -> bool {
        let (mut actions, mut outcomes) = (Vec::new(), Vec::new());
        let has_begun = self.storage.begin_checkpoint(self.now, &mut actions, &mut outcomes);
        if has_begun {
            self.replicas.values_mut().for_each(|model| model.rewritten.checkpoint_begins());
            let live = self.replicas.iter().filter(|(_, model)| model.dropped.is_none());
            self.gathering =
                Gathering { untaken: live.map(|(replica, _)| *replica).collect(), ..Gathering::default() };
        }
        self.take(actions, outcomes);
        self.gather();
        has_begun
    }

    /// A whole checkpoint of a world with one replica, whose state is `machine`.
    pub fn checkpoint_of(&mut self, machine: &Machine) -> Taken {
        let before = self.checkpoints;
        self.toy = Some(machine.clone());
        assert!(self.checkpoint(), "none is being made");
        self.run();
        assert_eq!(self.checkpoints, before + 1);
        self.gathering.taken
    }

    /// The end of a turn: takes a few parts and pages, if it may.
    pub fn gather(&mut self) {
        if !self.storage.can_gather() {
            return;
        }
        let (mut actions, mut outcomes) = (Vec::new(), Vec::new());
        let (mut pieces, mut bytes_of_turn) = (0, 0);
        let goes_on = |pieces, bytes: usize, is_toy: bool| match is_toy {
            true => bytes + PAGE_BYTES < GATHERED_BYTES_MAX as usize,
            false => pieces < PIECES_A_TURN,
        };
        while goes_on(pieces, bytes_of_turn, self.toy.is_some()) {
            pieces += 1;
            if let Some((replica, machine, pages, taken)) = self.gathering.open.take() {
                let Some(id) = pages.get(taken) else {
                    self.storage.part_ends(self.now, replica, &mut actions, &mut outcomes);
                    continue;
                };
                if !self.storage.name_page(replica, *id) {
                    let (_, bytes) = machine.page(taken).expect("counted");
                    self.gathering.taken.written += bytes.len();
                    bytes_of_turn += bytes.len();
                    self.storage.take_page(*id, bytes);
                }
                self.gathering.open = Some((replica, machine, pages, taken + 1));
            } else if let Some(replica) = self.gathering.untaken.pop_front() {
                let Some(part) = self.part(replica) else { continue };
                let is_whole = matches!(part.state, PartState::Whole(_));
                self.storage.take_part(self.now, part, &mut actions, &mut outcomes);
                if !is_whole {
                    let machine = self.toy.as_ref().unwrap_or(&self.replicas[&replica].machine.1).clone();
                    let pages = machine.editions().map(|edition| PageId { table: 0, edition }).collect();
                    self.gathering.open = Some((replica, machine, pages, 0));
                }
            } else {
                break;
            }
        }
        let taken = &mut self.gathering.taken;
        (taken.turns, taken.turn_max) = (taken.turns + 1, taken.turn_max.max(bytes_of_turn));
        let is_all = self.gathering.untaken.is_empty() && self.gathering.open.is_none();
        self.storage.gathered(self.now, is_all, &mut actions, &mut outcomes);
        self.take(actions, outcomes);
    }

    fn part(&mut self, replica: ReplicaId) -> Option<Part> {
        let model = self.replicas.get_mut(&replica).filter(|model| model.dropped.is_none())?;
        model.catch_up();
        let memory = model.now();
        let place = (model.applied - memory.base) as usize;
        let head = state(model.applied);
        Some(Part {
            replica,
            members: Members::default(),
            applied: Index(model.applied),
            applied_term: place.checked_sub(1).map_or(Term(0), |last| memory.entries[last].term),
            state: if is_paged(replica) { PartState::Head(head) } else { PartState::Whole(head) },
            entries: memory.entries[place..].to_vec(),
        })
    }
}

/// The machine that was recovered, which is as of what it says.
pub fn check_state(recovered: &RecoveredReplica, seed: u64) -> Machine {
    let applied = recovered.applied.0;
    match &recovered.state {
        Folded::Whole(bytes) => {
            let expected =
                if applied == 0 { [Bytes::new(), state(0)] } else { [state(applied), state(applied)] };
            assert!(expected.contains(bytes), "seed {seed}: the state is as of applied");
            machine(applied)
        }
        Folded::Pages { head, pages } => {
            assert_eq!(*head, state(applied), "seed {seed}: the head is as of applied");
            let mut found = Machine::default();
            for (id, bytes) in pages {
                assert_eq!(found.push_page(id.edition, bytes), Ok(()), "seed {seed}");
            }
            assert_eq!(found, machine(applied), "seed {seed}: the pages are as of applied");
            found
        }
    }
}
