//! What time brings to a node: ticks of Raft, retention, and the deadlines of the rooms below.

use super::Node;
use crate::action::Action;
use crate::ids::ReplicaId;
use crate::limits::{ISR_LOOK_INTERVAL, RETENTION_HURRY, RETENTION_HURRY_PARTITION, TICK};
use crate::now::{Mono, Now, earliest};
use crate::partition::Retained;
use crate::storage::Segment;

impl Node {
    /// The deadline has come.
    pub fn woke(&mut self, now: Now, actions: &mut Vec<Action>) {
        let mut outcomes = Vec::new();
        self.storage.woke(now.mono, actions, &mut outcomes);
        self.disk_outcomes(now, outcomes, actions);
        self.connections.woke(now.mono, &mut self.budget, actions);
        self.peers_woke(now);
        self.hold_elections(now);
        self.mendings_due(now);
        self.scrub_if_due(now);
        self.ask_again(now);
        if self.next_tick.is_some_and(|at| at <= now.mono) {
            self.tick(now);
        }
        if self.retention_at <= now.mono {
            self.retain(now);
        }
    }

    /// The earliest moment at which `woke` has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        earliest([
            self.storage.next_deadline(),
            (!self.disk_news.is_empty()).then_some(Mono::default()),
            self.connections.next_deadline(&self.budget),
            self.peers.next_deadline(),
            self.next_tick,
            self.elections.next(),
            self.mendings.next_deadline(),
            self.scrub_due(),
            self.unasked.front().map(|unasked| unasked.until),
            (self.residents.partition_count() > 0).then_some(self.retention_at),
        ])
    }

    /// Replicas of several voters are ticked; the only voter of a group needs no clock.
    pub(super) fn arm_ticks(&mut self) {
        if !self.config.is_single() && self.next_tick.is_none() {
            self.next_tick = Some(Mono::default());
        }
    }

    fn tick(&mut self, now: Now) {
        self.next_tick = Some(now.mono + TICK);
        self.watch_disk();
        let mut unheard: Vec<ReplicaId> = Vec::new();
        let (touched, handing_over) = (&mut self.touched, &self.handing_over);
        self.residents.for_each(|id, resident| {
            let replica = resident.replica_mut();
            if replica.members().voters.len() > 1 {
                replica.set_reluctant(handing_over.is_reluctant(id));
                replica.tick();
                if replica.has_ready() {
                    touched.insert(id);
                }
                if replica.wants_to_lead() {
                    unheard.push(id);
                }
            }
        });
        self.ask_for_leadership(unheard);
        self.tick_catch_ups(now);
        self.let_others_lead();
        if self.followers_at <= now.mono {
            self.followers_at = now.mono + ISR_LOOK_INTERVAL;
            self.residents.for_each_partition(|_, partition| partition.look_at_followers(now.mono));
            let led = self.residents.partitions().filter(|(_, partition)| partition.replica().is_leader());
            for id in led.map(|(id, _)| id).collect::<Vec<_>>() {
                self.tell_who_lags(id);
            }
            self.touched.extend(&self.awaiting_disks);
        }
    }

    /// Where space is short, records that may go do so before others are refused: they are looked for at once.
    pub fn hurry_retention(&mut self, now: Now) {
        if self.storage.is_space_short() {
            let partitions = u32::try_from(self.residents.partition_count()).unwrap_or(u32::MAX);
            let pause = RETENTION_HURRY + RETENTION_HURRY_PARTITION * partitions;
            if self.retained_at.is_none_or(|at| at + pause <= now.mono) {
                self.retain(now);
            }
        }
    }

    /// The leaders among this node's partitions look for records that may go.
    fn retain(&mut self, now: Now) {
        self.retention_at = now.mono + self.config.retention_interval;
        self.retained_at = Some(now.mono);
        let mut segments = Vec::new();
        let (touched, storage) = (&mut self.touched, &self.storage);
        self.residents.for_each_partition(|id, partition| {
            if !partition.has_records() {
                return;
            }
            let retained = |segment: &Segment| Retained {
                next: segment.next,
                bytes: segment.bytes,
                max_timestamp: segment.max_timestamp,
            };
            segments.clear();
            segments.extend(storage.segments(id).iter().map(retained));
            segments.extend(storage.unwritten(id).as_ref().map(retained));
            if partition.retain(now, &segments) {
                touched.insert(id);
            }
        });
    }

    /// The process was asked to stop: no more records are taken, and what is on the way is finished; then others
    /// are to lead, and the disk is to be left clean.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }
}
