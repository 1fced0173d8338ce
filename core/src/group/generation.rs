//! What is replicated of a classic group: its generation, and its members.
//!
//! Not here: who sits where, and waits (`live`); the protocol (`classic`).

use crate::entry::Stamp;
use crate::now::Wall;

/// What all members of a generation agree on.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Generation {
    /// Its number, above the one before.
    pub number: i32,
    /// Which kind of client they are.
    pub protocol_type: String,
    /// How they choose who gets what; none where nobody is there.
    pub protocol: Option<String>,
    /// Who chooses.
    pub leader: Option<String>,
}

/// What is replicated of a classic group, besides its members.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Classic {
    /// Counts its rebalances.
    pub generation: i32,
    /// Which kind of client its members are.
    pub protocol_type: String,
    /// How they choose who gets what; none where nobody is there.
    pub protocol: Option<String>,
    /// Who chooses.
    pub leader: Option<String>,
    /// Whether that one has said who gets what.
    pub is_assigned: bool,
    /// How many members there are.
    pub members: u32,
    /// When this generation began, by the log's clock: if it is empty, since when.
    pub since: Wall,
    /// Whether the next generation is due: a member has left since, and what it had is nobody's; or nobody leads, for this
    /// was a consumer group until now.
    pub has_lost: bool,
}

/// A member of a classic group.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Member {
    /// What it is called by whoever runs it, if it is a static member (KIP-345).
    pub instance: Option<String>,
    /// The client's name for itself.
    pub client_id: String,
    /// Where it is.
    pub client_host: String,
    /// How long others wait for it in a rebalance.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// Ways to choose who gets what that it knows, its favourite first, with what it says of itself to each.
    pub protocols: Vec<(String, Vec<u8>)>,
    /// What it was assigned.
    pub assignment: Vec<u8>,
}

impl Classic {
    /// A generation begins.
    pub(super) fn begun(at: Stamp, generation: Generation, members: u32) -> Classic {
        let Generation { number, protocol_type, protocol, leader } = generation;
        let has_lost = members > 0 && leader.is_none();
        Classic {
            generation: number,
            protocol_type,
            protocol,
            leader,
            is_assigned: false,
            members,
            since: at.wall,
            has_lost,
        }
    }

    /// Members are gone: if the leader is among them nobody leads until the next generation.
    pub(super) fn members_left(&mut self, members: &[String], gone: usize) {
        self.members = self.members.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX));
        self.has_lost |= gone > 0;
        self.leader = self.leader.take().filter(|leader| !members.contains(leader));
    }

    /// A member has another id now.
    pub(super) fn member_replaced(&mut self, old: &str, new: &str) {
        if self.leader.as_deref() == Some(old) {
            self.leader = Some(new.to_owned());
        }
    }
}

impl Member {
    /// About what it takes, in memory and encoded.
    pub fn bytes(&self) -> usize {
        let protocols: usize = self.protocols.iter().map(|(name, about)| name.len() + about.len() + 8).sum();
        let instance = self.instance.as_ref().map_or(0, String::len);
        protocols + self.client_id.len() + self.client_host.len() + instance + self.assignment.len() + 64
    }

    /// What it says of itself to a protocol.
    pub fn subscription(&self, protocol: &str) -> &[u8] {
        let said = self.protocols.iter().find(|(name, _)| name == protocol);
        said.map_or(&[], |(_, metadata)| metadata)
    }
}
