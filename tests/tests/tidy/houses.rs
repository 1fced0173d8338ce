//! Rooms within a large room (`floors::HOUSES`): arrows between them run one way, as between the rooms of the core.
//!
//! What is not on one of the floors within (the essay, and what carries between the rooms) is on the floor above them,
//! and may look at all; a room within may name nothing of its house but rooms below its own.

use crate::arrows::{is_test_file, within_crate};
use crate::floors::{HOUSES, House};
use crate::reading::{paths, tokens};
use crate::tree::Tree;
use crate::{Breach, demand};

/// The floor of a room within, from 0.
fn floor_of(house: &House, room: &str) -> Option<usize> {
    house.floors.iter().position(|floor| floor.contains(&room))
}

/// The files of a house, each with the room within it that it belongs to.
fn files<'a>(tree: &'a Tree, house: &'a House) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
    let prefix = format!("core/src/{}/", house.room);
    tree.rust("core/src/").filter(|(path, _)| !is_test_file(path)).filter_map(move |(path, text)| {
        let file = path.strip_prefix(&prefix)?;
        Some((path, text, file.split('/').next()?.trim_end_matches(".rs")))
    })
}

fn folders_without_floor(tree: &Tree, house: &House) -> Vec<Breach> {
    let is_folder = |path: &str| path.matches('/').count() > 3;
    let lost =
        files(tree, house).filter(|(path, _, room)| is_folder(path) && floor_of(house, room).is_none());
    lost.map(|(path, _, room)| Breach::new(path, 0, format!("room `{room}` is on no floor of its house")))
        .collect()
}

fn rooms_that_are_gone(tree: &Tree, house: &House) -> Vec<Breach> {
    let named = house.floors.iter().flat_map(|floor| floor.iter());
    let gone = named.filter(|room| !files(tree, house).any(|(_, _, other)| other == **room));
    gone.map(|room| Breach::new("tests/tests/tidy/floors.rs", 0, format!("there is no `{room}`"))).collect()
}

fn arrows_up(tree: &Tree, house: &House) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, text, from) in files(tree, house) {
        let Some(floor) = floor_of(house, from) else { continue };
        for named in paths(tokens(path, text)).iter().filter(|named| !named.is_test) {
            let Some(target) = within_crate(path, named).filter(|_| named.segments.len() > 1) else {
                continue;
            };
            let [room, to, ..] = &target[..] else { continue };
            if room == house.room && to != from && floor_of(house, to).is_none_or(|lower| lower >= floor) {
                breaches.push(Breach::new(
                    path,
                    named.line,
                    format!("`{from}` imports `{to}`, which is not below it"),
                ));
            }
        }
    }
    breaches
}

#[test]
fn rooms_within_a_room_import_only_from_lower_floors() {
    let tree = Tree::of_this_workspace();
    for house in &HOUSES {
        demand(
            &folders_without_floor(tree, house),
            "give it a place in HOUSES of tests/tests/tidy/floors.rs",
        );
        demand(&rooms_that_are_gone(tree, house), "take it out of HOUSES");
        demand(
            &arrows_up(tree, house),
            "move the word that both need into the lower room, or carry it above both",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    const HOUSE: House = House { room: "storage", floors: &[&["codec", "disk"], &["journal"], &["attic"]] };

    #[test]
    fn a_room_within_that_imports_upwards_sideways_or_through_the_door_is_caught() {
        let tree = Tree::of(&[
            ("core/src/storage/mod.rs", "use journal::frame::F;"),
            ("core/src/storage/codec.rs", "use super::disk::T;"),
            ("core/src/storage/disk/mod.rs", "use crate::storage::Outcome;\nuse crate::ids::X;"),
            ("core/src/storage/disk/ticket.rs", "use super::plan::P;\nuse super::super::journal::J;"),
            ("core/src/storage/journal/frame.rs", "use crate::storage::codec::C; use super::ring::R;"),
            ("core/src/storage/running.rs", "use super::journal::frame::F;"),
            ("core/src/storage/cellar/mod.rs", "use super::journal::frame::F;"),
        ]);
        let expected = [
            "core/src/storage/codec.rs:1",
            "core/src/storage/disk/mod.rs:1",
            "core/src/storage/disk/ticket.rs:2",
        ];
        assert_eq!(places(&arrows_up(&tree, &HOUSE)), expected);
        assert_eq!(places(&folders_without_floor(&tree, &HOUSE)), ["core/src/storage/cellar/mod.rs:0"]);
        assert_eq!(rooms_that_are_gone(&tree, &HOUSE).len(), 1);
    }
}
