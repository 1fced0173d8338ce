//! What one scrape says, family by family.

use crate::groups::{Shares, lag};
use crate::page::{Label, Page, Sample, older};
use crate::replicas::{Led, Replicas, Topic, is_under_replicated};
use crate::{Form, OTHERS};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use rust_mq_core::connection::{PURPOSES, Purpose};
use rust_mq_core::ids::NodeId;
use rust_mq_core::watched::NodeMetrics;
use rust_mq_proto::kafka::api::ApiKey;
use std::fmt;

/// Everything that one scrape says.
#[derive(Debug)]
pub struct Scrape {
    /// What the core tells of the node as a whole.
    pub node: NodeMetrics,
    /// Which node it is.
    pub id: NodeId,
    /// Which build.
    pub version: &'static str,
    /// Codes of the reasons for which it is not ready.
    pub unready: Vec<&'static str>,
    /// Codes of all reasons that there may be.
    pub reasons: &'static [&'static str],
    /// Its replicas.
    pub replicas: Replicas,
    /// The groups that it coordinates.
    pub shares: Shares,
    /// What its driver counts.
    pub driven: Driven,
    /// What the system says of its process.
    pub process: Process,
}

/// What the driver counts besides the core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Driven {
    /// Connections that speak Kafka's protocol, or nothing yet.
    pub kafka_connections: u64,
    /// Connections that speak gRPC.
    pub grpc_connections: u64,
    /// Connections that were not let in.
    pub refused_connections: u64,
    /// How often data was found damaged.
    pub damaged: u64,
    /// How often it was mended.
    pub mended: u64,
    /// Replicas that have caught up from far behind.
    pub caught_up: u64,
    /// Replicas that must not run any more.
    pub dead: u64,
    /// Peers that were lost.
    pub peers_lost: u64,
    /// Peers that were turned away.
    pub peers_refused: u64,
}

/// What the system says of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// For how long it has run.
    pub uptime_seconds: f64,
    /// When it started, seconds since 1970.
    pub started_seconds: f64,
    /// Processor time, user and system.
    pub cpu_seconds: f64,
    /// Memory that is resident.
    pub resident_bytes: u64,
    /// Files and sockets that are open.
    pub open_files: u64,
    /// How many may be.
    pub files_max: u64,
}

impl Scrape {
    /// The whole of it.
    pub fn written(self, form: Form) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut whole = String::new();
        text::encode(&mut whole, &registry).expect("a string takes all that is written");
        match form {
            Form::OpenMetrics => whole,
            Form::Prometheus => older(&whole),
        }
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let page = &mut Page::new(encoder);
        self.kafka_brokers(page)?;
        self.kafka_partitions(page)?;
        self.kafka_groups(page)?;
        self.state(page)?;
        self.cluster(page)?;
        self.clients(page)?;
        self.topics(page)?;
        self.budget(page)?;
        self.replication(page)?;
        self.disk(page)?;
        self.process(page)
    }
}

/// Under kafka_exporter's names.
impl Scrape {
    fn kafka_brokers(&self, page: &mut Page<'_>) -> fmt::Result {
        if self.node.controller != Some(self.id) {
            return Ok(());
        }
        page.one("kafka_brokers", self.nodes_up())?;
        let told =
            |member: &rust_mq_core::watched::MemberMetrics| (member.node.0, member.address.to_string());
        let members: Vec<(i32, String)> = self.node.members.iter().map(told).collect();
        let info = members.iter().map(|(id, address)| ([Label::Number(*id), Label::Text(address)], 1.0));
        page.many("kafka_broker_info", info)
    }

