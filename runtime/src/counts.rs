//! What the driver itself counts for those who watch: what it notes, and who is connected. Written on the core's thread,
//! read on others; what is read together need not be of one moment.

use rust_mq_core::action::Notice;
use rust_mq_metrics::Driven;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one thread writes and others read.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// What it is.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// What it is from now on.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What is counted, by the names of `Driven`.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "`Driven` says what each is")]
pub struct Counts {
    pub kafka_connections: Count,
    pub grpc_connections: Count,
    pub refused_connections: Count,
    pub damaged: Count,
    pub mended: Count,
    pub caught_up: Count,
    pub dead: Count,
    pub peers_lost: Count,
    pub peers_refused: Count,
}

impl Counts {
    /// What they are now.
    pub fn now(&self) -> Driven {
        Driven {
            kafka_connections: self.kafka_connections.get(),
            grpc_connections: self.grpc_connections.get(),
            refused_connections: self.refused_connections.get(),
            damaged: self.damaged.get(),
            mended: self.mended.get(),
            caught_up: self.caught_up.get(),
            dead: self.dead.get(),
            peers_lost: self.peers_lost.get(),
            peers_refused: self.peers_refused.get(),
        }
    }

    /// Counts what the core notes.
    pub fn note(&self, notice: &Notice) {
        match notice {
            Notice::Damaged { .. } => self.damaged.add_one(),
            Notice::Mended { .. } => self.mended.add_one(),
            Notice::CaughtUp { .. } => self.caught_up.add_one(),
            Notice::ReplicaDead { .. } => self.dead.add_one(),
            Notice::PeerDown(_) => self.peers_lost.add_one(),
            Notice::PeerRefused { .. } => self.peers_refused.add_one(),
            _ => {}
        }
    }
}
