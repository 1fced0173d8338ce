//! `rust-mq cluster`: which nodes there are, and whether the cluster is well.
//!
//! It is well if every node answers, one of them makes topics, and every partition has a leader, with all its replicas in
//! sync. What is not is named, and the exit code is 10.

use crate::Ending;
use crate::connection::Connection;
use crate::output::{Output, note};
use crate::table::{Column, Table};
use crate::time::parse_duration;
use crate::trouble::Trouble;
use clap::{Args, Subcommand};
use rust_mq_client::admin::{Admin, Cluster, Topic};
use rust_mq_client::{To, grpc};
use serde::Serialize;
use std::time::Duration;

/// How long a node may take to say that it is there. Source: chosen; it answers from memory.
const SIGN_OF_LIFE: Duration = Duration::from_secs(3);
/// Partitions that are named of each kind of trouble, in a table. Source: chosen, a screen. At the edge: how many more.
const NAMED_MAX: usize = 20;

/// See which nodes there are, and whether the cluster is well
#[derive(Debug, Args)]
pub struct ClusterArguments {
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    /// How to answer.
    #[command(flatten)]
    pub output: Output,
    /// What to do.
    #[command(subcommand)]
    pub verb: ClusterVerb,
}

/// What can be asked of a cluster.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum ClusterVerb {
    /// Show the cluster's id, its nodes, and what it holds
    Info,
    /// Say whether the cluster is well: exit code 0 if it is, 10 if it is not
    Health(HealthArguments),
}

/// Say whether the cluster is well: exit code 0 if it is, 10 if it is not
///
/// It is well if every node answers and every partition has a leader, with all its replicas in sync.
#[derive(Debug, Args)]
pub struct HealthArguments {
    /// Look again and again until it is well
    #[arg(long, short = 'e')]
    pub exit_when_healthy: bool,
    /// Look again and again, and say what has changed
    #[arg(long, short = 'w', conflicts_with = "exit_when_healthy")]
    pub watch: bool,
    /// How long to pause between two looks
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    pub every: Duration,
}

/// Does it.
pub async fn run(said: ClusterArguments) -> Result<Ending, Trouble> {
    match said.verb {
        ClusterVerb::Info => info(&said.connection.admin().await?, &said.output).await,
        ClusterVerb::Health(health) => watch(&said.connection, &said.output, &health).await,
    }
}

#[derive(Serialize)]
struct Info {
    cluster_id: String,
    controller: Option<i32>,
    nodes: Vec<NodeInfo>,
    topics: usize,
    partitions: usize,
}

#[derive(Serialize)]
struct NodeInfo {
    id: i32,
    host: String,
    port: i32,
    rack: Option<String>,
    is_there: bool,
    is_controller: bool,
    leads: usize,
    replicas: usize,
}

const CLUSTER: &[Column] = &[
    Column::text("CLUSTER"),
    Column::number("NODES"),
    Column::number("TOPICS"),
    Column::number("PARTITIONS"),
];
const NODES: &[Column] = &[
    Column::number("NODE"),
    Column::text("ADDRESS"),
    Column::text("RACK"),
    Column::text("STATE"),
    Column::text("CONTROLLER"),
    Column::number("LEADS"),
    Column::number("REPLICAS"),
];

async fn look(admin: &Admin) -> Result<(Cluster, Vec<Topic>), Trouble> {
    let lost = |error| Trouble::of("the cluster was not looked at", &error);
    Ok((admin.cluster().await.map_err(lost)?, admin.topics().await.map_err(lost)?))
}

