//! The features that clients are told of (KIP-584): Kafka's `metadata.version`, by which its tools tell what a cluster
//! can do, and ours, the cluster's feature level, which an operator raises once all nodes read it.

use crate::level::Level;
use crate::node::Node;

/// The feature level, as UpdateFeatures and ApiVersions know it.
pub(super) const LEVEL: &str = "rust-mq.level";

/// A feature.
pub(super) struct Feature {
    /// Its name.
    pub name: &'static str,
    /// The first and the last version that this node knows.
    pub supported: [i16; 2],
    /// The one that the cluster uses, if this node knows of it.
    pub finalized: Option<i16>,
}

/// Every one, by name.
pub(super) fn all(node: &Node) -> [Feature; 3] {
    let levels = node.config().levels;
    let level = |level: u32| i16::try_from(level).unwrap_or(i16::MAX);
    let has_groups = node.level().is_some_and(|now| now >= Level(2));
    [
        // Consumer groups of KIP-848: what they write is of the second level.
        Feature { name: "group.version", supported: [0, 1], finalized: has_groups.then_some(1) },
        // What Kafka 4.4 supports and a new cluster of it uses (`MetadataVersion.java`): its tools offer less below.
        Feature { name: "metadata.version", supported: [7, 33], finalized: Some(33) },
        Feature {
            name: LEVEL,
            supported: [level(levels.oldest.0), level(levels.newest.0)],
            finalized: node.level().map(|now| level(now.0)),
        },
    ]
}
