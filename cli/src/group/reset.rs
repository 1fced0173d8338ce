//! `group reset`: puts a group elsewhere. What would change is shown as a diff; it is done only with `--execute`.
//!
//! ```text
//! --- payments, as it is
//! +++ payments, as it would be
//! -orders/0  120
//! +orders/0  0  (120 back)
//! ```
//!
//! What a person sees and what is done are computed once: with `--execute` the same diff is shown, and then done.

use super::ResetArguments;
use crate::Ending;
use crate::offset::OffsetWord;
use crate::output::{Format, Output, note, print};
use crate::terminal::{Colours, Tone, harmless};
use crate::trouble::Trouble;
use rust_mq_client::admin::{Admin, Committed, Place, TopicPartition};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Serialize)]
struct Reset {
    group: String,
    /// Whether it was done, or only shown.
    is_executed: bool,
    partitions: Vec<Move>,
}

/// A partition that the group reads, and where it goes on with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Move {
    topic: String,
    partition: i32,
    before: Option<i64>,
    after: i64,
}

/// Shows it, and does it if that was said.
pub(super) async fn run(admin: &Admin, output: &Output, said: &ResetArguments) -> Result<Ending, Trouble> {
    let group = &said.group;
    let undone = |error| Trouble::of(format!("group `{group}` was not reset"), &error);
    let committed = admin.committed(group).await.map_err(undone)?;
    let targets = match (&said.to_group, said.to) {
        (Some(other), _) => of_group(admin, said, other).await?,
        (None, Some(word)) => of_word(admin, said, &committed, word).await?,
        (None, None) => BTreeMap::new(),
    };
    let moves = moves(&committed, &targets);
    if output.format == Format::Json || output.format == Format::Yaml {
        if said.execute {
            admin.commit(group, &targets).await.map_err(undone)?;
        }
        let reset = Reset { group: group.clone(), is_executed: said.execute, partitions: moves };
        output.answer(&reset, &[])?;
        return Ok(Ending::Fine);
    }
    print(&diff(group, &moves, Colours::of_output()))?;
    if moves.iter().all(|one| one.before == Some(one.after)) {
        note("nothing changes");
    } else if said.execute {
        admin.commit(group, &targets).await.map_err(undone)?;
        note(&format!("group `{group}` was reset"));
    } else {
        note(&hint(admin, group).await);
    }
    Ok(Ending::Fine)
}

/// What is to be done so that it is done. A group that is not there yet has no members.
async fn hint(admin: &Admin, group: &str) -> String {
    match admin.group(group).await.map_or(0, |group| group.members.len()) {
        0 => "this is what would change; say --execute to do it".into(),
        count => {
            format!("this is what would change; stop the group's {count} members first, then say --execute")
        }
    }
}

/// Where another group is.
async fn of_group(
    admin: &Admin,
    said: &ResetArguments,
    other: &str,
) -> Result<BTreeMap<TopicPartition, i64>, Trouble> {
    let unknown = |error| Trouble::of(format!("how far group `{other}` has come is not known"), &error);
    let committed = admin.committed(other).await.map_err(unknown)?;
    let is_meant = |of: &TopicPartition| said.topic.is_empty() || said.topic.contains(&of.topic);
    let targets: BTreeMap<TopicPartition, i64> =
        committed.into_iter().filter(|(of, _)| is_meant(of)).map(|(of, at)| (of, at.offset)).collect();
    if targets.is_empty() {
        let what = format!("group `{}` was not reset", said.group);
        let why = format!("group `{other}` has committed nothing of that");
        return Err(Trouble::failed(what, why, format!("`rust-mq group lag {other}` shows what it has")));
    }
    Ok(targets)
}

