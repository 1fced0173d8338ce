//! Offsets that nobody will ask for go, and groups with them (KIP-211). So do those of topics that are gone: they are kept
//! by the topic's id, so that one of the same name never meets them, and going is only a matter of space.
//!
//! ```text
//! of a simple group                      a time after the commit
//! of a classic group without members     a time after the last one left
//! of a group of consumers in Stable      what none of them subscribes to: a time after the commit
//! a client said when (OffsetCommit 2-4)  then
//! ```
//! The leader walks through all offsets, some in each step, and proposes what is to go. A coordinator whose image is older
//! than what offsets were committed by does not know all their topics, and waits.
//!
//! Invariant: a step looks at no more than `limits::OFFSETS_SWEPT` offsets, and at one group at least.

use super::command::Command;
use super::soft::{Alarm, Soft};
use super::state::{Committed, Group, Groups, OffsetKey, State};
use crate::ids::TopicId;
use crate::limits::{OFFSETS_SWEPT, OFFSETS_SWEPT_ON};
use crate::machine::Context;
use crate::metadata::Metadata;
use crate::now::Wall;
use std::collections::BTreeSet;
use std::ops::Bound;

/// Looks on, and says what is to go.
pub fn sweep(groups: &Groups, soft: &mut Soft, context: &Context<'_, Metadata>) -> Vec<Command> {
    let now = context.now;
    let settings = context.room.groups;
    let sweep = &mut soft.sweep;
    let image = (context.image.topic_count(), context.image.replicas_placed());
    if sweep.after.is_none() {
        let is_new = sweep.swept != Some(image);
        if !is_new && sweep.expires_at > now.mono || image.1 < groups.seen {
            soft.alarms.set(now.mono + settings.offsets_check_interval(), Alarm::Sweep);
            return Vec::new();
        }
        sweep.image = image;
        sweep.is_for_old = sweep.expires_at <= now.mono;
    }
    let mut commands = Vec::new();
    let mut looked_at = 0;
    let is_for_old = sweep.is_for_old;
    let from = sweep.after.take();
    let start = from.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    for (id, group) in groups.names_from(start) {
        if looked_at >= OFFSETS_SWEPT {
            break;
        }
        let is_used = soft.live.contains_key(id);
        looked_at += 1 + look(groups, context, (id, group), (is_used, is_for_old), &mut commands);
        sweep.after = Some(id.clone());
    }
    let is_through = match &sweep.after {
        Some(last) => groups.names_from(Bound::Excluded(last.as_str())).next().is_none(),
        None => true,
    };
    let next = if is_through {
        sweep.after = None;
        sweep.swept = Some(sweep.image);
        if is_for_old {
            sweep.expires_at = now.mono + settings.offsets_check_interval();
        }
        now.mono + settings.offsets_check_interval().min(crate::limits::OFFSETS_SWEPT_AFTER)
    } else {
        now.mono + OFFSETS_SWEPT_ON
    };
    soft.alarms.set(next, Alarm::Sweep);
    commands
}

fn look(
    groups: &Groups,
    context: &Context<'_, Metadata>,
    (id, group): (&String, &Group),
    (is_used, is_for_old): (bool, bool),
    commands: &mut Vec<Command>,
) -> usize {
    let rule = Rule::of(groups, context, group, is_for_old);
    let (mut gone, mut count) = (Vec::new(), 0);
    // What is too much for one command is met by the next walk.
    for (OffsetKey { topic, partition, .. }, committed) in groups.offsets_of(group.number) {
        count += 1;
        if gone.len() < OFFSETS_SWEPT && rule.is_over(topic, committed) {
            gone.push((topic, partition));
        }
    }
    let is_left = gone.len() < count;
    if is_for_old && !is_left && !is_used && Groups::is_empty_of_members(&group.state) {
        commands.push(Command::GroupRemoved { group: id.clone() });
    } else if !gone.is_empty() {
        commands.push(Command::OffsetsRemoved { group: id.clone(), partitions: gone });
    }
    count
}

/// When a group's offsets are over.
struct Rule<'a> {
    image: &'a Metadata,
    now: Wall,
    retention_ms: i64,
    base: Base<'a>,
}

/// Since when they are kept for the last time.
enum Base<'a> {
    /// For each, since it was committed.
    Commit,
    /// For all, since then.
    Since(Wall),
    /// Since it was committed, what is not among these topics; the others are in use.
    Unsubscribed(BTreeSet<&'a str>),
    /// All are in use.
    Never,
}

impl<'a> Rule<'a> {
    fn of(
        groups: &'a Groups,
        context: &Context<'a, Metadata>,
        group: &'a Group,
        is_for_old: bool,
    ) -> Rule<'a> {
        let base = match &group.state {
            _ if !is_for_old => Base::Never,
            State::Simple => Base::Commit,
            State::Classic(classic) if classic.members == 0 => Base::Since(classic.since),
            State::Classic(classic) if classic.is_assigned => {
                groups.subscribed(group).map_or(Base::Never, Base::Unsubscribed)
            }
            State::Classic(_) => Base::Never,
            State::Consumer(consumer) if consumer.members == 0 => Base::Since(consumer.since),
            State::Consumer(_) => groups.subscribed(group).map_or(Base::Never, Base::Unsubscribed),
        };
        let (now, retention_ms) = (context.now.wall, context.room.groups.offsets_retention_ms);
        Rule { image: context.image, now, retention_ms, base }
    }

    fn is_over(&self, topic: TopicId, committed: &Committed) -> bool {
        let Some(known) = self.image.topic(topic) else { return true };
        let since = match &self.base {
            Base::Never => return false,
            Base::Unsubscribed(topics) if topics.contains(known.name.as_str()) => return false,
            Base::Commit | Base::Unsubscribed(_) => committed.at,
            Base::Since(since) => *since,
        };
        match committed.expires {
            Some(expires) => self.now >= expires,
            None => self.now.0.saturating_sub(since.0) >= self.retention_ms,
        }
    }
}
