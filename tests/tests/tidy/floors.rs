//! The rooms of `core`, floor by floor: the one table to edit when a room is built or moved. It mirrors the
//! map in ARCHITECTURE.md.
//!
//! Invariant: a room imports only from lower floors. On the two lowest floors neighbours may import each
//! other, without circles. What one room must hand to its neighbour higher up, the floor above carries.

/// One floor and the rooms on it.
pub struct Floor {
    /// Names of modules directly below `core/src`.
    pub rooms: &'static [&'static str],
    /// Whether they may import each other.
    pub has_open_doors: bool,
}

/// From the ground up.
pub const FLOORS: [Floor; 9] = [
    Floor {
        rooms: &[
            "ids", "level", "now", "rng", "limits", "file", "entry", "link", "settings", "watched", "mutant",
        ],
        has_open_doors: true,
    },
    Floor {
        rooms: &["event", "action", "timer", "machine", "codec", "config", "paged", "compaction"],
        has_open_doors: true,
    },
    Floor { rooms: &["connection", "storage", "replica", "peer"], has_open_doors: false },
    Floor { rooms: &["metadata", "partition"], has_open_doors: false },
    Floor { rooms: &["host", "group"], has_open_doors: false },
    Floor { rooms: &["resident"], has_open_doors: false },
    Floor { rooms: &["node"], has_open_doors: false },
    Floor { rooms: &["api"], has_open_doors: false },
    Floor { rooms: &["broker"], has_open_doors: false },
];

/// A room that is large enough to have rooms of its own.
pub struct House {
    /// Its module, directly below `core/src`.
    pub room: &'static str,
    /// The rooms within it, from the ground up. On the floor above them all are the other files of its folder.
    pub floors: &'static [&'static [&'static str]],
}

/// Rooms with floors within: there, too, a room imports only from lower ones, and none names anything of the house
/// but those.
pub const HOUSES: [House; 1] = [House {
    room: "storage",
    floors: &[
        &["codec", "disk"],
        &["segments"],
        &["journal"],
        &["local"],
        &["reads"],
        &["node_meta", "checkpoint"],
        &["recovery"],
    ],
}];

/// The floor a room is on, from 0.
pub fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.rooms.contains(&room))
}

/// Whether a file in room `from` may name something of room `to`.
pub fn may_import(from: &str, to: &str) -> bool {
    match (floor_of(from), floor_of(to)) {
        (Some(upper), Some(lower)) => {
            from == to || lower < upper || (lower == upper && FLOORS[upper].has_open_doors)
        }
        _ => false,
    }
}