/// Where a word says, in all partitions of the topics that are meant.
async fn of_word(
    admin: &Admin,
    said: &ResetArguments,
    committed: &BTreeMap<TopicPartition, Committed>,
    word: OffsetWord,
) -> Result<BTreeMap<TopicPartition, i64>, Trouble> {
    let topics: BTreeSet<String> = match said.topic.is_empty() {
        true => committed.keys().map(|of| of.topic.clone()).collect(),
        false => said.topic.iter().cloned().collect(),
    };
    if topics.is_empty() {
        let what = format!("group `{}` was not reset", said.group);
        let remedy = "say which topics are meant: --topic ORDERS,PAYMENTS";
        return Err(Trouble::failed(what, "it has committed nothing yet", remedy));
    }
    let mut partitions = Vec::new();
    for name in &topics {
        let topic = admin.topic(name).await;
        let topic =
            topic.map_err(|error| Trouble::of(format!("topic `{name}` cannot be looked at"), &error))?;
        partitions.extend(topic.partitions.iter().map(|part| TopicPartition::new(name.clone(), part.number)));
    }
    let starts = places(admin, &partitions, Place::Start).await?;
    let ends = places(admin, &partitions, Place::End).await?;
    let found = match word.place() {
        Some(place @ Place::Time(_)) => places(admin, &partitions, place).await?,
        _ => BTreeMap::new(),
    };
    let target = |of: TopicPartition| {
        let bound = |bounds: &BTreeMap<TopicPartition, Option<i64>>| bounds.get(&of).copied().flatten();
        let offset = word.within(bound(&starts).unwrap_or(0), bound(&ends).unwrap_or(0), bound(&found));
        (of, offset)
    };
    Ok(partitions.into_iter().map(target).collect())
}

async fn places(
    admin: &Admin,
    partitions: &[TopicPartition],
    place: Place,
) -> Result<BTreeMap<TopicPartition, Option<i64>>, Trouble> {
    let asked = partitions.iter().map(|of| (of.clone(), place)).collect();
    let mut offsets = BTreeMap::new();
    for (of, found) in admin.offsets(asked).await {
        let found =
            found.map_err(|error| Trouble::of(format!("the offsets of {of} are not known"), &error))?;
        offsets.insert(of, found.offset);
    }
    Ok(offsets)
}

fn moves(
    committed: &BTreeMap<TopicPartition, Committed>,
    targets: &BTreeMap<TopicPartition, i64>,
) -> Vec<Move> {
    let one = |(of, after): (&TopicPartition, &i64)| Move {
        topic: of.topic.clone(),
        partition: of.partition,
        before: committed.get(of).map(|committed| committed.offset),
        after: *after,
    };
    targets.iter().map(one).collect()
}

/// What changes, as `diff -u` writes it.
fn diff(group: &str, moves: &[Move], colours: Colours) -> String {
    let group = harmless(group);
    let name = |one: &Move| format!("{}/{}", one.topic, one.partition);
    let width = moves.iter().map(|one| name(one).chars().count()).max().unwrap_or(0);
    let mut lines = vec![
        colours.paint(Tone::Bold, &format!("--- {group}, as it is")),
        colours.paint(Tone::Bold, &format!("+++ {group}, as it would be")),
    ];
    for one in moves {
        let name = name(one);
        if one.before == Some(one.after) {
            lines.push(format!(" {name:width$}  {}", one.after));
            continue;
        }
        let before = one.before.map_or_else(|| "nothing committed".into(), |before| before.to_string());
        lines.push(colours.paint(Tone::Red, &format!("-{name:width$}  {before}")));
        let by = match one.before {
            Some(before) if before > one.after => format!("  ({} back)", before - one.after),
            Some(before) => format!("  ({} on)", one.after - before),
            None => String::new(),
        };
        lines.push(colours.paint(Tone::Green, &format!("+{name:width$}  {}{by}", one.after)));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_shown_as_a_diff() {
        let at = |topic: &str, offset| {
            let committed = Committed { offset, leader_epoch: None, metadata: String::new() };
            (TopicPartition::new(topic, 0), committed)
        };
        let committed = BTreeMap::from([at("orders", 120), at("same", 5), at("ahead", 1), at("left", 9)]);
        let targets = [("orders", 0), ("same", 5), ("ahead", 4), ("new", 7)];
        let targets = targets.map(|(topic, offset)| (TopicPartition::new(topic, 0), offset)).into();
        let expected = "\
--- g, as it is
+++ g, as it would be
-ahead/0   1
+ahead/0   4  (3 on)
-new/0     nothing committed
+new/0     7
-orders/0  120
+orders/0  0  (120 back)
 same/0    5
";
        assert_eq!(diff("g", &moves(&committed, &targets), Colours::NONE), expected);
    }
}
