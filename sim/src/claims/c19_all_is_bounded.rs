//! C19: memory, queues, files and open requests stay bounded, and an idle cluster does not storm.
//!
//! Looked at: after each Send what waits in the driver for that link; turns that lead to nothing but the next turn; the
//! steps of a run; and in the idle seconds at its end the events that nodes are given, and then what each node still
//! holds: bytes of its journal, bytes charged to its budget and by what for, requests that wait, and connections, which
//! must be among those that the driver has; and the files of its disk, name by name: those of replicas that the node's
//! image places there, and of segments that reach above their log's start. By then it has come to the end of its checkpoint, too, and of its
//! journal.

use super::frames::{self, Item};
use super::{Claim, Verdict};
use crate::disk::Disk;
use crate::wire::WireKind;
use rust_mq_core::broker::Broker;
use rust_mq_core::broker::observe::{Holdings, Needs};
use rust_mq_core::config::StorageConfig;
use rust_mq_core::connection::Purpose;
use rust_mq_core::file::{File, SegmentName};
use rust_mq_core::ids::{Offset, TopicPartition};
use rust_mq_core::limits;
use std::collections::BTreeMap;
use std::time::Duration;

/// Events that a node may need in a second of idleness: ticks, heartbeats and their answers.
const IDLE_EVENTS_MAX: u64 = 3_000;
/// Turns in a row that may do nothing but ask for the next at once: work in small pieces is no spinning.
const SPINS_MAX: u32 = 1_000;

/// Time after the last was given up after which a disk holds nothing of it: the longest that the core means to leave it there, and
/// as much again for two checkpoints on a slow disk. A clock may run wrong by a tenth.
const TIDY_AFTER: Duration = Duration::from_secs(30);

/// Files of a journal besides those that hold what no checkpoint covers: the head, the one that the checkpoint names,
/// one that is being zeroed, and one at either end that is covered in part.
const JOURNAL_FILES_BESIDES: u64 = 5;

/// A node did nothing but ask for the next turn at once, so many times in a row.
pub fn check_spins(site: usize, spins: u32, verdict: &mut Verdict) {
    verdict.hold(spins <= SPINS_MAX, Claim::C19, || {
        format!("n{} turns {SPINS_MAX} times without anything happening", site + 1)
    });
}

/// That many bytes wait in the driver for one link.
pub fn check_unsent(site: usize, kind: WireKind, unsent: u64, verdict: &mut Verdict) {
    let most = match kind {
        WireKind::Peer(_) => limits::PEER_QUEUE_BYTES_MAX + limits::PEER_MESSAGE_BYTES_MAX,
        WireKind::Kafka => limits::FETCH_BYTES_MAX + limits::CONNECTION_UNREAD_BYTES_MAX,
    };
    verdict.hold(unsent <= most as u64, Claim::C19, || {
        format!("n{} has {unsent} bytes waiting for one link, bounded by {most}", site + 1)
    });
}

/// The cluster was idle and got that many events. True if that is few enough.
pub fn check_idle(events: u64, seconds: u64, sites: usize, verdict: &mut Verdict) -> bool {
    let is_calm = events <= IDLE_EVENTS_MAX * seconds * sites as u64;
    verdict
        .hold(is_calm, Claim::C19, || format!("{events} events in {seconds} s of idleness of {sites} nodes"));
    is_calm
}

/// What a node holds after idleness, when the driver has `links` connections of clients for it: nothing for those that
/// are gone.
pub fn check_holdings(site: usize, holds: &Holdings, links: usize, verdict: &mut Verdict) {
    verdict.hold(holds.connections <= links, Claim::C19, || {
        format!("n{} knows {} connections, and there are {links}", site + 1, holds.connections)
    });
    verdict.hold(holds.waiting <= links * limits::CONNECTION_REQUESTS_MAX, Claim::C19, || {
        format!("n{}: {} requests of {links} idle connections wait", site + 1, holds.waiting)
    });
    check_charges(site, holds, links, verdict);
}