async fn info(admin: &Admin, output: &Output) -> Result<Ending, Trouble> {
    let (cluster, topics) = look(admin).await?;
    let partitions = || topics.iter().flat_map(|topic| &topic.partitions);
    let node = |(node, is_there): (&grpc::Node, bool)| NodeInfo {
        id: node.node_id,
        host: node.host.clone(),
        port: node.port,
        rack: Some(node.rack.clone()).filter(|rack| !rack.is_empty()),
        is_there,
        is_controller: cluster.controller == Some(node.node_id),
        leads: partitions().filter(|partition| partition.leader == Some(node.node_id)).count(),
        replicas: partitions().filter(|partition| partition.replicas.contains(&node.node_id)).count(),
    };
    let there = cluster.nodes.iter().map(|node| (node, true));
    let mut nodes: Vec<NodeInfo> =
        there.chain(cluster.gone.iter().map(|node| (node, false))).map(node).collect();
    nodes.sort_by_key(|node| node.id);
    let info = Info {
        nodes,
        partitions: partitions().count(),
        topics: topics.len(),
        controller: cluster.controller,
        cluster_id: cluster.id.clone(),
    };
    let head = [
        info.cluster_id.clone(),
        info.nodes.len().to_string(),
        info.topics.to_string(),
        info.partitions.to_string(),
    ];
    let row = |node: &NodeInfo| {
        [
            node.id.to_string(),
            format!("{}:{}", node.host, node.port),
            node.rack.clone().unwrap_or_default(),
            if node.is_there { "there" } else { "gone" }.to_owned(),
            if node.is_controller { "yes" } else { "no" }.to_owned(),
            node.leads.to_string(),
            node.replicas.to_string(),
        ]
    };
    let tables = [Table::new(CLUSTER).rows([head]), Table::new(NODES).rows(info.nodes.iter().map(row))];
    output.answer(&info, &tables)?;
    Ok(Ending::Fine)
}

/// How the cluster is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Health {
    is_healthy: bool,
    cluster_id: Option<String>,
    controller: Option<i32>,
    nodes: Vec<i32>,
    /// Nodes that do not answer, and why.
    silent_nodes: Vec<SilentNode>,
    /// Partitions that nobody leads.
    leaderless: Vec<String>,
    /// Partitions of which a replica is missing or behind.
    under_replicated: Vec<String>,
    /// Why nothing is known, if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreachable: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct SilentNode {
    id: i32,
    why: String,
}

const HEALTH: &[Column] = &[Column::text("CHECK"), Column::text("STATE"), Column::text("WHAT")];

/// Looks once, or again and again.
async fn watch(connection: &Connection, output: &Output, said: &HealthArguments) -> Result<Ending, Trouble> {
    let mut last = None;
    loop {
        let health = match connection.admin().await {
            Ok(admin) => health(&admin).await?,
            Err(trouble) if trouble.exit_code() == 2 => return Err(trouble),
            Err(trouble) => Health { unreachable: Some(trouble.why().to_owned()), ..Health::default() },
        };
        let is_done = !said.watch && (health.is_healthy || !said.exit_when_healthy);
        if is_done || (said.watch && last.as_ref() != Some(&health)) {
            output.answer(&health, &[health.table()])?;
        } else if said.exit_when_healthy && last.as_ref() != Some(&health) {
            note(&health.words());
        }
        if is_done {
            return Ok(if health.is_healthy { Ending::Fine } else { Ending::Unhealthy });
        }
        last = Some(health);
        tokio::time::sleep(said.every).await;
    }
}

