//! The node's memory for requests in flight. Owned by the broker, lent to whoever takes requests in.
//!
//! Charging never fails: credit that is out cannot be called back. Who gives credit asks `has_room` first.
//!
//! Invariant: `used <= capacity` + the credit that was out when it was reached; nothing is given back twice.

/// Bytes of requests that have arrived and are not answered.
#[derive(Clone, Debug)]
pub struct Budget {
    capacity_bytes: u64,
    used_bytes: u64,
}

impl Budget {
    /// An unused budget.
    pub fn new(capacity_bytes: u64) -> Budget {
        Budget { capacity_bytes, used_bytes: 0 }
    }

    /// Takes note of bytes that have arrived.
    pub fn charge(&mut self, bytes: usize) {
        self.used_bytes += bytes as u64;
    }

    /// Gives back what was charged.
    pub fn give_back(&mut self, bytes: usize) {
        assert!(self.used_bytes >= bytes as u64, "a budget gets back at most what was charged");
        self.used_bytes -= bytes as u64;
    }

    /// Whether more may be let in.
    pub fn has_room(&self) -> bool {
        self.used_bytes < self.capacity_bytes
    }

    /// How many bytes may still be let in.
    pub fn room_bytes(&self) -> u64 {
        self.capacity_bytes.saturating_sub(self.used_bytes)
    }

    /// How many bytes are charged.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes
    }
}
