//! Feeds the claims about nodes: every range that became durable, every crash, every message between peers, every
//! acknowledgment, at the step it happens.

use super::Verdict;
use super::c01_one_leader::Leaders;
use super::c02_committed_stays::Committed;
use super::c03_durable_promises::{Ack, check_ack, check_message};
use super::c04_one_vote::Votes;
use super::c05_never_falls::Floors;
use super::c06_records_equal::Segments;
use super::c06_replay_is_live::Replays;
use super::c06_replicas_equal::{States, Whose};
use super::c06_settings_act::SettingsInForce;
use super::c06_tip_is_committed;
use super::c07_topics_stay::ShownTopics;
use super::c09_lookups_are_exact::Stand;
use super::c21_loss_is_named::Named;
use super::c22_strangers_learn_nothing::Strangers;
use super::frames::Item;
use super::recovered::Recovered;
use super::rehearsal;
use super::shadow::{Durable, Group, Shadow, partition_of};
use crate::dice::Dice;
use crate::disk::{Disk, Synced};
use crate::marks::Marks;
use bytes::Bytes;
use rust_mq_core::action::{Action, Notice};
use rust_mq_core::broker::Broker;
use rust_mq_core::broker::observe::Observation;
use rust_mq_core::config::Config;
use rust_mq_core::ids::{ReplicaId, TopicId, TopicPartition};
use rust_mq_core::now::Now;
use rust_mq_proto::peer::codec::parse;
use rust_mq_proto::peer::message::{PROTOCOL_NEWEST, PeerBody};
use rust_mq_proto::peer::raft::RaftKind;
use std::collections::{BTreeMap, BTreeSet};

/// Turns between two comparisons of all states, moved or not.
const STATES_EVERY: u64 = 64;

/// The claims about nodes, with what they know.
#[derive(Debug, Default)]
pub struct NodeClaims {
    pub(super) shadows: Vec<Shadow>,
    /// By site, the replicas that may not run any more.
    pub(super) dead: Vec<BTreeSet<ReplicaId>>,
    leaders: Leaders,
    committed: Committed,
    votes: Votes,
    pub(super) floors: Floors,
    states: States,
    recovered: Recovered,
    replays: Replays,
    /// What each site's process showed after its last turn, with its life.
    shown: Vec<(u32, Vec<Observation>)>,
    segments: Segments,
    topics: ShownTopics,
    settings: SettingsInForce,
    /// Partitions that some node has dropped: their topic's deletion is committed, and nothing is promised any
    /// more. (A node that replays its metadata meets creation and deletion again, and between them has a replica
    /// that remembers nothing.)
    pub(super) gone: BTreeSet<Group>,
    /// Processes that do not know the cluster's secret.
    pub strangers: Strangers,
    /// Leaderships seen.
    pub elections: u64,
    /// Those of the last step.
    elected: Vec<(usize, TopicPartition, u64)>,
    /// How far the log of each partition has been taken by retention, as far as any node has shown.
    taken: BTreeMap<Group, i64>,
    /// Who has led each partition, as far as any node has shown.
    led: BTreeMap<Group, BTreeSet<usize>>,
    /// By site, the id of its disk, and whether its journal was found damaged since the last start.
    disks: Vec<Named>,
    /// What went in the last turn.
    raised: Vec<(Group, i64, i64)>,
    /// What the claims could look at.
    pub marks: Marks,
}

impl NodeClaims {
    /// For so many sites.
    pub fn new(sites: usize) -> NodeClaims {
        NodeClaims {
            shadows: (0..sites).map(|_| Shadow::default()).collect(),
            dead: vec![BTreeSet::new(); sites],
            shown: vec![(0, Vec::new()); sites],
            disks: vec![Named::default(); sites],
            ..NodeClaims::default()
        }
    }

    /// Ranges of a site's files became durable. Returns what they say.
    pub fn synced(
        &mut self,
        site: usize,
        disk: &Disk,
        ranges: &[Synced],
        verdict: &mut Verdict,
    ) -> Vec<Item> {
        let items = self.shadows[site].synced(disk, ranges);
        self.weigh(site, &items, verdict);
        items
    }

    /// A site lost its power, or its process. Returns what came through although nobody waited for it.
    pub fn crashed(&mut self, site: usize, disk: &Disk, verdict: &mut Verdict) -> Vec<Item> {
        let items = self.shadows[site].crashed(disk);
        self.weigh(site, &items, verdict);
        items
    }

