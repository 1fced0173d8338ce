//! Records on their way out: several batches one after the other, shared with whoever keeps them.
//!
//! Two chains are equal when their bytes are, however they are cut: a receiver gets them as one part.

use bytes::Bytes;

/// A rope of bytes. Cloning and encoding never copy a long part.
#[derive(Clone, Debug, Default)]
pub struct Chain(Vec<Bytes>);

impl Chain {
    /// Nothing yet.
    pub fn new() -> Chain {
        Chain::default()
    }

    /// Adds a part at the end.
    pub fn push(&mut self, part: Bytes) {
        self.0.push(part);
    }

    /// Bytes of all parts together.
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[Bytes] {
        &self.0
    }
}

impl From<Bytes> for Chain {
    fn from(part: Bytes) -> Chain {
        Chain(vec![part])
    }
}

impl From<Vec<Bytes>> for Chain {
    fn from(parts: Vec<Bytes>) -> Chain {
        Chain(parts)
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Chain) -> bool {
        self.len() == other.len() && self.0.iter().flatten().eq(other.0.iter().flatten())
    }
}

impl Eq for Chain {}