async fn health(admin: &Admin) -> Result<Health, Trouble> {
    let (cluster, topics) = match look(admin).await {
        Ok(seen) => seen,
        Err(trouble) => {
            return Ok(Health { unreachable: Some(trouble.why().to_owned()), ..Health::default() });
        }
    };
    let gone = |node: &grpc::Node| SilentNode {
        id: node.node_id,
        why: "no node has heard it for some seconds".into(),
    };
    let mut silent_nodes: Vec<SilentNode> = cluster.gone.iter().map(gone).collect();
    for node in &cluster.nodes {
        let asked = grpc::DescribeClusterRequest {};
        if let Err(error) = admin.client().ask_once(To::Node(node.node_id), asked, SIGN_OF_LIFE).await {
            let why = Trouble::of("", &error).why().to_owned();
            silent_nodes.push(SilentNode { id: node.node_id, why });
        }
    }
    let (mut leaderless, mut under_replicated) = (Vec::new(), Vec::new());
    for topic in &topics {
        for partition in &topic.partitions {
            let name = format!("{}/{}", topic.name, partition.number);
            if partition.leader.is_none() {
                leaderless.push(name.clone());
            }
            if partition.in_sync.len() < partition.replicas.len() {
                under_replicated.push(name);
            }
        }
    }
    let is_led = cluster.controller.is_some();
    Ok(Health {
        is_healthy: is_led && silent_nodes.is_empty() && leaderless.is_empty() && under_replicated.is_empty(),
        cluster_id: Some(cluster.id),
        controller: cluster.controller,
        nodes: cluster.nodes.iter().chain(&cluster.gone).map(|node| node.node_id).collect(),
        silent_nodes,
        leaderless,
        under_replicated,
        unreachable: None,
    })
}

impl Health {
    fn table(&self) -> Table {
        let state = |is_well: bool| if is_well { "ok" } else { "NOT OK" }.to_owned();
        if let Some(why) = &self.unreachable {
            return Table::new(HEALTH).rows([["cluster".to_owned(), state(false), why.clone()]]);
        }
        let silent: Vec<String> =
            self.silent_nodes.iter().map(|node| format!("node {}: {}", node.id, node.why)).collect();
        let controller = self.controller.map_or_else(|| "nobody".into(), |id| format!("node {id}"));
        let answering = format!("{} of {} answer", self.nodes.len() - silent.len(), self.nodes.len());
        let nodes = if silent.is_empty() { answering } else { format!("{answering}; {}", silent.join("; ")) };
        Table::new(HEALTH).rows([
            ["nodes".to_owned(), state(silent.is_empty()), nodes],
            ["controller".to_owned(), state(self.controller.is_some()), controller],
            ["leaders".to_owned(), state(self.leaderless.is_empty()), named(&self.leaderless, "without one")],
            [
                "replicas".to_owned(),
                state(self.under_replicated.is_empty()),
                named(&self.under_replicated, "with one missing or behind"),
            ],
        ])
    }

    fn words(&self) -> String {
        if let Some(why) = &self.unreachable {
            return format!("not well yet: {why}");
        }
        format!(
            "not well yet: {} nodes silent, {} partitions without a leader, {} with a replica missing or behind",
            self.silent_nodes.len(),
            self.leaderless.len(),
            self.under_replicated.len()
        )
    }
}

fn named(partitions: &[String], what: &str) -> String {
    let shown = partitions[..partitions.len().min(NAMED_MAX)].join(", ");
    match partitions.len() {
        0 => format!("no partition {what}"),
        count if count <= NAMED_MAX => format!("{count} {what}: {shown}"),
        count => format!("{count} {what}: {shown} and {} more", count - NAMED_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Colours;

    #[test]
    fn what_is_not_well_is_named() {
        let well = Health { is_healthy: true, controller: Some(1), nodes: vec![1, 2], ..Health::default() };
        let text = well.table().text(false, Colours::NONE);
        assert!(text.contains("nodes       ok     2 of 2 answer\n"), "{text}");
        let many = (0..22).map(|number| format!("t/{number}")).collect();
        let silent_nodes = vec![SilentNode { id: 2, why: "nobody answers".into() }];
        let ill = Health { controller: None, silent_nodes, leaderless: many, ..well };
        let text = ill.table().text(false, Colours::NONE);
        assert!(text.contains("NOT OK  1 of 2 answer; node 2: nobody answers\n"), "{text}");
        assert!(text.contains("controller  NOT OK  nobody\n"), "{text}");
        assert!(text.contains("22 without one: t/0, t/1, ") && text.contains("t/19 and 2 more\n"), "{text}");
    }
}