    /// A start of that site's node is rehearsed on what a loss of power leaves of its disk.
    pub fn rehearse(
        &self,
        (site, now): (usize, Now),
        disk: &Disk,
        kept_ppm: Option<u64>,
        config: &Config,
        dice: &mut Dice,
        verdict: &mut Verdict,
    ) {
        rehearsal::rehearse((site, now), disk, kept_ppm, config, &self.shadows[site], dice, verdict);
    }

    /// A node says something to a peer.
    pub fn says(&mut self, site: usize, parts: &[Bytes], verdict: &mut Verdict) {
        let bytes = match parts {
            [one] => one.clone(),
            many => Bytes::from(many.concat()),
        };
        let Ok(PeerBody::Raft(packed)) = parse(bytes, PROTOCOL_NEWEST + 1) else { return };
        for message in packed.parse().unwrap_or_default() {
            let group = self.shadows[site].replica(message.from).and_then(|durable| durable.group);
            if group.is_some_and(|group| self.gone.contains(&group)) {
                continue;
            }
            check_message(site, &message, &self.shadows[site], verdict);
            if matches!(message.kind(), RaftKind::Append | RaftKind::Heartbeat)
                && let Some(group) = group
                && self.leaders.led(group, message.term, message.from, verdict)
            {
                self.elections += 1;
                self.elected.push((site, partition_of(group), message.term));
            }
        }
    }

    /// What a node's journal has made durable, as the shadow has it.
    pub fn shadow(&self, site: usize) -> &Shadow {
        &self.shadows[site]
    }

    /// Who has led that partition at any time.
    pub fn have_led(&self, group: Group) -> BTreeSet<usize> {
        self.led.get(&group).cloned().unwrap_or_default()
    }

    /// A node has found its journal damaged.
    pub fn found_damage(&mut self, site: usize, boot: u32) {
        self.disks[site].found_damaged(boot);
    }

    /// Who came to lead what since the last call.
    pub fn take_elected(&mut self) -> Vec<(usize, TopicPartition, u64)> {
        std::mem::take(&mut self.elected)
    }

    /// Which offsets went from the start of which logs since the last call.
    pub fn take_raised(&mut self) -> Vec<(Group, i64, i64)> {
        std::mem::take(&mut self.raised)
    }

    /// How a site's replica of a partition stood after its last turn, in that life of its process.
    pub fn stand(&self, site: usize, boot: u32, group: Group) -> Option<Stand> {
        let (life, seen) = self.shown.get(site)?;
        let of = partition_of(group);
        let seen = seen.iter().filter(|_| *life == boot).find(|seen| seen.of == of)?;
        Some(Stand { log_start: seen.log_start.0, high_watermark: seen.high_watermark.0, term: seen.term.0 })
    }

    /// What a node does in a turn, before the turn is over: it says which deletions it has applied.
    pub fn noted(&mut self, actions: &[Action]) {
        for action in actions {
            if let Action::Note(Notice::TopicDeleted { topic, .. }) = action {
                self.topics.deleted(*topic);
            }
        }
    }

    /// A node's turn is over.
    pub fn turned(&mut self, site: usize, boot: u32, turn: u64, broker: &Broker, verdict: &mut Verdict) {
        let (life, mut shown) = std::mem::take(&mut self.shown[site]);
        let seen = broker.observe();
        shown.truncate(if life == boot { shown.len() } else { 0 });
        for (place, now) in seen.iter().enumerate() {
            // What stands as it stood was weighed when it came to stand so.
            if shown.get(place) != Some(now) {
                self.moved(site, boot, broker, now, verdict);
            }
        }
        self.shown[site] = (boot, seen);
        self.topics.turned(site, boot, broker.node(), verdict);
        let is_due = turn.is_multiple_of(STATES_EVERY);
        self.settings.turned(site, boot, broker.node(), is_due, verdict);
        if let Some(disk) = broker.observe_disk() {
            self.disks[site].shows(site, boot, disk, verdict);
        }
        if is_due {
            for (of, applied, hash) in broker.observe_states() {
                if !self.gone.contains(&(of.topic.0, of.partition.0)) {
                    self.states.compare(Whose::Site(site), of, applied, hash, verdict);
                }
            }
        }
    }

