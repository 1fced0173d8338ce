//! The parts of a node, each alone: with a table of residents and ports of its own, and no node. What they do together
//! is told by stories (`core/tests`) and by the simulator.

mod asking;
mod comings;
mod compacting;
mod disk;

use super::ports::Ports;
use super::settings;
use crate::action::Action;
use crate::config::{Config, Member};
use crate::entry::Members;
use crate::event::DoneResult;
use crate::ids::{NodeId, PartitionId, ReplicaId, Ticket, TopicId, TopicPartition};
use crate::level::Levels;
use crate::link::Address;
use crate::now::{Mono, Now, Wall};
use crate::resident::{Kind, Means, Resident, Residents, unborn};
use crate::rng::Rng;
use crate::settings::{Layers, NOTHING, TopicConfig};
use bytes::Bytes;

/// What parts are lent.
struct House {
    config: Config,
    residents: Residents,
    ports: Ports,
}

impl House {
    /// Node 1 of so many.
    fn new(nodes: i32) -> House {
        House::of(1, nodes)
    }

    /// That one of so many.
    fn of(node: i32, nodes: i32) -> House {
        let member = |node| Member { node: NodeId(node), api: Address::default(), rpc: Address::default() };
        let config =
            Config { node: NodeId(node), members: (1..=nodes).map(member).collect(), ..Config::default() };
        let mut ports = Ports::new(&config, 1, Rng::stream(1, "node"));
        ports.storage.start(&mut ports.actions);
        while !ports.actions.is_empty() {
            let actions = std::mem::take(&mut ports.actions);
            for (ticket, result) in actions.into_iter().filter_map(done) {
                ports.storage.done(Mono(0), ticket, result, &mut ports.actions, &mut ports.outcomes);
            }
        }
        House { config, residents: Residents::default(), ports }
    }

    /// A partition of which this node holds the first of so many replicas, which has nothing yet.
    fn add_partition(&mut self, replica: u64, voters: u64) -> (ReplicaId, TopicPartition) {
        let (id, topic) = (ReplicaId(replica), TopicId([replica as u8; 16]));
        let of = TopicPartition { topic, partition: PartitionId(0) };
        let members = (0..voters).map(|other| ReplicaId(replica + 100 * other)).collect();
        let known = unborn(id, of, Members { voters: members, learners: Vec::new() });
        let settings = settings::of_replica(&self.config, 1, of);
        let means = Means {
            seed: 1,
            room: settings::room(&self.config, &settings),
            reads: Levels::BUILD.newest,
            level: Levels::BUILD.newest,
        };
        let kind = Kind::Records(TopicConfig::read(&Layers::own(&NOTHING)));
        self.residents.insert(Resident::start(kind, means, settings, known).expect("nothing to contradict"));
        (id, of)
    }

    /// Lets a replica make all its readies, each durable at once and applied.
    fn carry(&mut self, id: ReplicaId) -> Vec<(crate::replica::ReadContext, crate::ids::Index)> {
        let mut reads = Vec::new();
        while let Some(ready) = self.residents.replica_mut(id).and_then(|replica| replica.take_ready(1 << 20))
        {
            let resident = self.residents.get_mut(id).expect("it has just made a ready");
            for entry in &ready.committed {
                resident.apply(entry, &mut Vec::new()).expect("our own entries");
                resident.replica_mut().applied(entry.index);
            }
            if ready.must_persist {
                resident.replica_mut().persisted(ready.number);
            }
            reads.extend(ready.reads);
        }
        reads
    }
}

/// An empty disk on which everything works at once.
fn done(action: Action) -> Option<(Ticket, DoneResult)> {
    Some(match action {
        Action::List { ticket } => (ticket, DoneResult::Listed(Vec::new())),
        Action::Write { ticket, .. } => (ticket, DoneResult::Written { free_bytes: u64::MAX }),
        Action::Sync { ticket, .. } => (ticket, DoneResult::Synced),
        Action::Read { ticket, .. } => (ticket, DoneResult::Bytes(Bytes::new())),
        Action::Truncate { ticket, .. } => (ticket, DoneResult::Truncated),
        Action::Remove { ticket, .. } => (ticket, DoneResult::Removed),
        _ => return None,
    })
}

fn at(nanos: u64) -> Now {
    Now { mono: Mono(nanos), wall: Wall(0) }
}
