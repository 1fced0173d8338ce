//! What a node says of itself with each sign of life, besides who leads what: whom it hears, how far its log of the
//! metadata partition reaches, and whether others had better lead.
//!
//! Whom a node hears stands for who hears it: a lane that passes nothing one way is broken for both sides within an
//! election timeout.
//!
//! Soft knowledge: true when it was said. A change of what others decide by is said at once.

use crate::ids::{Index, NodeId};
use rust_mq_proto::peer::message::Alive;

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sign {
    /// The other nodes that it hears, by rising id.
    pub hears: Vec<NodeId>,
    /// The last index of its log of the metadata partition. Of that partition's leader: all that is committed is below.
    pub metadata_end: Index,
    /// Whether it leads only if nobody else does: its disk is slow, or full.
    pub is_reluctant: bool,
}

impl Sign {
    /// What a peer said.
    pub(super) fn read(alive: &Alive, members: &[NodeId]) -> Result<Sign, &'static str> {
        let mut hears: Vec<NodeId> = alive.hears.iter().map(|node| NodeId(*node)).collect();
        if hears.len() > members.len() || hears.iter().any(|node| !members.contains(node)) {
            return Err("it hears nodes that are none");
        }
        hears.sort_unstable();
        hears.dedup();
        Ok(Sign { hears, metadata_end: Index(alive.metadata_end), is_reluctant: alive.is_reluctant })
    }

    /// Says it, with what `news` tells.
    pub(super) fn written(&self, news: &Alive) -> Alive {
        Alive {
            hears: self.hears.iter().map(|node| node.0).collect(),
            metadata_end: self.metadata_end.0,
            is_reluctant: self.is_reluctant,
            ..news.clone()
        }
    }

    /// Whether others decide by something that was not so when `said` was.
    pub(super) fn has_news(&self, said: &Sign) -> bool {
        (&self.hears, self.is_reluctant) != (&said.hears, said.is_reluctant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_and_what_cannot_be_is_refused() {
        let members = [NodeId(1), NodeId(2), NodeId(3)];
        let said = Sign { hears: vec![NodeId(1), NodeId(3)], metadata_end: Index(70), is_reluctant: true };
        let mut alive = said.written(&Alive::default());
        assert_eq!(Sign::read(&alive, &members), Ok(said.clone()));
        alive.hears = vec![3, 1, 3];
        assert_eq!(Sign::read(&alive, &members), Ok(said), "in any order, each once");
        for hears in [vec![1, 4], vec![1, 1, 2, 2]] {
            alive.hears = hears;
            assert!(Sign::read(&alive, &members).is_err());
        }
    }

    #[test]
    fn a_log_that_grows_is_no_news() {
        let before = Sign { hears: vec![NodeId(1)], metadata_end: Index(1), is_reluctant: false };
        assert!(!Sign { metadata_end: Index(2), ..before.clone() }.has_news(&before));
        assert!(Sign { is_reluctant: true, ..before.clone() }.has_news(&before));
        assert!(Sign { hears: Vec::new(), ..before.clone() }.has_news(&before));
    }
}
