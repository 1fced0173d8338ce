//! The text of a YAML file, or of a variable's value, as a tree that knows the place of everything in it.
//!
//! The reader has a budget (1 MiB, no aliases, 16 levels, one document). A value is kept as it is written: what it
//! means is said by the setting that it is for, not by how it looks.

use crate::limits::CLUSTER_FILE_BYTES_MAX;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// Something of the text, and where it begins.
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) what: Tree,
}

/// A line and a column, from 1; 0 where none is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// What a text says. It may hold secrets, so it cannot be shown.
pub(super) enum Tree {
    /// A key without a value.
    Nothing,
    /// A value, as it is written.
    Value(String),
    /// A list.
    List(Vec<Node>),
    /// Names, each with its place and what is below it.
    Map(Vec<(String, Place, Node)>),
}

/// What is wrong with a text that is no such tree.
pub(super) struct Unreadable {
    pub(super) place: Place,
    pub(super) what: String,
}

/// Reads a text.
pub(super) fn read(text: &str) -> Result<Node, Unreadable> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(CLUSTER_FILE_BYTES_MAX as usize),
            max_aliases: 0,
            max_anchors: 0,
            max_depth: 16,
            max_documents: 1,
        },
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(settled(raw, text)),
        Err(error) => {
            let place = place(error.location().unwrap_or(Location::UNKNOWN));
            Err(Unreadable { place, what: explain(&error) })
        }
    }
}

/// What the parser gives: a number or a truth has lost how it was written, which its span finds again.
enum Raw {
    Nothing,
    Plain,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn settled(raw: Spanned<Raw>, text: &str) -> Node {
    let span = raw.referenced.span();
    let what = match raw.value {
        Raw::Nothing => Tree::Nothing,
        Raw::Text(value) => Tree::Value(value),
        Raw::Plain => {
            let from = span.byte_offset().unwrap_or_default() as usize;
            let until = from + span.byte_len().unwrap_or_default() as usize;
            Tree::Value(text.get(from..until).unwrap_or_default().to_owned())
        }
        Raw::List(items) => Tree::List(items.into_iter().map(|item| settled(item, text)).collect()),
        Raw::Map(entries) => {
            let entry = |(name, below): (Spanned<String>, _)| {
                (name.value, place(name.referenced), settled(below, text))
            };
            Tree::Map(entries.into_iter().map(entry).collect())
        }
    };
    Node { place: place(raw.referenced), what }
}

fn place(location: Location) -> Place {
    Place { line: location.line() as usize, column: location.column() as usize }
}

/// What is wrong, in words that do not show what stands there: it may be a secret.
fn explain(error: &serde_saphyr::Error) -> String {
    match error.without_snippet() {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("`{key}` stands here twice")
        }
        serde_saphyr::Error::Budget { .. } | serde_saphyr::Error::MultipleDocuments { .. } => {
            "anchors, aliases, several documents and deep nesting are not read here".into()
        }
        other => {
            // The library ends its sentences with the position, which is shown anyway.
            let text = other.to_string();
            text.split(" at line ").next().unwrap_or(&text).to_owned()
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Raw, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Raw;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("settings")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
