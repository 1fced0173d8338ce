//! How this node's replicas behave, and what its metadata machine may make of requests, as its configuration says.
//!
//! Invariant: a replica's ready goes whole into one frame, and the commands of a decision into one proposal.

use crate::config::Config;
use crate::ids::TopicPartition;
use crate::limits::{
    COMMANDS_BYTES_MAX, ENTRY_ITEM_BYTES, PARTITION_BYTES, PARTITIONS_BESIDES_BYTES, PARTITIONS_MAX,
    PARTITIONS_SHARE, READY_ITEM_BYTES, STATE_BYTES_MAX, STATE_SHARE, TICK,
};
use crate::machine::Room;
use crate::mutant::{Mutant, is_planted};
use crate::replica::Settings;
use crate::rng;
use std::time::Duration;

/// How a replica of this partition behaves, on a node with that seed.
pub(super) fn of_replica(config: &Config, seed: u64, of: TopicPartition) -> Settings {
    let topic = u128::from_be_bytes(of.topic.0);
    let partition =
        rng::hash(&[(topic >> 64) as u64, topic as u64, u64::from(of.partition.0.unsigned_abs())]);
    let settings = Settings::new(config.node, seed, partition);
    // A ready goes whole into one frame: where frames are small, less may wait (seed 27: a follower's ready
    // that no frame could hold kept its node turning for ever).
    let is_blind = is_planted(config.mutant, Mutant::ReadyLargerThanFrame);
    let fits = if is_blind { usize::MAX } else { frame_bytes(config) / 4 * 3 };
    let uncommitted_bytes_max = settings.uncommitted_bytes_max.min(fits);
    let (election_ticks_min, election_ticks_max) = election_ticks(config);
    Settings {
        heartbeat_ticks: heartbeat_ticks(config),
        election_ticks_min,
        election_ticks_max,
        uncommitted_bytes_max,
        append_bytes_max: settings.append_bytes_max.min(uncommitted_bytes_max / 2),
        mutant: config.mutant,
        ..settings
    }
}

/// What the metadata machine may make of requests: its commands fit one proposal and its state one frame, which is
/// less than what a message between peers holds, and its share of the node's memory.
pub(super) fn room(config: &Config, replica: &Settings) -> Room {
    let proposal_bytes = replica.uncommitted_bytes_max - ENTRY_ITEM_BYTES;
    let partitions = config.memory_limit / PARTITIONS_SHARE + PARTITIONS_BESIDES_BYTES;
    let partitions_max = usize::try_from(partitions / PARTITION_BYTES).unwrap_or(usize::MAX);
    let in_memory = usize::try_from(config.memory_limit / STATE_SHARE).unwrap_or(usize::MAX);
    let in_frame = frame_bytes(config).saturating_sub(2 * READY_ITEM_BYTES);
    Room {
        node: config.node,
        commands_bytes_max: COMMANDS_BYTES_MAX.min(proposal_bytes),
        partitions_max: partitions_max.min(PARTITIONS_MAX),
        state_bytes_max: STATE_BYTES_MAX.min(in_frame).min(in_memory),
        groups: config.groups,
    }
}

/// Fewest and most ticks without a leader before an election.
pub(super) fn election_ticks(config: &Config) -> (usize, usize) {
    let least = ticks(config.election_timeout_min).max(heartbeat_ticks(config) + 1);
    (least, ticks(config.election_timeout_max).max(least + 1))
}

fn heartbeat_ticks(config: &Config) -> usize {
    ticks(config.heartbeat_interval).max(1)
}

fn frame_bytes(config: &Config) -> usize {
    usize::try_from(config.storage.frame_bytes_max).unwrap_or(usize::MAX)
}

fn ticks(wait: Duration) -> usize {
    usize::try_from(wait.as_nanos() / TICK.as_nanos()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_takes_no_more_than_its_share_of_the_memory() {
        for (memory_limit, state) in [(64 << 20, 8 << 20), (1 << 30, STATE_BYTES_MAX), (8 << 20, 1 << 20)] {
            let config = Config { memory_limit, ..Config::default() };
            let replica = of_replica(&config, 1, TopicPartition::default());
            assert_eq!(room(&config, &replica).state_bytes_max, state, "of {memory_limit}");
        }
    }
}
