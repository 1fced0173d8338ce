//! How families are written down: each of the table once, its head and all its samples, by prometheus-client.
//!
//! It writes OpenMetrics. Prometheus's older text, which `promtool check metrics` and a person with curl read, is made from
//! that line by line: there a counter's head has its samples' name, and there are no units and no end.

use crate::table::{Metric, metric};
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelValue, LabelValueEncoder, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use rust_mq_core::watched::Durations;
use std::fmt::{self, Write};

/// A label's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Label<'a> {
    Text(&'a str),
    Number(i32),
}

/// A sample with so many labels.
pub(super) type Sample<'a, const LABELS: usize> = ([Label<'a>; LABELS], f64);

/// A scrape that is being written.
pub(super) struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Page<'_> {
    /// An empty one.
    pub fn new(encoder: DescriptorEncoder<'_>) -> Page<'_> {
        Page { encoder }
    }

    /// A family of one number without a label.
    pub fn one(&mut self, name: &str, value: f64) -> fmt::Result {
        self.many(name, [([], value)].into_iter())
    }

    /// A family with its samples; one without any is left out.
    pub fn many<'s, const LABELS: usize>(
        &mut self,
        name: &str,
        samples: impl Iterator<Item = Sample<'s, LABELS>>,
    ) -> fmt::Result {
        let mut samples = samples.peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let (metric, mut family) = self.family(name)?;
        for (values, value) in samples {
            let labels = labelled(metric, values);
            match LABELS {
                0 => number(metric, &mut family, value)?,
                _ => number(metric, &mut family.encode_family(&labels)?, value)?,
            }
        }
        Ok(())
    }

    /// A family of durations.
    pub fn durations<'s, const LABELS: usize>(
        &mut self,
        name: &str,
        samples: impl Iterator<Item = ([Label<'s>; LABELS], Durations)>,
    ) -> fmt::Result {
        let (metric, mut family) = self.family(name)?;
        for (values, took) in samples {
            let labels = labelled(metric, values);
            let bound = |bound: Option<u64>| bound.map_or(f64::INFINITY, |ns| ns as f64 / 1e9);
            let buckets: Vec<(f64, u64)> = took.buckets().map(|(ns, count)| (bound(ns), count)).collect();
            let sum = took.sum_ns() as f64 / 1e9;
            let told = |sample: &mut MetricEncoder<'_>| {
                sample.encode_histogram::<NoLabelSet>(sum, took.count(), &buckets, None)
            };
            match LABELS {
                0 => told(&mut family)?,
                _ => told(&mut family.encode_family(&labels)?)?,
            }
        }
        Ok(())
    }

    fn family(&mut self, name: &str) -> Result<(&'static Metric, MetricEncoder<'_>), fmt::Error> {
        let metric = metric(name).unwrap_or_else(|| panic!("{name} stands in the table"));
        let family = self.encoder.encode_descriptor(metric.name, metric.help, None, metric.kind)?;
        Ok((metric, family))
    }
}

fn number(metric: &Metric, sample: &mut MetricEncoder<'_>, value: f64) -> fmt::Result {
    match metric.kind {
        MetricType::Counter => sample.encode_counter::<NoLabelSet, f64, f64>(&value, None),
        _ => sample.encode_gauge(&value),
    }
}

fn labelled<'a, const LABELS: usize>(
    metric: &Metric,
    values: [Label<'a>; LABELS],
) -> [(&'static str, Label<'a>); LABELS] {
    assert_eq!(metric.labels.len(), LABELS, "{} has the labels that the table says", metric.name);
    std::array::from_fn(|place| (metric.labels[place], values[place]))
}

impl EncodeLabelValue for Label<'_> {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        match self {
            Label::Text(text) => encoder.write_str(text),
            Label::Number(number) => write!(encoder, "{number}"),
        }
    }
}

/// OpenMetrics as Prometheus's text, version 0.0.4.
pub(super) fn older(text: &str) -> String {
    let mut older = String::with_capacity(text.len());
    let mut help: Option<&str> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            // What its type is stands in the next line.
            help = Some(rest);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, ""));
            let suffix = if kind == "counter" { "_total" } else { "" };
            let kind = if kind == "unknown" { "untyped" } else { kind };
            if let Some((_, words)) = help.take().and_then(|help| help.split_once(' ')) {
                let _ = writeln!(older, "# HELP {name}{suffix} {words}");
            }
            let _ = writeln!(older, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            older.push_str(line);
            older.push('\n');
        }
    }
    older
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_has_its_samples_name_in_the_older_text_and_a_value_that_looks_like_a_head_stays() {
        let text = "# HELP a Some.\n# TYPE a counter\na_total{x=\"# TYPE\"} 1\n# HELP b_sum Other.\n\
                    # TYPE b_sum unknown\nb_sum 2\n# EOF\n";
        let expected = "# HELP a_total Some.\n# TYPE a_total counter\na_total{x=\"# TYPE\"} 1\n\
                        # HELP b_sum Other.\n# TYPE b_sum untyped\nb_sum 2\n";
        assert_eq!(older(text), expected);
    }
}
