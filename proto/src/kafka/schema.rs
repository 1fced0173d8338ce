//! An API's description as data: its row of the table, its structs, fields and kinds.
//!
//! The tests draw arbitrary messages from it, and tools print it. What it is made from: `grammar`.

use std::fmt;
use std::ops::RangeInclusive;

/// A range of versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The lowest.
    pub first: i16,
    /// The highest; `i16::MAX` is open.
    pub last: i16,
}

/// The version of one message, and which spelling of lengths that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The API's version.
    pub number: i16,
    /// Whether lengths are varints and structs end in tagged fields (KIP-482).
    pub is_flexible: bool,
}

/// A row of the API table.
#[derive(Debug)]
pub struct Api {
    /// Kafka's name.
    pub name: &'static str,
    /// Kafka's number.
    pub key: i16,
    /// What is served.
    pub versions: Versions,
    /// What ApiVersions names as the lowest; may lie below what is served.
    pub advertised_from: i16,
    /// The first flexible version; `i16::MAX` if there is none.
    pub flexible_from: i16,
    /// The request's body.
    pub request: &'static Schema,
    /// The response's body.
    pub response: &'static Schema,
}

/// A struct as data.
#[derive(Debug)]
pub struct Schema {
    /// Kafka's name.
    pub name: &'static str,
    /// In the order of the wire; tagged ones among them.
    pub fields: &'static [Field],
}

/// A field as data.
#[derive(Debug)]
pub struct Field {
    /// Its name here: Kafka's in snake case.
    pub name: &'static str,
    /// Its type.
    pub kind: &'static Kind,
    /// Where it exists.
    pub versions: Versions,
    /// Where it may be null.
    pub nullable: Versions,
    /// Its tag, if it is a tagged field.
    pub tag: Option<u32>,
}

/// A type as data; the names are Kafka's.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names are Kafka's types, and say all there is")]
pub enum Kind {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Int64,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Array(&'static Kind),
    Struct(&'static Schema),
}

/// The key whose answers a client reads before it knows our versions.
const API_VERSIONS_KEY: i16 = 18;

impl Versions {
    /// No version.
    pub const NONE: Versions = Versions { first: 0, last: -1 };

    /// This one and all later ones.
    pub const fn from(first: i16) -> Versions {
        Versions { first, last: i16::MAX }
    }

    /// From one to another, both included.
    pub const fn between(first: i16, last: i16) -> Versions {
        Versions { first, last }
    }

    /// Whether that version is among them.
    #[inline]
    pub const fn contains(self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }

    /// All of them, rising.
    pub fn iter(self) -> RangeInclusive<i16> {
        self.first..=self.last
    }
}

impl Api {
    /// That version with its spelling.
    #[inline]
    pub const fn version(&self, number: i16) -> Version {
        Version { number, is_flexible: number >= self.flexible_from }
    }

    /// 1, or 2 if it has tagged fields.
    pub const fn request_header_version(&self, version: i16) -> i16 {
        if version >= self.flexible_from { 2 } else { 1 }
    }

    /// 0, or 1 if it has tagged fields. ApiVersions' is always 0: the client cannot know yet which versions
    /// we understand (KIP-511).
    pub const fn response_header_version(&self, version: i16) -> i16 {
        if version >= self.flexible_from && self.key != API_VERSIONS_KEY { 1 } else { 0 }
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Versions { first, last: i16::MAX } => write!(out, "{first}+"),
            Versions { first, last } => write!(out, "{first}-{last}"),
        }
    }
}