/// What is charged to the budget is what is held: nothing at the desk where nothing waits, nothing of clients where
/// there are none, and of what the disk has not, what the replicas say.
fn check_charges(site: usize, holds: &Holdings, links: usize, verdict: &mut Verdict) {
    let mut is_nothing = |purpose: Purpose, why: &str| {
        let bytes = holds.charged_for(purpose);
        let words = || format!("n{}: {bytes} bytes are charged for {purpose:?}, and {why}", site + 1);
        verdict.hold(bytes == 0, Claim::C19, words);
    };
    if holds.waiting == 0 {
        is_nothing(Purpose::Decoded, "nothing waits at the desk");
        is_nothing(Purpose::Reads, "nothing waits at the desk");
    }
    if links == 0 {
        [Purpose::Credit, Purpose::Requests, Purpose::Answers, Purpose::Sessions]
            .into_iter()
            .for_each(|purpose| is_nothing(purpose, "there is no client"));
    }
    verdict.hold(holds.weighed == holds.weighed_anew, Claim::C19, || {
        format!("n{} takes {:?} bytes and producers for {:?}", site + 1, holds.weighed, holds.weighed_anew)
    });
    let behind = holds.charged_for(Purpose::Behind);
    verdict.hold(behind == 0 || behind == holds.weighed.0, Claim::C19, || {
        format!("n{}: {behind} bytes are charged for the {} that replicas keep", site + 1, holds.weighed.0)
    });
    let used: u64 = holds.charged.iter().map(|(_, bytes)| bytes).sum();
    let most = holds.budget_bytes + overdrawn_max(links);
    verdict.hold(used <= most, Claim::C19, || {
        format!("n{}: {used} bytes are charged for {links} idle connections, bounded by {most}", site + 1)
    });
}

/// What idle clients may have begun while there was room: the credit for a small request each, and an answer.
fn overdrawn_max(links: usize) -> u64 {
    (links * limits::CONNECTION_CREDIT_BYTES_LEAST + limits::BATCH_BYTES_MAX_CEILING) as u64
}

/// What a turn has done for clients.
pub fn check_turn(site: usize, done: usize, share: usize, verdict: &mut Verdict) {
    verdict.hold(done <= share + limits::STEP_WORK_BYTES, Claim::C19, || {
        format!("n{} looks at {done} bytes in a turn, and its share is {share}", site + 1)
    });
}

/// What a node's journal takes after idleness.
pub fn check_journal(site: usize, disk: &Disk, storage: &StorageConfig, verdict: &mut Verdict) {
    let bytes = |is_one: fn(&File) -> bool| {
        disk.durable_files().filter(move |(file, _)| is_one(file)).map(|(_, image)| image.len())
    };
    let journal: u64 = bytes(|file| matches!(file, File::Journal(_))).sum();
    let slots = bytes(|file| matches!(file, File::Checkpoint(_))).max().unwrap_or(0);
    // What a checkpoint writes of state counts towards the next one.
    let checkpoint = slots + bytes(|file| matches!(file, File::State(_))).sum::<u64>();
    let most = journal_bytes_max(checkpoint, storage);
    verdict.hold(journal <= most, Claim::C19, || {
        format!("n{}'s journal takes {journal} bytes after idleness, bounded by {most}", site + 1)
    });
}

/// The ring's promise: since the newest checkpoint the journal has grown by less than calls for the next, and as much
/// again while that one was written; the rest is free files, which are few.
fn journal_bytes_max(checkpoint_bytes: u64, storage: &StorageConfig) -> u64 {
    let grown = storage.checkpoint_bytes.max(4 * checkpoint_bytes);
    let files = limits::JOURNAL_FREE_FILES_MAX as u64 + JOURNAL_FILES_BESIDES;
    2 * grown + files * storage.journal_file_bytes.max(storage.frame_bytes_max)
}

/// What a node has not done yet that it does by itself, in words: a checkpoint ends, and a journal that is quiet with a
/// frame that says nothing but what may be lost, without which rot of the one before would pass for a write that was torn.
pub fn unfinished(site: usize, disk: &Disk, broker: &Broker) -> Option<String> {
    if broker.observe_checkpointing() {
        return Some(format!("n{} has not come to the end of a checkpoint", site + 1));
    }
    let is_hint = |item: &Item| matches!(item, Item::HardState { .. } | Item::LogStart { .. });
    let is_sealed = frames::in_force(disk).last().is_none_or(|(_, _, frame)| frame.items.iter().all(is_hint));
    (!is_sealed).then(|| format!("n{} has not sealed its journal", site + 1))
}

