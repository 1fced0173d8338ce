//! C3: no vote, append-ok or produce-ack leaves a node before the durable journal holds what it promises. Each is
//! looked up in the shadow at the moment it leaves, so a breach is found without any crash.
//!
//! Rules, per kind of message from a replica in a term: its durable term is at least that term (pre-votes promise
//! nothing); a granted vote is the durable vote of that term; a candidate has voted for itself; an append-ok up to
//! an index finds the log durable up to it, as the log was in the term of the append-ok. A produce-ack finds the batch
//! durable on a majority of the voters.
//!
//! As it was in that term, and not as it is: one frame may hold the entries that a leader's append-ok is about, and those
//! with which the leader of a later term cut them (seeds 114735814356613 and 96806520351502). The append-ok leaves when
//! the frame is durable, its index is above the log, and it is true nevertheless. An entry commits in term T by a
//! majority that held it when it was asked for its vote of any later term, for a frame keeps the order of what it says;
//! so a majority that elects a later leader has a member with that entry, whose vote goes to nobody without it
//! (Raft, figure 3, Leader Completeness). Who sends another entry there was elected by voters without it: no majority
//! accepted it, this replica counted or not. Where both came in one turn, the frame holds the later ones alone, and what
//! was cut cannot be looked up (seed 92004107); the append-ok leaves no sooner, and the argument is the same. The other way round it stays a breach: an append-ok of what was cut in its
//! own term, or before. `core/src/replica/tests/laws.rs` delivers such append-oks to leaders that still count them.

use super::shadow::{Durable, Shadow, partition_of};
use super::{Claim, Verdict};
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};

/// Looks a message of a replica up in its node's shadow.
pub fn check_message(node: usize, message: &RaftMessage, shadow: &Shadow, verdict: &mut Verdict) {
    let kind = message.kind();
    if matches!(kind, RaftKind::PreVote | RaftKind::PreVoteResponse) {
        return;
    }
    let nothing = Durable::default();
    let durable = shadow.replica(message.from).unwrap_or(&nothing);
    let from = message.from;
    verdict.hold(durable.term >= message.term, Claim::C3, || {
        format!(
            "n{} replica {from} says {kind:?} in term {}, durable is {}",
            node + 1,
            message.term,
            durable.term
        )
    });
    let vote = durable.votes.get(&message.term).copied();
    // A frame holds the newest hard state of a replica: a durable later term says of an earlier one that no other
    // vote will be given in it.
    let is_kept = |who: u64| vote == Some(who) || vote.is_none() && durable.term > message.term;
    match kind {
        RaftKind::VoteResponse if !message.reject => {
            verdict.hold(is_kept(message.to), Claim::C3, || {
                format!(
                    "n{} replica {from} grants {} its vote of term {}, durable is {vote:?}",
                    node + 1,
                    message.to,
                    message.term
                )
            });
        }
        RaftKind::Vote => verdict.hold(is_kept(from), Claim::C3, || {
            format!(
                "n{} replica {from} stands in term {}, its durable vote is {vote:?}",
                node + 1,
                message.term
            )
        }),
        RaftKind::AppendResponse if !message.reject => {
            let last = durable.last_in(message.term);
            verdict.hold(last >= message.index, Claim::C3, || {
                let (index, term) = (message.index, message.term);
                format!(
                    "n{} replica {from} accepts up to {index} in term {term}, durable was {last}",
                    node + 1
                )
            });
        }
        _ => {}
    }
}

/// A batch that is acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Ack {
    /// Of which partition.
    pub group: ([u8; 16], i32),
    /// Where it is.
    pub base_offset: i64,
    /// Its checksum.
    pub crc: u32,
    /// Voters of the partition.
    pub voters: usize,
    /// Disks that must have it: 1, or for acks=all what `min.insync.replicas` says.
    pub wanted: usize,
}

/// Looks an acknowledged batch up in all shadows.
pub fn check_ack(ack: &Ack, shadows: &[Shadow], verdict: &mut Verdict) {
    let Ack { group, base_offset, crc, voters, wanted } = *ack;
    let is_its = |durable: &&Durable| durable.group == Some(group);
    let index = |durable: &Durable| {
        let (index, found) = durable.batches.get(&base_offset)?;
        (*found == crc).then_some(*index)
    };
    let found = |shadow: &Shadow| shadow.replicas().filter(is_its).find_map(index);
    let holders = shadows.iter().filter_map(found).count();
    verdict.hold(holders * 2 > voters, Claim::C3, || {
        format!(
            "{}: the batch at {base_offset} is acknowledged, and durable on {holders} of {voters} nodes",
            partition_of(group)
        )
    });
    // Who has caught up by a snapshot behind the batch has it in a segment that was synced before. And a disk that was
    // rolled back since had it, as one that was wiped had: an answer may wait for other partitions of its request long
    // after that was counted (seed 95001022).
    let Some(at) = shadows.iter().find_map(found) else { return };
    let covers = |shadow: &&Shadow| {
        let mut its = shadow.replicas().filter(is_its);
        its.any(|durable| durable.had(base_offset, crc) || durable.base >= at)
    };
    let having = shadows.iter().filter(covers).count();
    verdict.hold(having >= wanted, Claim::C3, || {
        format!(
            "{}: the batch at {base_offset} is acknowledged to who wants {wanted} disks to have it, {having} have",
            partition_of(group)
        )
    });
}
