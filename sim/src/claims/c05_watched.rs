//! C5, as those who watch see it: what a node tells them of a replica stands between what it showed after the turn before
//! and after this one, so that it does not fall either, and never says that something is committed which is not; and C19:
//! what it tells is a piece, each replica in it once, and of the budget no more than it has, but for what was begun.
//!
//! Looked at: every `WATCHED_EVERY`th turn of a world is asked, behind all that happened in it, for the next piece of what
//! its node tells; at rest each node is asked for all, and says exactly what it shows. The question is none of the
//! world's happenings: it takes no time and draws nothing.

use super::{Claim, Verdict};
use crate::claims::c09_lookups_are_exact::Stand;
use rust_mq_core::broker::Broker;
use rust_mq_core::broker::observe::{Holdings, Observation};
use rust_mq_core::ids::TopicPartition;
use rust_mq_core::limits::WATCHED_PIECE;
use rust_mq_core::watched::{Metrics, PartitionMetrics, Wanted};
use std::collections::{BTreeMap, BTreeSet};

/// Turns between two questions.
pub const WATCHED_EVERY: u64 = 16;

/// What is asked after that.
pub fn next(metrics: Option<&Metrics>) -> Wanted {
    match metrics {
        None => Wanted::Node,
        Some(Metrics::Node(_)) => Wanted::Partitions { after: None },
        Some(Metrics::Partitions(piece)) => match piece.next {
            Some(last) => Wanted::Partitions { after: Some(last) },
            None => Wanted::Groups { after: None },
        },
        Some(Metrics::Groups(piece)) => match &piece.next {
            Some(last) => Wanted::Groups { after: Some(last.clone()) },
            None => Wanted::Node,
        },
    }
}

/// A node has told that in a turn; `stood` says how a replica stood after the turn before, in the same life.
pub fn check(
    site: usize,
    told: &Metrics,
    stood: impl Fn(TopicPartition) -> Option<Stand>,
    broker: &Broker,
    verdict: &mut Verdict,
) {
    match told {
        Metrics::Partitions(piece) => {
            let shown: BTreeMap<TopicPartition, Observation> =
                broker.observe().into_iter().map(|seen| (seen.of, seen)).collect();
            check_piece(site, piece.told.len(), piece.told.iter().map(named), verdict);
            for told in &piece.told {
                let Some(of) = partition(broker, told) else { continue };
                if let (Some(before), Some(after)) = (stood(of), shown.get(&of)) {
                    check_between(site, told, before, after, verdict);
                }
            }
        }
        Metrics::Groups(piece) => {
            let looked_at = piece.told.iter().map(|group| 1 + group.commits.len()).sum::<usize>();
            check_piece(site, looked_at.saturating_sub(1), piece.told.iter().map(|group| &group.id), verdict);
        }
        Metrics::Node(node) => {
            let up = node.members.iter().filter(|member| member.is_up).count();
            verdict.hold(node.controller.is_none() || up > 0, Claim::C5, || {
                format!("n{} tells of a controller, and that nobody is there", site + 1)
            });
        }
    }
}

/// At rest: what a node tells is what it shows, and what it is said to hold is what it holds.
pub fn check_at_rest(site: usize, broker: &Broker, holds: &Holdings, verdict: &mut Verdict) {
    let node = broker.node();
    let counted = node.counted();
    let charged = holds.charged.map(|(_, bytes)| bytes);
    verdict.hold(counted.budget.used_bytes == charged, Claim::C19, || {
        format!("n{} tells of {:?} bytes, and {charged:?} are charged", site + 1, counted.budget.used_bytes)
    });
    verdict.hold(counted.clients.links == holds.connections as u64, Claim::C19, || {
        format!("n{} tells of {} links, and there are {}", site + 1, counted.clients.links, holds.connections)
    });
    let shown = broker.observe();
    let (mut told, mut after) = (0, None);
    loop {
        let piece = node.count_partitions(after, 7);
        told += piece.told.len();
        for told in &piece.told {
            let Some(of) = partition(broker, told) else { continue };
            let Some(seen) = shown.iter().find(|seen| seen.of == of) else { continue };
            let is_so = |led: rust_mq_core::watched::LedMetrics| {
                (led.log_start, led.high_watermark) == (seen.log_start.0, seen.high_watermark.0)
            };
            verdict.hold(told.led.is_none_or(is_so), Claim::C5, || {
                format!("n{} tells {told:?}, and shows {seen:?}", site + 1)
            });
        }
        after = piece.next;
        if after.is_none() {
            break;
        }
    }
    let records = shown.iter().filter(|seen| !seen.is_machine).count();
    verdict.hold(told == records, Claim::C19, || {
        format!("n{} tells of {told} replicas, and has {records}", site + 1)
    });
}

fn check_piece<K: Ord>(site: usize, looked_at: usize, named: impl Iterator<Item = K>, verdict: &mut Verdict) {
    verdict.hold(looked_at <= WATCHED_PIECE, Claim::C19, || {
        format!("n{} tells of {looked_at} at once, and a piece has {WATCHED_PIECE}", site + 1)
    });
    let mut seen = BTreeSet::new();
    let is_once = named.into_iter().all(|name| seen.insert(name));
    verdict.hold(is_once, Claim::C19, || format!("n{} tells of one twice in a piece", site + 1));
}

fn check_between(
    site: usize,
    told: &PartitionMetrics,
    before: Stand,
    after: &Observation,
    verdict: &mut Verdict,
) {
    let Some(led) = told.led else { return };
    let is_well = (before.log_start..=after.log_start.0).contains(&led.log_start)
        && (before.high_watermark..=after.high_watermark.0).contains(&led.high_watermark)
        && led.log_start <= led.high_watermark
        && led.in_sync <= led.replicas;
    verdict.hold(is_well, Claim::C5, || {
        format!("n{} tells {told:?}; it showed {before:?}, and shows {after:?}", site + 1)
    });
}

fn named(told: &PartitionMetrics) -> (&str, i32) {
    (&told.topic, told.partition.0)
}

fn partition(broker: &Broker, told: &PartitionMetrics) -> Option<TopicPartition> {
    let topic = broker.node().image()?.topic_id(&told.topic)?;
    Some(TopicPartition { topic, partition: told.partition })
}
