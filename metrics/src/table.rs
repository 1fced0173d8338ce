//! Every metric, once: its name, type, labels and meaning. The table is that of `docs/metrics.md`, which is read here and
//! nowhere copied, so that the page that people read cannot be another. Nothing is told that does not stand in it.

use prometheus_client::metrics::MetricType;
use std::sync::LazyLock;

const PAGE: &str = include_str!("../../docs/metrics.md");

/// A metric.
#[derive(Debug)]
pub(super) struct Metric {
    /// Without the `_total` that a counter's samples have.
    pub name: &'static str,
    pub kind: MetricType,
    pub labels: Vec<&'static str>,
    pub help: &'static str,
}

/// All of them, in the order in which they are told.
pub(super) static METRICS: LazyLock<Vec<Metric>> =
    LazyLock::new(|| PAGE.lines().filter(|line| line.starts_with("| `")).filter_map(row).collect());

/// A metric of that name.
pub(super) fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

fn row(line: &'static str) -> Option<Metric> {
    let mut cells = line.trim_matches('|').split('|').map(str::trim);
    let written = cells.next()?.trim_matches('`');
    let kind = match cells.next()? {
        "counter" => MetricType::Counter,
        "gauge" => MetricType::Gauge,
        "histogram" => MetricType::Histogram,
        // Its name ends as only a histogram's should: nobody is told what it is.
        "gauge, untyped" => MetricType::Unknown,
        _ => return None,
    };
    let labels = cells.next()?.split(", ").filter(|label| !label.is_empty()).collect();
    let name = written.strip_suffix("_total").unwrap_or(written);
    Some(Metric { name, kind, labels, help: cells.next()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_row_of_the_page_is_a_metric_with_a_name_of_its_own_that_says_what_it_is() {
        let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
        assert_eq!(rows.count(), METRICS.len(), "a row is not understood");
        let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS.iter() {
            let is_counter = matches!(metric.kind, MetricType::Counter);
            assert_eq!(PAGE.contains(&format!("`{}_total`", metric.name)), is_counter, "{}", metric.name);
            assert!(!metric.help.is_empty() && !metric.help.contains('\\'), "{}", metric.name);
        }
    }
}
