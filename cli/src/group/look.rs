//! `group list`, `describe` and `lag`.

use super::{DescribeArguments, LagArguments, ListArguments};
use crate::output::Output;
use crate::table::{Column, Table};
use crate::trouble::Trouble;
use crate::{Ending, report};
use rust_mq_client::Error;
use rust_mq_client::admin::{Admin, Found, Group, GroupInList, Member, Place, TopicPartition};
use serde::Serialize;
use std::collections::BTreeMap;
use tokio::task::JoinSet;

/// Groups of which is asked at a time. Source: chosen; many are on one coordinator, which answers from memory.
const GROUPS_AT_A_TIME: usize = 16;

#[derive(Serialize)]
struct Listed {
    groups: Vec<Summary>,
}

#[derive(Serialize)]
struct Summary {
    group: String,
    state: String,
    r#type: String,
    protocol_type: String,
    coordinator: i32,
}

const LIST: &[Column] = &[
    Column::text("GROUP"),
    Column::text("STATE"),
    Column::text("TYPE"),
    Column::text("PROTOCOL").wide(),
    Column::number("COORDINATOR"),
];

/// Lists groups.
pub(super) async fn list(admin: &Admin, output: &Output, said: &ListArguments) -> Result<Ending, Trouble> {
    let (groups, ending) = all(admin).await?;
    let is_meant = |group: &GroupInList| {
        said.state.as_ref().is_none_or(|state| state.eq_ignore_ascii_case(&group.state))
    };
    let groups: Vec<Summary> = groups.into_iter().filter(is_meant).map(summary).collect();
    let row = |group: &Summary| {
        [
            group.group.clone(),
            group.state.clone(),
            group.r#type.clone(),
            group.protocol_type.clone(),
            group.coordinator.to_string(),
        ]
    };
    let table = Table::new(LIST).rows(groups.iter().map(row));
    output.answer(&Listed { groups }, &[table])?;
    Ok(ending)
}

/// All groups; of nodes that did not answer it is said.
async fn all(admin: &Admin) -> Result<(Vec<GroupInList>, Ending), Trouble> {
    let told = admin.groups().await;
    let told = told.map_err(|error| Trouble::of("the groups were not listed", &error))?;
    for (node, error) in &told.silent {
        report(&Trouble::of(format!("the groups of node {node} are not listed"), error));
    }
    Ok((told.groups, if told.silent.is_empty() { Ending::Fine } else { Ending::Failed }))
}

fn summary(group: GroupInList) -> Summary {
    Summary {
        group: group.id,
        state: group.state,
        r#type: group.kind,
        protocol_type: group.protocol_type,
        coordinator: group.coordinator,
    }
}

#[derive(Serialize)]
struct DescribedGroups {
    groups: Vec<Described>,
}

#[derive(Serialize)]
struct Described {
    group: String,
    state: String,
    r#type: String,
    assignor: String,
    members: Vec<DescribedMember>,
}

#[derive(Serialize)]
struct DescribedMember {
    member: String,
    instance: Option<String>,
    client: String,
    host: String,
    /// None where the members agree on a form that only they know.
    partitions: Option<Vec<String>>,
}

const GROUP: &[Column] = &[
    Column::text("GROUP"),
    Column::text("STATE"),
    Column::text("TYPE"),
    Column::text("ASSIGNOR"),
    Column::number("MEMBERS"),
];
const MEMBERS: &[Column] = &[
    Column::text("MEMBER"),
    Column::text("INSTANCE").wide(),
    Column::text("CLIENT"),
    Column::text("HOST"),
    Column::text("PARTITIONS"),
];

