//! How our own state becomes bytes: commands, machines' states, requests that travel between nodes. bincode 2, and this
//! is the one room that knows it. Never on the client edge, which is Kafka's wire language.
//!
//! ```text
//! 0 kind u8 | 1 version u8 | 2 the fields, in bincode's standard configuration: numbers of varying length
//! ```
//! Shapes that follow each other are one decision's commands. The fields are positional, so a shape never changes: what
//! is to be said otherwise is a version more, written from a feature level on (`level`), and the older one stays
//! readable beside it. `core/tests/shapes.rs` holds the bytes of each, and fails when one changes.
//!
//! What is large or lives long, the journal, checkpoints and segments, has storage's own codec; what lies in them as one
//! piece, a state or a decision's commands, names its kind here.
//!
//! - Invariant: decoding takes no more memory than [`BYTES_MAX`], whatever the bytes say.
//! - Invariant: what is written at a level can be read by every build that reads that level.

mod kind;

pub use kind::{FIRST, Kind, SECOND, THIRD, Version};

use crate::level::{Level, Levels};
use crate::machine::Undecodable;
use bytes::{BufMut, Bytes, BytesMut};

/// Largest thing this codec reads, bytes. A metadata state of 20,000 partitions takes about 2 MiB.
pub const BYTES_MAX: usize = 64 << 20;

/// Something that is one of several kinds: a command, a request, a state.
pub trait Shape: Sized {
    /// What all of them are, for a person.
    const WHAT: &'static str;
    /// All that there are.
    const KINDS: &'static [Kind];

    /// The number of the kind that this is.
    fn kind(&self) -> u8;

    /// Its fields, as that version has them.
    fn write(&self, version: u8, to: &mut Writing<'_>);

    /// The fields of a kind and version that `KINDS` names.
    ///
    /// # Errors
    /// Bytes that are none.
    fn read(kind: u8, version: u8, from: &mut Reading<'_>) -> Result<Self, Broken>;
}

/// Bytes that are not the fields of their kind and version.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// They end, or hold what no field of that type is.
    #[error("its fields do not parse: {0}")]
    Fields(#[from] bincode::error::DecodeError),
    /// The kind stands in the table and nobody reads it.
    #[error("nothing reads it")]
    Unread,
}

/// Where fields are written to, or only counted.
pub struct Writing<'a> {
    into: Option<&'a mut BytesMut>,
    bytes: usize,
}

/// Where fields are read from.
pub struct Reading<'a> {
    rest: &'a [u8],
}

/// The version of a value that is written where the cluster has that level: its kind, the number that is said, and the
/// version whose fields are written.
fn written_at<S: Shape>(value: &S, level: Level) -> (&'static Kind, u8, u8) {
    let kind = value.kind();
    let kind = S::KINDS.iter().find(|known| known.number == kind).expect("every kind is in the table");
    // Nothing is proposed above the cluster's level: `decide` sees it, and the host looks.
    let version = kind.written_at(level).expect("a kind is written from its first level on");
    (kind, kind::one_newer(kind, level).unwrap_or(version.number), version.number)
}

/// The level from which a value's kind may be written.
pub fn since<S: Shape>(value: &S) -> Level {
    let kind = value.kind();
    S::KINDS.iter().find(|known| known.number == kind).map_or(Level(u32::MAX), Kind::since)
}

/// `value` as it is written at that level, appended to `into`.
pub fn encode_into<S: Shape>(value: &S, level: Level, into: &mut BytesMut) {
    let (kind, said, version) = written_at(value, level);
    into.put_slice(&[kind.number, said]);
    value.write(version, &mut Writing { into: Some(into), bytes: 0 });
}

/// Kind and version alone, before fields that their room writes itself: it has one version.
pub fn encode_head(kind: &Kind, into: &mut BytesMut) {
    let [Version { number, .. }] = kind.versions else { panic!("{} has one version", kind.name) };
    into.put_slice(&[kind.number, *number]);
}

/// What follows kind and version, if they are these.
///
/// # Errors
/// They are others: they are named.
pub fn decode_head<'a>(what: &'static str, kind: &Kind, bytes: &'a [u8]) -> Result<&'a [u8], Undecodable> {
    let (_, _, fields) = head(what, std::slice::from_ref(kind), bytes, Levels::BUILD.newest)?;
    Ok(fields)
}

/// `value` as bytes of its own.
pub fn encode<S: Shape>(value: &S, level: Level) -> Bytes {
    encode_all(std::slice::from_ref(value), level)
}

/// One after the other.
pub fn encode_all<S: Shape>(values: &[S], level: Level) -> Bytes {
    let mut bytes = BytesMut::new();
    values.iter().for_each(|value| encode_into(value, level, &mut bytes));
    bytes.freeze()
}