    /// Something about a replica is not as it was after the turn before.
    fn moved(&mut self, site: usize, boot: u32, broker: &Broker, now: &Observation, verdict: &mut Verdict) {
        let before = self.floors.stands(site, boot, now, verdict);
        let group = (now.of.topic.0, now.of.partition.0);
        if self.gone.contains(&group) {
            return;
        }
        if now.is_leader {
            self.led.entry(group).or_default().insert(site);
        }
        let taken = self.taken.entry(group).or_default();
        if now.log_start.0 > *taken {
            self.raised.push((group, *taken, now.log_start.0));
            *taken = now.log_start.0;
        }
        let nothing = Durable::default();
        let durable = self.shadows[site].replica(now.replica.0).unwrap_or(&nothing);
        let log = || broker.observe_log(now.replica);
        self.recovered.stands((site, boot), &now.remembered(), durable, log, verdict);
        if now.is_leader && self.leaders.led(group, now.term.0, now.replica.0, verdict) {
            self.elections += 1;
            self.elected.push((site, now.of, now.term.0));
        }
        c06_tip_is_committed::check(site, broker, now, verdict);
        let is_elected = now.is_leader && before.is_none_or(|before| !before.is_leader);
        if before.is_none_or(|before| before.applied != now.applied) || is_elected {
            let Some(hash) = broker.observe_state(now.of) else { return };
            let is_replayed = self.states.compare(Whose::Site(site), now.of, now.applied, hash, verdict);
            let is_restart = boot > 1 && before.is_none();
            self.marks.add("replay.met_a_restart", u64::from(is_replayed && is_restart));
            self.marks.add("replay.met_an_election", u64::from(is_replayed && is_elected));
        }
    }

    /// What a node has written to its segments is compared with what others have.
    pub fn compare_segments(&mut self, site: usize, broker: &Broker, disk: &Disk, verdict: &mut Verdict) {
        self.segments.compare(site, broker, disk, verdict);
    }

    /// A node acknowledges a batch.
    pub fn acks(&self, ack: &Ack, verdict: &mut Verdict) {
        check_ack(ack, &self.shadows, verdict);
    }

    /// A node says that a topic is made.
    pub fn made(&self, site: usize, topic: [u8; 16], verdict: &mut Verdict) {
        self.topics.made(site, TopicId(topic), verdict);
    }

    fn weigh(&mut self, site: usize, items: &[Item], verdict: &mut Verdict) {
        for item in items {
            let group = self.shadows[site].replica(item.replica()).and_then(|durable| durable.group);
            if let (Item::Dropped { .. }, Some(group)) = (item, group) {
                self.gone.insert(group);
            }
            if group.is_some_and(|group| self.gone.contains(&group)) {
                continue;
            }
            if let (Item::Reset { index, state, .. }, Some(group)) = (item, group) {
                let (states, marks) = (&mut self.states, &mut self.marks);
                self.replays.reset(site, (group, *index), state, states, marks, verdict);
            }
            match *item {
                Item::HardState { replica, term, vote, commit }
                | Item::Reset { replica, hard_state: (term, vote, commit), .. } => {
                    self.votes.cast(replica, term, vote, verdict);
                    self.floors.wrote(replica, term, commit, verdict);
                    if let Some(durable) = self.shadows[site].replica(replica) {
                        self.committed.compare(replica, durable, verdict);
                    }
                    self.replay(site, replica, group, verdict);
                }
                Item::Entry { replica, index, term, hash, .. } => {
                    self.committed.replaces(replica, index, (term, hash), group, verdict);
                }
                Item::Added { .. } => group.into_iter().for_each(|group| self.replays.added(group)),
                Item::Dropped { .. } | Item::LogStart { .. } => {}
            }
        }
    }

    /// A replica's journal may know more committed than before.
    fn replay(&mut self, site: usize, replica: u64, group: Option<Group>, verdict: &mut Verdict) {
        let shadow = &mut self.shadows[site];
        let (Some(durable), Some(group)) = (shadow.replica(replica), group) else { return };
        for (index, said) in shadow.take_said(replica, durable.commit.min(durable.last())) {
            let Some((term, _)) = shadow.replica(replica).and_then(|durable| durable.entry(index)) else {
                continue;
            };
            let (states, marks) = (&mut self.states, &mut self.marks);
            self.replays.committed(group, (index, term), said, states, marks, verdict);
        }
    }
}
