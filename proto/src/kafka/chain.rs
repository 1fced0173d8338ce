//! Records on their way out: several batches one after the other, shared with whoever keeps them.
//!
//! Two chains are equal when their bytes are, however they are cut: a receiver gets them as one part.

use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// A rope of bytes. Cloning and encoding never copy a long part, and a clone of a rope is one count, however many its
/// parts are.
#[derive(Clone, Default)]
pub struct Chain {
    parts: Option<Arc<Vec<Bytes>>>,
    /// Of all parts together: asked for more often than parts are added.
    bytes: usize,
}

impl Chain {
    /// Nothing yet.
    pub fn new() -> Chain {
        Chain::default()
    }

    /// Adds a part at the end.
    pub fn push(&mut self, part: Bytes) {
        self.bytes += part.len();
        Arc::make_mut(self.parts.get_or_insert_default()).push(part);
    }

    /// Bytes of all parts together.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[Bytes] {
        self.parts.as_deref().map_or(&[], Vec::as_slice)
    }

    /// The parts, in order: as they are if nobody else has this chain, else counted once more each.
    pub fn into_parts(self) -> Vec<Bytes> {
        self.parts.map_or_else(Vec::new, Arc::unwrap_or_clone)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Chain").field(&self.parts()).finish()
    }
}

impl From<Bytes> for Chain {
    fn from(part: Bytes) -> Chain {
        Chain::from(vec![part])
    }
}

impl From<Vec<Bytes>> for Chain {
    fn from(parts: Vec<Bytes>) -> Chain {
        let bytes = parts.iter().map(Bytes::len).sum();
        Chain { parts: (!parts.is_empty()).then(|| Arc::new(parts)), bytes }
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Chain) -> bool {
        self.len() == other.len() && self.parts().iter().flatten().eq(other.parts().iter().flatten())
    }
}

impl Eq for Chain {}
