//! A replica in one line, for traces and for what an assert says.

use super::Replica;
use std::fmt;

impl fmt::Debug for Replica {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, term, state) = (self.id(), self.term(), self.node.raft.state);
        write!(out, "{id} {state:?} {term} {}..{}", self.first_index(), self.last_index())?;
        write!(out, " commit {} applied {}", self.commit(), self.applied_index())
    }
}
