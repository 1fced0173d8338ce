//! The metadata's state as bytes.

use super::Metadata;
use crate::codec::{Broken, Kind, Reading, Shape, Version, Writing};
use crate::level::Level;
use crate::paged::Paged;

/// The second has settings.
const VERSIONS: &[Version] =
    &[Version { number: 1, since: Level(1) }, Version { number: 2, since: Level(2) }];

impl Shape for Metadata {
    const WHAT: &'static str = "metadata state";
    const KINDS: &'static [Kind] = &[Kind::new(2, "Metadata", VERSIONS)];

    fn kind(&self) -> u8 {
        2
    }

    fn write(&self, version: u8, to: &mut Writing<'_>) {
        let Metadata { cluster, first_level, level, nodes, voters, topics, names, .. } = self;
        let Metadata { settings, next_replica, next_producer, partitions, .. } = self;
        to.put(cluster);
        to.put(first_level);
        to.put(level);
        to.put(nodes);
        to.put(voters);
        to.put(topics);
        to.put(names);
        to.put(next_replica);
        to.put(next_producer);
        to.put(partitions);
        if version >= 2 {
            to.put(settings);
        }
    }

    fn read(_kind: u8, version: u8, from: &mut Reading<'_>) -> Result<Metadata, Broken> {
        Ok(Metadata {
            cluster: from.take()?,
            first_level: from.take()?,
            level: from.take()?,
            nodes: from.take()?,
            voters: from.take()?,
            topics: from.take()?,
            names: from.take()?,
            next_replica: from.take()?,
            next_producer: from.take()?,
            partitions: from.take()?,
            settings: if version >= 2 { from.take()? } else { Paged::default() },
        })
    }
}