/// Shows groups.
pub(super) async fn describe(
    admin: &Admin,
    output: &Output,
    said: &DescribeArguments,
) -> Result<Ending, Trouble> {
    let (mut groups, mut tables) = (Vec::new(), Vec::new());
    for id in &said.groups {
        let group = admin.group(id).await;
        let group = group.map_err(|error| Trouble::of(format!("group `{id}` was not described"), &error))?;
        let group = described(group);
        let count = group.members.len().to_string();
        let head =
            [group.group.clone(), group.state.clone(), group.r#type.clone(), group.assignor.clone(), count];
        tables.push(Table::new(GROUP).rows([head]));
        let row = |member: &DescribedMember| {
            let parts = member.partitions.as_ref();
            [
                member.member.clone(),
                member.instance.clone().unwrap_or_default(),
                member.client.clone(),
                member.host.clone(),
                parts.map_or_else(|| "(their own form)".into(), |parts| parts.join(",")),
            ]
        };
        if !group.members.is_empty() {
            tables.push(Table::new(MEMBERS).rows(group.members.iter().map(row)));
        }
        groups.push(group);
    }
    output.answer(&DescribedGroups { groups }, &tables)?;
    Ok(Ending::Fine)
}

fn described(group: Group) -> Described {
    let member = |member: Member| DescribedMember {
        member: member.id,
        instance: member.instance_id,
        client: member.client_id,
        host: member.host,
        partitions: member.assigned.map(|parts| parts.iter().map(TopicPartition::to_string).collect()),
    };
    Described {
        group: group.id,
        state: group.state,
        r#type: group.kind,
        assignor: group.assignor,
        members: group.members.into_iter().map(member).collect(),
    }
}

#[derive(Serialize)]
struct Lags {
    groups: Vec<GroupLag>,
}

#[derive(Serialize)]
struct GroupLag {
    group: String,
    /// Of all partitions together.
    lag: i64,
    partitions: Vec<PartitionLag>,
}

#[derive(Serialize)]
struct PartitionLag {
    topic: String,
    partition: i32,
    /// What was committed.
    offset: i64,
    /// Where the partition ends.
    end: Option<i64>,
    lag: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

const LAG: &[Column] = &[
    Column::text("GROUP"),
    Column::text("TOPIC"),
    Column::number("PARTITION"),
    Column::number("OFFSET"),
    Column::number("END"),
    Column::number("LAG"),
];

/// Shows how far groups have come, once or again and again.
pub(super) async fn lag(admin: &Admin, output: &Output, said: &LagArguments) -> Result<Ending, Trouble> {
    loop {
        if said.watch {
            output.begin_anew()?;
        }
        let ending = lag_once(admin, output, said).await?;
        if !said.watch {
            return Ok(ending);
        }
        tokio::time::sleep(said.every).await;
    }
}

async fn lag_once(admin: &Admin, output: &Output, said: &LagArguments) -> Result<Ending, Trouble> {
    let (mut ids, mut ending) = (said.groups.clone(), Ending::Fine);
    if ids.is_empty() {
        let (all, asked) = all(admin).await?;
        ids.extend(all.into_iter().map(|group| group.id));
        ending = asked;
    }
    let committed = committed(admin, &ids, !said.groups.is_empty()).await?;
    // Groups that read the same are asked for once.
    let ends: BTreeMap<TopicPartition, Place> =
        committed.iter().map(|(_, of, _)| (of.clone(), Place::End)).collect();
    let ends: BTreeMap<TopicPartition, Result<Found, Error>> =
        admin.offsets(ends.into_iter().collect()).await.into_iter().collect();
    for (of, end) in &ends {
        if let Err(error) = end {
            report(&Trouble::of(format!("the end of {of} is not known"), error));
        }
    }
    let mut groups: Vec<GroupLag> =
        ids.into_iter().map(|group| GroupLag { group, lag: 0, partitions: Vec::new() }).collect();
    for (id, of, offset) in committed {
        let partition = partition_lag(of, offset, &ends);
        if let Some(group) = groups.iter_mut().find(|group| group.group == id) {
            group.lag += partition.lag.unwrap_or(0);
            group.partitions.push(partition);
        }
    }
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let rows = groups.iter().flat_map(|group| {
        group.partitions.iter().map(|of| {
            [
                group.group.clone(),
                of.topic.clone(),
                of.partition.to_string(),
                of.offset.to_string(),
                number(of.end),
                number(of.lag),
            ]
        })
    });
    let table = Table::new(LAG).rows(rows.collect::<Vec<_>>());
    let is_failed = ends.values().any(Result::is_err);
    output.answer(&Lags { groups }, &[table])?;
    Ok(if is_failed { Ending::Failed } else { ending })
}

/// What groups have committed, in the order of the groups; several are asked at a time. Of one that is `named` and has
/// committed nothing it is asked whether it is there.
async fn committed(
    admin: &Admin,
    ids: &[String],
    are_named: bool,
) -> Result<Vec<(String, TopicPartition, i64)>, Trouble> {
    let ask = |id: String| {
        let admin = admin.clone();
        async move {
            let unknown = |error| Trouble::of(format!("how far group `{id}` has come is not known"), &error);
            let offsets = admin.committed(&id).await.map_err(unknown)?;
            if offsets.is_empty() && are_named {
                admin.group(&id).await.map_err(unknown)?;
            }
            let of = offsets.into_iter().map(|(of, committed)| (id.clone(), of, committed.offset));
            Ok(of.collect::<Vec<_>>())
        }
    };
    let mut waiting = ids.iter().cloned().enumerate();
    let mut running = JoinSet::new();
    let mut told = BTreeMap::new();
    loop {
        for (place, id) in waiting.by_ref().take(GROUPS_AT_A_TIME.saturating_sub(running.len())) {
            let asked = ask(id);
            running.spawn(async move { (place, asked.await) });
        }
        let Some(done) = running.join_next().await else { break };
        let (place, answer): (usize, Result<_, Trouble>) = done.map_err(|error| {
            Trouble::failed("how far groups have come is not known", error.to_string(), "try again")
        })?;
        told.insert(place, answer?);
    }
    Ok(told.into_values().flatten().collect())
}

fn partition_lag(
    of: TopicPartition,
    offset: i64,
    ends: &BTreeMap<TopicPartition, Result<Found, Error>>,
) -> PartitionLag {
    let end = ends.get(&of);
    let error = end.and_then(|end| end.as_ref().err());
    let end = end.and_then(|end| end.as_ref().ok()).and_then(|found| found.offset);
    PartitionLag {
        topic: of.topic,
        partition: of.partition,
        offset,
        end,
        // A topic that was made anew ends before what was committed of the old one.
        lag: end.map(|end| (end - offset).max(0)),
        error: error.map(|error| error.name().map_or_else(|| error.to_string(), str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_further_behind_than_nothing() {
        let of = || TopicPartition::new("t", 0);
        let at = |offset| Ok(Found { offset: Some(offset), timestamp_ms: None, leader_epoch: None });
        let ends = BTreeMap::from([(of(), at(10))]);
        assert_eq!(partition_lag(of(), 4, &ends).lag, Some(6));
        assert_eq!(partition_lag(of(), 14, &ends).lag, Some(0));
        let gone = partition_lag(TopicPartition::new("u", 0), 4, &ends);
        assert_eq!((gone.end, gone.lag), (None, None));
    }
}