    fn kafka_partitions(&self, page: &mut Page<'_>) -> fmt::Result {
        let counted = |(name, topic): (&'_ String, &Topic)| Some((name.clone(), topic.partitions? as f64));
        let counted: Vec<(String, f64)> = self.replicas.topics.iter().filter_map(counted).collect();
        let counted = counted.iter().map(|(name, count)| ([Label::Text(name)], *count));
        page.many("kafka_topic_partitions", counted)?;
        let others = self.replicas.others.as_ref();
        let mut each = |name: &str, of: fn(&Led) -> f64, rest: Option<f64>| {
            let rest = rest.map(|value| ([Label::Text(OTHERS), Label::Text("")], value));
            page.many(name, self.replicas.told.iter().map(|led| at(led, of(led))).chain(rest))
        };
        let end = |led: &Led| led.as_led.high_watermark as f64;
        each("kafka_topic_partition_current_offset", end, others.map(|sum| sum.current_offset as f64))?;
        let start = |led: &Led| led.as_led.log_start as f64;
        each("kafka_topic_partition_oldest_offset", start, others.map(|sum| sum.oldest_offset as f64))?;
        let leader = |led: &Led| led.leader.map_or(-1.0, |node| f64::from(node.0));
        each("kafka_topic_partition_leader", leader, None)?;
        let is_preferred = |led: &Led| truth(led.as_led.is_preferred);
        each("kafka_topic_partition_leader_is_preferred", is_preferred, None)?;
        let replicas = |led: &Led| f64::from(led.as_led.replicas);
        each("kafka_topic_partition_replicas", replicas, others.map(|sum| sum.replicas as f64))?;
        let in_sync = |led: &Led| f64::from(led.as_led.in_sync);
        each("kafka_topic_partition_in_sync_replica", in_sync, others.map(|sum| sum.in_sync as f64))?;
        let is_under = |led: &Led| truth(is_under_replicated(&led.as_led));
        let under = others.map(|sum| sum.under_replicated as f64);
        each("kafka_topic_partition_under_replicated_partition", is_under, under)
    }

    fn kafka_groups(&self, page: &mut Page<'_>) -> fmt::Result {
        let Shares { members, sums, commits, .. } = &self.shares;
        let members = members.iter().map(|(id, count)| ([Label::Text(id)], *count as f64));
        page.many("kafka_consumergroup_members", members)?;
        let offsets = commits.iter().map(|(id, commit)| {
            let labels = [Label::Text(id), Label::Text(&commit.topic), Label::Number(commit.partition.0)];
            (labels, commit.offset as f64)
        });
        page.many("kafka_consumergroup_current_offset", offsets)?;
        let sum =
            sums.iter().map(|((id, topic), sum)| ([Label::Text(id), Label::Text(topic)], sum.offset as f64));
        page.many("kafka_consumergroup_current_offset_sum", sum)?;
        let lags = commits.iter().filter_map(|(id, commit)| {
            let labels = [Label::Text(id), Label::Text(&commit.topic), Label::Number(commit.partition.0)];
            Some((labels, lag(commit)? as f64))
        });
        page.many("kafka_consumergroup_lag", lags)?;
        let sum = |((id, topic), sum): (&'_ (String, String), &super::groups::Committed)| {
            Some((id.clone(), topic.clone(), sum.lag? as f64))
        };
        let sums: Vec<(String, String, f64)> = sums.iter().filter_map(sum).collect();
        let sums = sums.iter().map(|(id, topic, lag)| ([Label::Text(id), Label::Text(topic)], *lag));
        page.many("kafka_consumergroup_lag_sum", sums)
    }

    fn nodes_up(&self) -> f64 {
        self.node.members.iter().filter(|member| member.is_up).count() as f64
    }
}

/// Under our own.
impl Scrape {
    fn state(&self, page: &mut Page<'_>) -> fmt::Result {
        let cluster = self.node.cluster.map(|cluster| cluster.to_string()).unwrap_or_default();
        let build = [Label::Text(self.version), Label::Number(self.id.0), Label::Text(&cluster)];
        page.many("rustmq_build_info", [(build, 1.0)].into_iter())?;
        page.one("rustmq_uptime_seconds", self.process.uptime_seconds)?;
        page.one("rustmq_ready", truth(self.unready.is_empty()))?;
        let reasons =
            self.reasons.iter().map(|code| ([Label::Text(code)], truth(self.unready.contains(code))));
        page.many("rustmq_unready_reason", reasons)?;
        page.one("rustmq_controller", truth(self.node.controller == Some(self.id)))
    }

    fn cluster(&self, page: &mut Page<'_>) -> fmt::Result {
        let node = &self.node;
        page.one("rustmq_feature_level", node.level.map_or(0.0, |level| f64::from(level.0)))?;
        page.one("rustmq_cluster_nodes", node.members.len() as f64)?;
        page.one("rustmq_cluster_nodes_up", self.nodes_up())?;
        page.one("rustmq_cluster_topics", node.topics as f64)?;
        page.one("rustmq_cluster_partitions", node.partitions as f64)?;
        page.one("rustmq_replicas", node.replicas as f64)?;
        page.one("rustmq_replicas_starting", node.starting as f64)?;
        page.one("rustmq_partitions_led", self.replicas.led as f64)?;
        page.one("rustmq_partitions_leaderless", self.replicas.leaderless as f64)?;
        page.one("rustmq_partitions_under_replicated", self.replicas.under_replicated as f64)?;
        page.one("rustmq_groups", self.shares.count as f64)
    }