/// What a node's disk holds that its image does not say, or that its logs have given up, in words. A dead replica does
/// not run, and its files stay.
pub fn leftover(site: usize, disk: &Disk, broker: &Broker) -> Option<String> {
    let placed = broker.observe_placed();
    let dead = broker.observe_dead();
    let is_dead = |of: &TopicPartition| placed.get(of).is_some_and(|replica| dead.contains(replica));
    let starts: BTreeMap<TopicPartition, Offset> =
        broker.observe().into_iter().map(|seen| (seen.of, seen.log_start)).collect();
    if let Some(of) = starts.keys().find(|of| !placed.contains_key(of)) {
        return Some(format!("n{} runs a replica of {of}, which its image does not place there", site + 1));
    }
    if let Some(of) = placed.keys().find(|of| !starts.contains_key(of) && !is_dead(of)) {
        return Some(format!("n{} runs no replica of {of}, which its image places there", site + 1));
    }
    let names: Vec<(File, SegmentName)> = disk
        .names()
        .filter_map(|file| match file {
            File::Segment(name) | File::SegmentIndex(name) => Some((file, name)),
            _ => None,
        })
        .filter(|(_, name)| !is_dead(&name.of))
        .collect();
    names.iter().find_map(|(file, name)| {
        let Some(start) = starts.get(&name.of) else {
            // Of a topic that is gone for long, as far as its node can tell somebody's: said by name, and left (seed 90002564).
            if disk.came_back(*file) {
                return None;
            }
            return Some(format!("n{} has {file}, and no replica of it", site + 1));
        };
        // The next one begins where it ends.
        let next = names.iter().map(|(_, other)| other).filter(|other| other.of == name.of);
        let next = next.map(|other| other.base).filter(|base| *base > name.base).min();
        let is_below = next.is_some_and(|next| next <= *start);
        is_below.then(|| format!("n{} has {file}, and the log starts at {start}", site + 1))
    })
}

/// What a node has begun and not done, in words. It waits for nobody any more.
pub fn begun(site: usize, broker: &Broker) -> Option<String> {
    let held = broker.observe_begun().into_iter().find(|(_, count)| *count > 0);
    held.map(|(name, count)| format!("n{} holds {count} {name}", site + 1))
}

/// What a node holds for its data, and what one does that has just started on the same disk and knows nothing else: the
/// same, where both have applied the same.
pub fn check_needs(
    site: usize,
    node: &BTreeMap<TopicPartition, Needs>,
    fresh: &BTreeMap<TopicPartition, Needs>,
    verdict: &mut Verdict,
) -> usize {
    let mut compared = 0;
    for (of, needs) in node {
        let Some(fresh) = fresh.get(of).filter(|fresh| fresh.applied == needs.applied) else { continue };
        compared += 1;
        let is_kept_for_others = needs.lacked_from.is_some_and(|lacked| needs.entries_from >= lacked);
        let entries_are = is_kept_for_others || needs.entries_from >= fresh.entries_from;
        let same = entries_are && (needs.state, needs.producers) == (fresh.state, fresh.producers);
        verdict.hold(same, Claim::C19, || {
            format!("n{} holds {needs:?} of {of}, and a fresh start on its disk {fresh:?}", site + 1)
        });
    }
    compared
}

/// So long after everything was done some node's disk still holds what it should not.
pub fn check_tidy(idle_ns: u64, words: impl FnOnce() -> String, verdict: &mut Verdict) {
    let most = TIDY_AFTER.as_nanos() as u64;
    verdict.hold(idle_ns <= most, Claim::C19, || {
        format!("{} ms after all was done, and the last given up, {}", idle_ns / 1_000_000, words())
    });
}

/// A run was given up as a runaway.
pub fn runaway(steps: u64, verdict: &mut Verdict) {
    verdict.breach(Claim::C19, format!("the run does not end: {steps} steps"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_mq_core::connection::PURPOSES;

    #[test]
    fn what_is_held_for_nobody_is_a_breach() {
        let is_breach = |connections, waiting, requests, decoded, links| {
            let mut verdict = Verdict::default();
            let mut charged = PURPOSES.map(|purpose| (purpose, 0));
            charged[Purpose::Requests as usize].1 = requests;
            charged[Purpose::Decoded as usize].1 = decoded;
            let (weighed, weighed_anew) = ((0, 0), (0, 0));
            let holds =
                Holdings { connections, waiting, charged, budget_bytes: 1_000, weighed, weighed_anew };
            check_holdings(0, &holds, links, &mut verdict);
            verdict.is_broken()
        };
        assert!(!is_breach(0, 0, 0, 0, 0) && !is_breach(1, 1, 100, 100, 1));
        assert!(is_breach(1, 0, 0, 0, 0) && is_breach(0, 1, 0, 0, 0) && is_breach(0, 0, 1, 0, 0));
        assert!(is_breach(1, 0, 0, 1, 1), "charged for a request that is done");
        assert!(is_breach(1, 0, 1 << 30, 0, 1), "more than there is");
    }

    #[test]
    fn a_storm_at_idle_is_a_breach() {
        let mut verdict = Verdict::default();
        assert!(check_idle(3 * 2 * IDLE_EVENTS_MAX, 2, 3, &mut verdict) && !verdict.is_broken());
        assert!(!check_idle(3 * 2 * IDLE_EVENTS_MAX + 1, 2, 3, &mut verdict) && verdict.is_broken());
    }
}
