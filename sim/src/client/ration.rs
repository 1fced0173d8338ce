//! How often a client acts while faults come: so many times, and not at all once they freeze.

/// What is left of it.
#[derive(Debug)]
pub struct Ration(u32);

impl Ration {
    /// So many times.
    pub fn of(operations: u32) -> Ration {
        Ration(operations)
    }

    /// Whether nothing is left.
    pub fn is_used_up(&self) -> bool {
        self.0 == 0
    }

    /// Takes one. False if none is left.
    pub fn take(&mut self) -> bool {
        let is_there = self.0 > 0;
        self.0 -= u32::from(is_there);
        is_there
    }

    /// Nothing is left from now on.
    pub fn end(&mut self) {
        self.0 = 0;
    }
}