    fn clients(&self, page: &mut Page<'_>) -> fmt::Result {
        let (clients, counts) = (&self.node.clients, &self.driven);
        let kafka = ([Label::Text("kafka")], counts.kafka_connections as f64);
        let grpc = ([Label::Text("grpc")], counts.grpc_connections as f64);
        page.many("rustmq_client_connections", [kafka, grpc].into_iter())?;
        page.one("rustmq_client_connections_refused", counts.refused_connections as f64)?;
        page.one("rustmq_client_connections_rejected", clients.rejected as f64)?;
        page.one("rustmq_client_links", clients.links as f64)?;
        page.one("rustmq_client_requests_waiting", clients.waiting as f64)?;
        page.one("rustmq_client_received_bytes", clients.received_bytes as f64)?;
        page.one("rustmq_client_sent_bytes", clients.sent_bytes as f64)?;
        let named = self.node.requests.iter().filter_map(|(key, took)| Some((ApiKey::parse(*key)?, *took)));
        let took = named.map(|(key, took)| ([Label::Text(key.api().name)], took));
        page.durations("rustmq_request_duration_seconds", took)
    }

    fn topics(&self, page: &mut Page<'_>) -> fmt::Result {
        let mut each = |name: &str, of: fn(&Topic) -> u64| {
            let topics = self.replicas.topics.iter();
            page.many(name, topics.map(|(topic, counted)| ([Label::Text(topic)], of(counted) as f64)))
        };
        each("rustmq_produced_records", |topic| topic.traffic.produced_records)?;
        each("rustmq_produced_bytes", |topic| topic.traffic.produced_bytes)?;
        each("rustmq_fetched_records", |topic| topic.traffic.fetched_records)?;
        each("rustmq_fetched_bytes", |topic| topic.traffic.fetched_bytes)?;
        each("rustmq_topic_size_bytes", |topic| topic.bytes)
    }

    fn budget(&self, page: &mut Page<'_>) -> fmt::Result {
        let budget = &self.node.budget;
        page.one("rustmq_budget_limit_bytes", budget.capacity_bytes as f64)?;
        let used = PURPOSES.iter().zip(budget.used_bytes);
        let used = used.map(|(purpose, bytes)| ([Label::Text(purpose_name(*purpose))], bytes as f64));
        page.many("rustmq_budget_used_bytes", used)?;
        page.one("rustmq_budget_waiting_links", budget.starved as f64)?;
        page.one("rustmq_budget_refused", budget.refused as f64)
    }

    fn replication(&self, page: &mut Page<'_>) -> fmt::Result {
        let counts = &self.driven;
        page.one("rustmq_raft_leader_changes", self.node.raft.leader_changes as f64)?;
        page.one("rustmq_raft_elections_won", self.node.raft.elections_won as f64)?;
        page.one("rustmq_replicas_caught_up", counts.caught_up as f64)?;
        page.one("rustmq_replicas_dead", counts.dead as f64)?;
        page.one("rustmq_peer_losses", counts.peers_lost as f64)?;
        page.one("rustmq_peer_refusals", counts.peers_refused as f64)
    }

    fn disk(&self, page: &mut Page<'_>) -> fmt::Result {
        let (disk, counts) = (&self.node.disk, &self.driven);
        page.one("rustmq_journal_written_bytes", disk.journal_bytes as f64)?;
        page.durations("rustmq_journal_frame_duration_seconds", [([], disk.frames)].into_iter())?;
        page.one("rustmq_checkpoints", disk.checkpoints as f64)?;
        page.many("rustmq_disk_free_bytes", disk.free_bytes.map(|bytes| ([], bytes as f64)).into_iter())?;
        page.one("rustmq_disk_takes_records", truth(disk.takes_records))?;
        page.one("rustmq_disk_troubled", truth(disk.is_troubled))?;
        page.one("rustmq_damage_found", counts.damaged as f64)?;
        page.one("rustmq_damage_mended", counts.mended as f64)
    }

