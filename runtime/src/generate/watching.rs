//! Files for those who watch a cluster: Prometheus's configuration and alert rules, and Grafana's dashboard. They stand in
//! `deploy/`, where people find them too.

const CONFIGURATION: &str = include_str!("../../../deploy/prometheus/prometheus.yaml");
/// The alert rules.
pub const ALERTS: &str = include_str!("../../../deploy/prometheus/alerts.yaml");
/// The dashboard.
pub const DASHBOARD: &str = include_str!("../../../deploy/grafana/rust-mq.json");

/// The configuration of a Prometheus that asks these nodes.
pub fn configuration(targets: &[String]) -> String {
    let quoted: Vec<String> = targets.iter().map(|target| format!("\"{target}\"")).collect();
    CONFIGURATION.replace("TARGETS", &quoted.join(", "))
}
