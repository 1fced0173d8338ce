//! Numbers: what a node has counted, in Prometheus's words. It takes what the core tells piece by piece
//! (`rust_mq_core::watched`) and what the driver knows besides, and writes a scrape; it asks nobody, reads nothing and has
//! no clock.
//!
//! ```text
//! table   every metric: the table of docs/metrics.md        replicas  groups  what is kept of the pieces
//! scrape  page: what is told, and how it is written
//! ```
//! How much a scrape says is bounded, whatever clients make: beyond so many partitions, topics, groups and commits the
//! rest is told together, as `(others)`, which can be no topic's name. Those that are older are told one by one.
//!
//! Not here: HTTP, who asks the core, what the system says of the process (the runtime's `admin`).

mod groups;
mod page;
mod replicas;
mod scrape;
mod table;

pub use groups::Shares;
pub use replicas::Replicas;
pub use scrape::{Driven, Process, Scrape};

/// By which name what is beyond a bound is told together.
const OTHERS: &str = "(others)";

/// Partitions led by a node of which a scrape tells one by one. Source: chosen, some 7 MB of text. At the edge: the rest
/// is told together.
const PARTITIONS_MAX: usize = 10_000;
/// Topics that it tells one by one. Source: chosen. At the edge: as above.
const TOPICS_MAX: usize = 1_000;
/// Groups that it tells one by one. Source: chosen. At the edge: as above.
const GROUPS_MAX: usize = 1_000;
/// Committed offsets that it tells one by one. Source: chosen, as partitions. At the edge: as above.
const COMMITS_MAX: usize = 10_000;

/// In which of its two forms a scrape is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus's own text, version 0.0.4.
    Prometheus,
}

impl Form {
    /// What the header `Accept` asks for.
    pub fn accepted(accept: &str) -> Form {
        if accept.contains("application/openmetrics-text") { Form::OpenMetrics } else { Form::Prometheus }
    }

    /// The header `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Form::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}
