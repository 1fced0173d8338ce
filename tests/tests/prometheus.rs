//! Debian's Prometheus watches three nodes under load: with the configuration that `rust-mq generate` prints, every query
//! of the dashboard, of the alert rules and of kafka_exporter's own dashboard finds data; promtool has nothing to say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tests::cluster::Cluster;
use tests::dialogue::{create_topics, topic_with};
use tests::folder::Folder;
use tests::http::get;
use tests::node::{Node, run_to_end};
use tests::ports::free_address;
use tests::programs::{PATIENCE, kcat, prometheus, promtool, run};

const TOPIC: &str = "watched";
/// Prometheus asks every second, and some queries look at two samples.
const DATA_WITHIN: Duration = Duration::from_secs(90);

fn generated(arguments: &[&str]) -> String {
    let ended = run_to_end(&[&["generate"], arguments].concat());
    assert!(ended.status.success() && ended.errors.is_empty(), "{arguments:?}: {}", ended.log);
    ended.log
}

/// Prometheus, ended with the test.
struct Watcher {
    child: Child,
    address: SocketAddr,
    folder: Folder,
}

impl Watcher {
    fn of(nodes: &[SocketAddr]) -> Watcher {
        let folder = Folder::new();
        let targets: Vec<String> = nodes.iter().map(SocketAddr::to_string).collect();
        let configuration = generated(&["prometheus", "--targets", &targets.join(",")]);
        let configuration = configuration.replace("_interval: 15s", "_interval: 1s");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("prometheus.yaml", &configuration).expect("a temporary file can be written");
        write("rust-mq-alerts.yaml", &generated(&["prometheus", "--alerts"])).expect("so can another");
        let mut check = promtool();
        check.args(["check", "config", &folder.join("prometheus.yaml")]);
        let said = run(check, b"", PATIENCE).expect_success("promtool check config");
        assert!(said.contains("18 rules found"), "the rules are found beside it: {said}");
        let address = free_address();
        let mut command = prometheus();
        command
            .arg(format!("--config.file={}", folder.join("prometheus.yaml")))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb")))
            .arg(format!("--web.listen-address={address}"))
            .args(["--log.level=error"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Watcher { child: command.spawn().expect("prometheus starts"), address, folder }
    }

    /// The samples that a query finds now, by their labels.
    fn query(&self, query: &str) -> Vec<(BTreeMap<String, String>, f64)> {
        let escaped: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        if std::net::TcpStream::connect(self.address).is_err() {
            return Vec::new();
        }
        let page = get(self.address, &format!("/api/v1/query?query={escaped}"));
        if page.status == 503 {
            return Vec::new();
        }
        assert_eq!(page.status, 200, "{query}: {}", page.body);
        let body = chunks(&page.body);
        let answer: serde_json::Value =
            serde_json::from_str(&body).unwrap_or_else(|error| panic!("{query}: {error}: {body}"));
        let result = answer["data"]["result"].as_array().expect("a query of an instant has a vector");
        let sample = |sample: &serde_json::Value| {
            let labels = sample["metric"].as_object().expect("a sample has labels").iter();
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let value = text(&sample["value"][1]).parse().unwrap_or(f64::NAN);
            (labels.map(|(name, value)| (name.clone(), text(value))).collect(), value)
        };
        result.iter().map(sample).collect()
    }

    /// Waits until each of these queries has found something.
    #[track_caller]
    fn all_find(&self, queries: Vec<String>) {
        let until = Instant::now() + DATA_WITHIN;
        let mut left = queries;
        while !left.is_empty() {
            left.retain(|query| self.query(query).is_empty());
            assert!(Instant::now() < until, "these find nothing: {left:#?}");
            thread::sleep(Duration::from_millis(500));
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = &self.folder;
    }
}

/// A body whose parts are told with their lengths, put together.
fn chunks(body: &str) -> String {
    let mut whole = String::new();
    let mut rest = body;
    while let Some((length, after)) = rest.split_once("\r\n") {
        let Some(length) = usize::from_str_radix(length, 16).ok().filter(|length| *length > 0) else { break };
        whole.push_str(&after[..length]);
        rest = after[length..].trim_start_matches("\r\n");
    }
    if whole.is_empty() { body.to_owned() } else { whole }
}

/// Writes, reads and commits until it is told to stop; how many records it has written.
fn load(bootstrap: String, is_over: Arc<AtomicBool>) -> JoinHandle<usize> {
    thread::spawn(move || {
        let mut written = 0;
        while !is_over.load(Ordering::Relaxed) {
            let lines: String = (0..50).map(|number| format!("{number}\n")).collect();
            let mut command = kcat();
            command.args(["-b", &bootstrap, "-P", "-t", TOPIC]);
            run(command, lines.as_bytes(), PATIENCE).expect_success("kcat -P");
            written += 50;
            let mut command = kcat();
            command.args([
                "-b",
                &bootstrap,
                "-X",
                "auto.offset.reset=earliest",
                "-e",
                "-q",
                "-G",
                "readers",
                TOPIC,
            ]);
            run(command, b"", PATIENCE).expect_success("kcat -G");
        }
        written
    })
}

/// What the queries of a dashboard ask once a person has chosen everything.
fn of_dashboard(dashboard: &str) -> Vec<String> {
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).expect("a dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    let queries = targets.map(|target| target["expr"].as_str().expect("a target has a query").to_owned());
    let chosen = |query: String| {
        let query = query.replace("$__rate_interval", "10s").replace("$job", "rust-mq");
        let query = query.replace("$topic", ".*").replace("$consumergroup", ".*");
        assert!(!query.contains('$'), "an unknown variable: {query}");
        query
    };
    queries.map(chosen).collect()
}

/// What alert rules look at, without the bounds that they compare it with.
fn of_rules(rules: &str) -> Vec<String> {
    let rules: serde_json::Value = serde_saphyr::from_str(rules).expect("rules are YAML");
    let rules = rules["groups"][0]["rules"].as_array().expect("a group has rules").iter();
    let looked_at = rules.map(|rule| {
        let query = rule["expr"].as_str().expect("a rule has an expression");
        let compared = query.rsplit_once(" > ").or(query.rsplit_once(" < "));
        let (looked_at, bound) = compared.unwrap_or_else(|| panic!("{query} compares nothing"));
        assert!(bound.parse::<f64>().is_ok(), "{query} compares with a number");
        looked_at.to_owned()
    });
    looked_at.collect()
}

/// What kafka_exporter's own dashboard (its repository, `kafka_exporter_overview.json`) asks: of one instance.
fn of_kafka_exporter() -> Vec<String> {
    let at = r#"instance="rust-mq",topic=~"watched""#;
    vec![
        format!("sum by (topic) (rate(kafka_topic_partition_current_offset{{{at}}}[1m]))"),
        format!("sum by (consumergroup, topic) (kafka_consumergroup_lag{{{at}}})"),
        format!("sum by (topic) (delta(kafka_topic_partition_current_offset{{{at}}}[5m]) / 5)"),
        format!("sum by (consumergroup, topic) (delta(kafka_consumergroup_current_offset{{{at}}}[5m]) / 5)"),
        format!("sum by (topic) (kafka_topic_partitions{{{at}}})"),
    ]
}

#[test]
fn every_query_of_the_dashboards_and_of_the_rules_finds_data_under_load() {
    let mut cluster = Cluster::start();
    cluster.leader("first");
    let topic = topic_with(TOPIC, &[]).with_num_partitions(6).with_replication_factor(3);
    let made = create_topics(&mut cluster.node(0).connect(), vec![topic]);
    assert_eq!(made[0].error_code, 0, "{made:?}");
    let nodes: Vec<SocketAddr> = (0..3).map(|number| cluster.admin_address(number)).collect();
    let watcher = Watcher::of(&nodes);
    let is_over = Arc::new(AtomicBool::new(false));
    let load = load(cluster.bootstrap(), Arc::clone(&is_over));
    watcher.all_find(of_dashboard(&generated(&["grafana"])));
    watcher.all_find(of_rules(&generated(&["prometheus", "--alerts"])));
    watcher.all_find(of_kafka_exporter());
    is_over.store(true, Ordering::Relaxed);
    let written = load.join().expect("the load came to its end");
    each_is_told_once(&nodes, written);
    promtool_has_nothing_to_say(&nodes);
    let firing = watcher.query("ALERTS{alertstate=\"firing\"}");
    assert!(firing.is_empty(), "all is well: {firing:?}");
    cluster.kill(2);
    let down = r#"ALERTS{alertname="RustMQNodeDown"} and on (instance) up"#;
    watcher.all_find(vec![down.into(), "rustmq_cluster_nodes_up == 2".into(), "sum(up) == 2".into()]);
    watcher.all_find(vec!["sum(rustmq_partitions_under_replicated) >= 6".into()]);
}

/// At rest, summed over the nodes, the records are as many as were written, and no partition is told twice.
fn each_is_told_once(nodes: &[SocketAddr], written: usize) {
    let until = Instant::now() + DATA_WITHIN;
    loop {
        let pages: Vec<String> = nodes.iter().map(|node| get(*node, "/metrics").body).collect();
        let told = |name: &str| -> Vec<u64> {
            let start = format!("{name}{{");
            let lines = pages.iter().flat_map(|page| page.lines()).filter(|line| line.starts_with(&start));
            let sample = |line: &str| {
                let value = line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
                value.expect("a sample has a number") as u64
            };
            lines.filter(|line| line.contains("\"watched\"")).map(sample).collect()
        };
        let sum = |name: &str| told(name).into_iter().sum::<u64>();
        let offsets = told("kafka_topic_partition_current_offset");
        let committed = sum("kafka_consumergroup_current_offset");
        let lag = sum("kafka_consumergroup_lag_sum");
        let produced = sum("rustmq_produced_records_total");
        let all = written as u64;
        let is_all = offsets.iter().sum::<u64>() == all && committed == all && produced >= all;
        if offsets.len() == 6 && is_all && lag == 0 {
            return;
        }
        assert!(
            Instant::now() < until,
            "{written} were written: {offsets:?}, {committed} committed, lag {lag}, {produced} produced"
        );
        thread::sleep(Duration::from_millis(500));
    }
}

fn promtool_has_nothing_to_say(nodes: &[SocketAddr]) {
    for node in nodes {
        let page = get(*node, "/metrics");
        assert!(page.head.contains("text/plain; version=0.0.4"), "{}", page.head);
        let mut command = promtool();
        command.args(["check", "metrics"]);
        let said = run(command, page.body.as_bytes(), PATIENCE);
        let words = format!("{}{}", said.output, said.errors);
        assert!(said.status.is_some_and(|status| status.success()) && words.is_empty(), "{words}");
    }
}

#[test]
fn a_node_alone_in_memory_is_watched_too_and_promtool_has_nothing_to_say() {
    let node = Node::start(&["--listen", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"]);
    let mut command = kcat();
    command.args(["-b", &node.bootstrap(), "-P", "-t", TOPIC]);
    run(command, b"one\ntwo\n", PATIENCE).expect_success("kcat -P");
    let page = get(node.admin_address(), "/metrics").body;
    let produced = "rustmq_produced_records_total{topic=\"watched\"} 2.0\n";
    for line in [
        produced,
        "kafka_brokers 1.0\n",
        "kafka_topic_partition_current_offset{topic=\"watched\",partition=\"0\"} 2.0\n",
    ] {
        assert!(page.contains(line), "no {line} in\n{page}");
    }
    promtool_has_nothing_to_say(&[node.admin_address()]);
}
