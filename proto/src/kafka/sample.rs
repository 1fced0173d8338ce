//! Draws arbitrary well-formed bodies from a [`Schema`]: for the oracle tests, the golden bytes, the fuzzer's
//! first corpus, and clients of the simulator that send what no client would.
//!
//! Chance is an argument: a list of bytes that is used up. When it is empty everything is zero, empty and
//! untagged, so that a shorter list is a smaller message and a failing one shrinks by itself.
//!
//! A sample may hold a tagged field with its default value, which is legal; writing it again leaves it out.

use super::schema::{Field, Kind, Schema, Version};
use super::writer::Writer;

/// A list of bytes that decides everything.
#[derive(Debug)]
pub struct Chance<'a>(&'a [u8]);

/// A sample's longest records: over [`SHARED_BYTES_MIN`](super::SHARED_BYTES_MIN), so that they are shared.
const RECORDS_BYTES_LONG: usize = 1100;

impl<'a> Chance<'a> {
    /// Draws from these.
    pub fn new(bytes: &'a [u8]) -> Chance<'a> {
        Chance(bytes)
    }

    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn below(&mut self, limit: u8) -> u8 {
        self.byte() % limit
    }

    /// A number: nothing, small, one of the ends, or anything. Fits every width by being cut.
    fn number(&mut self) -> i64 {
        match self.below(6) {
            0 => 0,
            1 | 2 => i64::from(self.byte()),
            3 => -1,
            4 => i64::MAX,
            _ => i64::from_be_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    fn text(&mut self) -> String {
        const LETTERS: [char; 8] = ['a', 'b', '-', '.', '7', 'é', '語', '𝄞'];
        (0..self.below(6)).map(|_| LETTERS[usize::from(self.below(8))]).collect()
    }

    fn records(&mut self) -> Vec<u8> {
        let length = match self.below(16) {
            15 => RECORDS_BYTES_LONG,
            length => usize::from(length),
        };
        (0..length).map(|_| self.byte()).collect()
    }
}

/// Writes a body of that shape and version.
pub fn body(schema: &Schema, at: Version, chance: &mut Chance<'_>, writer: &mut Writer) {
    let fields = || schema.fields.iter().filter(|field| field.versions.contains(at.number));
    for field in fields().filter(|field| field.tag.is_none()) {
        value(field, at, chance, writer);
    }
    if at.is_flexible {
        let section = writer.open_tags();
        for field in fields() {
            let Some(tag) = field.tag else { continue };
            if chance.below(2) == 1 {
                writer.tag(section, tag, |writer| value(field, at, chance, writer));
            }
        }
    }
}

fn value(field: &Field, at: Version, chance: &mut Chance<'_>, writer: &mut Writer) {
    let can_be_null = field.nullable.contains(at.number);
    let is_null = can_be_null && chance.below(4) == 3;
    match field.kind {
        Kind::String if is_null => writer.text(at.is_flexible, None),
        Kind::Struct(_) if is_null => writer.bytes(&[0xff]),
        _ if is_null => writer.length(at.is_flexible, None),
        Kind::Struct(schema) if can_be_null => {
            writer.bytes(&[1]);
            body(schema, at, chance, writer);
        }
        kind => present(kind, at, chance, writer),
    }
}

fn present(kind: &Kind, at: Version, chance: &mut Chance<'_>, writer: &mut Writer) {
    match kind {
        Kind::Bool => writer.bytes(&[chance.below(2)]),
        Kind::Int8 => writer.bytes(&(chance.number() as i8).to_be_bytes()),
        Kind::Int16 | Kind::Uint16 => writer.bytes(&(chance.number() as i16).to_be_bytes()),
        Kind::Int32 => writer.bytes(&(chance.number() as i32).to_be_bytes()),
        Kind::Int64 => writer.bytes(&chance.number().to_be_bytes()),
        Kind::Float64 => writer.bytes(&f64::from(chance.number() as i32).to_be_bytes()),
        Kind::Uuid => writer.bytes(&std::array::from_fn::<u8, 16, _>(|_| chance.byte())),
        Kind::String => writer.text(at.is_flexible, Some(&chance.text())),
        Kind::Bytes | Kind::Records => {
            let records = chance.records();
            writer.length(at.is_flexible, Some(records.len()));
            writer.bytes(&records);
        }
        Kind::Array(element) => {
            let count = chance.below(4);
            writer.length(at.is_flexible, Some(usize::from(count)));
            (0..count).for_each(|_| present(element, at, chance, writer));
        }
        Kind::Struct(schema) => body(schema, at, chance, writer),
    }
}