    fn process(&self, page: &mut Page<'_>) -> fmt::Result {
        let process = &self.process;
        page.one("process_cpu_seconds", process.cpu_seconds)?;
        page.one("process_resident_memory_bytes", process.resident_bytes as f64)?;
        page.one("process_open_fds", process.open_files as f64)?;
        page.one("process_max_fds", process.files_max as f64)?;
        page.one("process_start_time_seconds", process.started_seconds)
    }
}

fn at(led: &Led, value: f64) -> Sample<'_, 2> {
    ([Label::Text(&led.topic), Label::Number(led.partition)], value)
}

fn truth(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

fn purpose_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Credit => "credit",
        Purpose::Requests => "requests",
        Purpose::Behind => "behind",
        Purpose::Decoded => "decoded",
        Purpose::Answers => "answers",
        Purpose::Reads => "reads",
        Purpose::Sessions => "sessions",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::tests::group;
    use crate::replicas::tests::replica;
    use crate::table::METRICS;
    use rust_mq_core::ids::ClusterId;
    use rust_mq_core::level::Level;
    use rust_mq_core::link::Address;
    use rust_mq_core::watched::{
        BudgetMetrics, ClientMetrics, DiskMetrics, Durations, MemberMetrics, RaftMetrics,
    };

    fn scrape() -> Scrape {
        let mut took = Durations::default();
        [1_000, 20_000_000].into_iter().for_each(|ns| took.add(ns));
        let node = NodeMetrics {
            cluster: Some(ClusterId(7)),
            level: Some(Level(2)),
            is_serving: true,
            controller: Some(NodeId(1)),
            members: vec![MemberMetrics {
                node: NodeId(1),
                address: Address { host: "broker".into(), port: 9092 },
                is_up: true,
            }],
            topics: 1,
            partitions: 3,
            replicas: 2,
            starting: 0,
            clients: ClientMetrics { received_bytes: 1 << 40, ..ClientMetrics::default() },
            budget: BudgetMetrics { used_bytes: [1, 2, 3, 4, 5, 6, 7], ..BudgetMetrics::default() },
            requests: vec![(0, took)],
            raft: RaftMetrics::default(),
            disk: DiskMetrics { free_bytes: Some(5), frames: took, ..DiskMetrics::default() },
        };
        let mut replicas = Replicas::default();
        replicas.add(replica("t", 0, true));
        replicas.add(replica("t", 1, false));
        let mut shares = Shares::default();
        shares.add(group("a \"group\"\nof\\ones", "t", 0..1));
        let (driven, process) = (Driven::default(), Process::default());
        Scrape {
            node,
            id: NodeId(1),
            version: "0.0.0",
            unready: vec!["leaderless"],
            reasons: &["leaderless", "stopping"],
            replicas,
            shares,
            driven,
            process,
        }
    }

    #[test]
    fn every_metric_of_the_table_is_told_with_a_sample() {
        let text = scrape().written(Form::OpenMetrics);
        for metric in METRICS.iter() {
            let head = format!("# TYPE {} {}\n", metric.name, metric.kind.as_str());
            let (_, after) = text.split_once(&head).unwrap_or_else(|| panic!("no {head} in\n{text}"));
            assert!(after.starts_with(metric.name), "{}: no sample", metric.name);
        }
        assert!(text.ends_with("# EOF\n"));
        for line in [
            "kafka_topic_partition_current_offset{topic=\"t\",partition=\"0\"} 10.0\n",
            "kafka_topic_partitions{topic=\"t\"} 3.0\n",
            "kafka_consumergroup_lag{consumergroup=\"a \\\"group\\\"\\nof\\\\ones\",topic=\"t\",partition=\"0\"} 6.0\n",
            "rustmq_partitions_leaderless 1.0\n",
            "rustmq_unready_reason{reason=\"leaderless\"} 1.0\n",
            "rustmq_request_duration_seconds_bucket{le=\"+Inf\",api=\"Produce\"} 2\n",
            "rustmq_client_received_bytes_total 1099511627776.0\n",
        ] {
            assert!(text.contains(line), "no {line} in\n{text}");
        }
    }

    #[test]
    fn the_older_text_has_no_line_that_only_openmetrics_knows() {
        let text = scrape().written(Form::Prometheus);
        assert!(
            !text.contains("# EOF") && !text.contains(" unknown\n") && !text.contains("# UNIT"),
            "{text}"
        );
        assert!(text.contains("# TYPE rustmq_produced_records_total counter\n"), "{text}");
    }
}
