//! A state on its way between its owner and the disk: in one piece, or as a head and pages.
//!
//! The head holds what is no map, and is written whole each time; a page is written when its edition is new.

use crate::ids::PageId;
use bytes::Bytes;

/// A state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folded {
    /// All of it.
    Whole(Bytes),
    /// What is no map, and the pages of all maps, one map after the other, each by rising keys.
    Pages {
        /// What is no map.
        head: Bytes,
        /// The pages.
        pages: Vec<(PageId, Bytes)>,
    },
}

impl Default for Folded {
    fn default() -> Folded {
        Folded::Whole(Bytes::new())
    }
}

impl Folded {
    /// All of it, if it is in one piece.
    pub fn whole(&self) -> Option<&Bytes> {
        match self {
            Folded::Whole(bytes) => Some(bytes),
            Folded::Pages { .. } => None,
        }
    }
}
