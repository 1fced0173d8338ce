//! Feeds the claims about nodes: every range that became durable, every crash, every message between peers, every
//! acknowledgment, at the step it happens.

use super::Verdict;
use super::c01_one_leader::Leaders;
use super::c02_committed_stays::Committed;
use super::c03_durable_promises::{check_ack, check_message};
use super::c04_one_vote::Votes;
use super::c05_never_falls::Floors;
use super::c06_replicas_equal::{Segments, States};
use super::frames::Item;
use super::recovered::Recovered;
use super::shadow::{Durable, Group, Shadow};
use crate::disk::{Disk, Synced};
use bytes::Bytes;
use rust_mq_core::broker::Broker;
use rust_mq_proto::peer::codec::parse;
use rust_mq_proto::peer::message::PeerBody;
use rust_mq_proto::peer::raft::RaftKind;
use std::collections::BTreeSet;

/// Turns between two comparisons of states.
const STATES_EVERY: u64 = 64;

/// The claims about nodes, with what they know.
#[derive(Debug, Default)]
pub struct NodeClaims {
    shadows: Vec<Shadow>,
    leaders: Leaders,
    committed: Committed,
    votes: Votes,
    floors: Floors,
    states: States,
    recovered: Recovered,
    segments: Segments,
    /// Partitions that some node has dropped: their topic's deletion is committed, and nothing is promised any
    /// more. (A node that replays its metadata meets creation and deletion again, and between them has a replica
    /// that remembers nothing.)
    gone: BTreeSet<Group>,
    /// Leaderships seen.
    pub elections: u64,
}

impl NodeClaims {
    /// For so many machines.
    pub fn new(sites: usize) -> NodeClaims {
        NodeClaims { shadows: (0..sites).map(|_| Shadow::default()).collect(), ..NodeClaims::default() }
    }

    /// Ranges of a machine's files became durable. Returns what they say.
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

    /// A machine lost its power, or its process. Returns what came through although nobody waited for it.
    pub fn crashed(&mut self, site: usize, disk: &Disk, verdict: &mut Verdict) -> Vec<Item> {
        let items = self.shadows[site].crashed(disk);
        self.weigh(site, &items, verdict);
        items
    }

    /// A node says something to a peer.
    pub fn says(&mut self, site: usize, parts: &[Bytes], verdict: &mut Verdict) {
        let bytes = match parts {
            [one] => one.clone(),
            many => Bytes::from(many.concat()),
        };
        let Ok(PeerBody::Raft(packed)) = parse(bytes) else { return };
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
            }
        }
    }

    /// A node's turn is over.
    pub fn turned(&mut self, site: usize, boot: u32, turn: u64, broker: &Broker, verdict: &mut Verdict) {
        let nothing = Durable::default();
        let mut is_news = false;
        for seen in broker.observe() {
            self.floors.stands(site, boot, &seen, verdict);
            let group = (seen.of.topic.0, seen.of.partition.0);
            if self.gone.contains(&group) {
                continue;
            }
            let durable = self.shadows[site].replica(seen.replica.0).unwrap_or(&nothing);
            let log = || broker.observe_log(seen.replica);
            is_news |= self.recovered.stands((site, boot), &seen, durable, log, verdict);
            if seen.is_leader && self.leaders.led(group, seen.term.0, seen.replica.0, verdict) {
                self.elections += 1;
                is_news = true;
            }
        }
        // Encoding every state costs as much as a turn; but what a start or an election brings is always looked at.
        if is_news || turn.is_multiple_of(STATES_EVERY) {
            self.states.compare(site, broker, &self.gone, verdict);
        }
    }

    /// What a node has written to its segments is compared with what others have.
    pub fn compare_segments(&mut self, site: usize, broker: &Broker, disk: &Disk, verdict: &mut Verdict) {
        self.segments.compare(site, broker, disk, verdict);
    }

    /// A node acknowledges a batch.
    pub fn acks(&self, group: Group, base_offset: i64, crc: u32, voters: usize, verdict: &mut Verdict) {
        check_ack(group, base_offset, crc, voters, &self.shadows, verdict);
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
            match *item {
                Item::HardState { replica, term, vote, commit }
                | Item::Reset { replica, hard_state: (term, vote, commit), .. } => {
                    self.votes.cast(replica, term, vote, verdict);
                    self.floors.wrote(replica, term, commit, verdict);
                    if let Some(durable) = self.shadows[site].replica(replica) {
                        self.committed.compare(replica, durable, verdict);
                    }
                }
                Item::Entry { replica, index, term, hash, .. } => {
                    self.committed.replaces(replica, index, (term, hash), group, verdict);
                }
                Item::Added { .. } | Item::Dropped { .. } => {}
            }
        }
    }
}
