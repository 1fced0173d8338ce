//! Descriptors: how many files and sockets a process may have open, and who may have how many of them.
//!
//! Clients and strangers at the peers' door must never take what the disk needs: a segment that cannot be opened
//! is a disk that failed, and stops the node. So each has a share, and nobody borrows.
//!
//! Invariant: the shares leave a quarter of a small limit, and 128 of a larger one, to the journal, checkpoint,
//! node.meta, listeners and the runtime.

use crate::limits::{CONNECTIONS_MAX, OPEN_FILES_MAX, PEER_CONNECTIONS_MAX, RESERVED_DESCRIPTORS};

/// The shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// Connections of clients.
    pub clients: usize,
    /// Segments and indexes kept open.
    pub segments: usize,
    /// Connections that other nodes, or strangers, made.
    pub peers: usize,
}

impl Descriptors {
    /// Raises this process's limit as far as it goes, and shares it out.
    pub fn of_this_process() -> Descriptors {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let allowed = getrlimit(Resource::Nofile);
        // What cannot be raised stays as it is.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: allowed.maximum, maximum: allowed.maximum });
        let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Descriptors::of(usize::try_from(allowed).unwrap_or(usize::MAX))
    }

    /// Shares out `allowed` descriptors.
    fn of(allowed: usize) -> Descriptors {
        // Even a tiny limit (fault tests run with 64) leaves half of it to clients.
        let clients = allowed.saturating_sub(RESERVED_DESCRIPTORS).max(allowed / 2);
        Descriptors {
            clients: clients.min(CONNECTIONS_MAX),
            segments: (allowed / 8).min(OPEN_FILES_MAX),
            peers: (allowed / 8).min(PEER_CONNECTIONS_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_leave_room_for_the_journal_and_grow_to_their_bounds() {
        assert_eq!(Descriptors::of(64), Descriptors { clients: 32, segments: 8, peers: 8 });
        assert_eq!(Descriptors::of(1_024), Descriptors { clients: 512, segments: 128, peers: 128 });
        assert_eq!(Descriptors::of(1 << 20), Descriptors { clients: 10_000, segments: 256, peers: 256 });
        for allowed in 64..20_000 {
            let shares = Descriptors::of(allowed);
            let rest = allowed - shares.clients - shares.segments - shares.peers;
            assert!(rest >= (allowed / 4).min(128), "{rest} of {allowed} are left");
        }
    }
}
