//! Bytes that decide everything: a target takes its steps from them until none are left. What is missing at the end
//! is 0, so that every prefix of a script is one, too.

/// What is left of them.
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// All of them.
    pub fn new(bytes: &'a [u8]) -> Script<'a> {
        Script(bytes)
    }

    /// Whether none is left.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next one.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// The next ones, fewer at the end.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