/// How many bytes `encode` makes of it.
pub fn shape_bytes<S: Shape>(value: &S, level: Level) -> usize {
    let (_, _, version) = written_at(value, level);
    let mut writing = Writing { into: None, bytes: 2 };
    value.write(version, &mut writing);
    writing.bytes
}

/// What `encode` wrote, if it is of a level that `reads` reaches. Trailing bytes are refused.
///
/// # Errors
/// Bytes that are none, or a kind or version that this build does not read: it is named.
pub fn decode<S: Shape>(bytes: &[u8], reads: Level) -> Result<S, Undecodable> {
    let mut rest = bytes;
    let value = decode_next(&mut rest, reads)?;
    if !rest.is_empty() {
        let reason = format!("{} bytes follow its end", rest.len());
        return Err(Undecodable { what: S::WHAT, reason });
    }
    Ok(value)
}

/// What `encode_all` wrote.
///
/// # Errors
/// As `decode`; nothing at all is an error too.
pub fn decode_all<S: Shape>(bytes: &[u8], reads: Level) -> Result<Vec<S>, Undecodable> {
    let mut rest = bytes;
    let mut values = vec![decode_next(&mut rest, reads)?];
    while !rest.is_empty() {
        if (values.len() + 1) * size_of::<S>() > BYTES_MAX {
            return Err(Undecodable { what: S::WHAT, reason: "there are too many".into() });
        }
        values.push(decode_next(&mut rest, reads)?);
    }
    Ok(values)
}

/// A part of something that names its kind and version, appended to `into`.
pub fn append<T: bincode::Encode>(part: &T, into: &mut BytesMut) {
    Writing { into: Some(into), bytes: 0 }.put(part);
}

/// How many bytes `append` makes of it.
pub fn encoded_bytes<T: bincode::Encode>(part: &T) -> usize {
    let mut writing = Writing { into: None, bytes: 0 };
    writing.put(part);
    writing.bytes
}

/// What `append` wrote at the beginning of `bytes`, and how many of them it took; `what` names it for the error.
///
/// # Errors
/// Bytes that are none.
pub fn take<T: bincode::Decode<()>>(bytes: &[u8], what: &'static str) -> Result<(T, usize), Undecodable> {
    let mut reading = Reading { rest: bytes };
    let part = reading.take().map_err(|broken| Undecodable { what, reason: broken.to_string() })?;
    Ok((part, bytes.len() - reading.rest.len()))
}

fn decode_next<S: Shape>(rest: &mut &[u8], reads: Level) -> Result<S, Undecodable> {
    let (kind, version, fields) = head(S::WHAT, S::KINDS, rest, reads)?;
    let mut reading = Reading { rest: fields };
    let value = S::read(kind.number, version, &mut reading).map_err(|broken| {
        let reason = format!("{} (kind {}, version {version}): {broken}", kind.name, kind.number);
        Undecodable { what: S::WHAT, reason }
    })?;
    *rest = reading.rest;
    Ok(value)
}

/// The kind, the version whose fields follow, and what follows.
fn head<'a, 'k>(
    what: &'static str,
    kinds: &'k [Kind],
    bytes: &'a [u8],
    reads: Level,
) -> Result<(&'k Kind, u8, &'a [u8]), Undecodable> {
    let fail = |reason: String| Err(Undecodable { what, reason });
    let [number, version, fields @ ..] = bytes else {
        return fail("it is cut before its kind and version".into());
    };
    let Some(kind) = kinds.iter().find(|kind| kind.number == *number) else {
        let known: Vec<String> = kinds.iter().map(|kind| kind.number.to_string()).collect();
        let known = known.join(", ");
        return fail(format!("kind {number} in version {version}; this build reads kinds {known}"));
    };
    let newest = kind.versions.last().map_or(0, |version| version.number);
    let meant = if kind::one_newer(kind, reads) == Some(*version) { newest } else { *version };
    kind.reads(meant, what)?;
    Ok((kind, meant, fields))
}

impl Writing<'_> {
    /// The next field.
    pub fn put<T: bincode::Encode>(&mut self, field: &T) {
        bincode::encode_into_writer(field, Counted(self), bincode::config::standard())
            .expect("writing into memory cannot fail and our own types have no unencodable value");
    }
}

impl Reading<'_> {
    /// The next field.
    ///
    /// # Errors
    /// The bytes are none.
    pub fn take<T: bincode::Decode<()>>(&mut self) -> Result<T, Broken> {
        let config = bincode::config::standard().with_limit::<BYTES_MAX>();
        let (value, taken) = bincode::decode_from_slice(self.rest, config)?;
        self.rest = &self.rest[taken..];
        Ok(value)
    }
}

/// bincode's way to write.
struct Counted<'a, 'b>(&'a mut Writing<'b>);

impl bincode::enc::write::Writer for Counted<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.0.bytes += bytes.len();
        if let Some(into) = &mut self.0.into {
            into.put_slice(bytes);
        }
        Ok(())
    }
}
