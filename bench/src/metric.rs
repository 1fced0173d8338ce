//! What is measured, and in what unit. A run gives [`Measurements`]: some metrics with a number each.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A kind of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Processor time of the broker a request.
    CpuPerRequest,
    /// Processor time of the broker a record.
    CpuPerRecord,
    /// Processor time of the broker a gigabyte of records' values.
    CpuPerGigabyte,
    /// System calls a record.
    CallsPerRecord,
    /// Context switches a record.
    SwitchesPerRecord,
    /// fsync, fdatasync and msync a thousand records.
    FlushesPerThousand,
    /// Bytes sent to the disk a byte of records' values.
    WrittenPerByte,
    /// The most memory the broker had had by then.
    PeakMemory,
    /// Requests answered a second.
    Requests,
    /// Megabytes of values a second.
    Megabytes,
    /// From when a record was due to its acknowledgement: half of all.
    AckMedian,
    /// 99 in 100.
    Ack99,
    /// 999 in 1,000.
    Ack999,
    /// From when a record was due to when a consumer had it: half of all.
    EndMedian,
    /// 99 in 100.
    End99,
    /// 999 in 1,000.
    End999,
    /// From starting processes to first answers.
    Start,
    /// Memory with nothing to do.
    IdleMemory,
    /// Processor time with nothing to do.
    IdleCpu,
    /// How long something took.
    Duration,
}

impl Metric {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Metric::CpuPerRequest => "CPU a request",
            Metric::CpuPerRecord => "CPU a record",
            Metric::CpuPerGigabyte => "CPU a GB",
            Metric::CallsPerRecord => "system calls a record",
            Metric::SwitchesPerRecord => "switches a record",
            Metric::FlushesPerThousand => "flushes a 1,000 records",
            Metric::WrittenPerByte => "bytes written a byte",
            Metric::PeakMemory => "peak memory",
            Metric::Requests => "requests a second",
            Metric::Megabytes => "rate",
            Metric::AckMedian => "acknowledged, p50",
            Metric::Ack99 => "acknowledged, p99",
            Metric::Ack999 => "acknowledged, p99.9",
            Metric::EndMedian => "end to end, p50",
            Metric::End99 => "end to end, p99",
            Metric::End999 => "end to end, p99.9",
            Metric::Start => "start to first answer",
            Metric::IdleMemory => "idle memory",
            Metric::IdleCpu => "idle CPU",
            Metric::Duration => "time taken",
        }
    }

    /// Its unit.
    pub fn unit(self) -> &'static str {
        match self {
            Metric::CpuPerRequest | Metric::CpuPerRecord => "us",
            Metric::CpuPerGigabyte => "CPU-s/GB",
            Metric::CallsPerRecord | Metric::SwitchesPerRecord | Metric::FlushesPerThousand => "",
            Metric::WrittenPerByte => "",
            Metric::PeakMemory | Metric::IdleMemory => "MiB",
            Metric::Requests => "/s",
            Metric::Megabytes => "MB/s",
            Metric::AckMedian | Metric::Ack99 | Metric::Ack999 => "ms",
            Metric::EndMedian | Metric::End99 | Metric::End999 => "ms",
            Metric::Start | Metric::Duration => "ms",
            Metric::IdleCpu => "%",
        }
    }

    /// Whether more of it is better.
    pub fn is_better_high(self) -> bool {
        matches!(self, Metric::Requests | Metric::Megabytes)
    }
}

/// What one run of one row gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurements(pub BTreeMap<Metric, f64>);

impl Measurements {
    /// With one more number.
    pub fn with(mut self, metric: Metric, value: f64) -> Measurements {
        self.0.insert(metric, value);
        self
    }

    /// What was measured of a kind.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        self.0.get(&metric).copied()
    }
}
