//! The bytes of the peers' messages: prost's, checked before they may take memory, and written in parts so that
//! payloads are not copied.
//!
//! ```text
//! 0 version u8 | 1 one field in protobuf's form: its number is the kind, its content the body
//! ```
//! A body grows by fields that an older build skips; what it must not skip is a version more.
//!
//! Invariant: memory taken by [`parse`] <= the message's bytes + 128 bytes * `FIELDS_MAX`.
//! Invariant: what is written in parts is, joined, what prost would have written.
//!
//! Not here: the shapes (`message`, `raft`).

use super::message::{GREETING_VERSION, PROTOCOL_OLDEST, PeerBody, PeerMessage, Raft};
use super::raft::{ENTRIES_MAX, Malformed, RaftEntry, RaftMessage};
use crate::kafka::Writer;
use bytes::{Buf, BufMut, Bytes};
use prost::Message;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};

/// Fields one body may have, so list elements it may hold. Source: chosen; an empty element takes two bytes
/// on the wire and up to 128 in memory. At the edge: the message is malformed.
pub const FIELDS_MAX: usize = 1 << 16;

/// The key of a field and its length take no more bytes.
const KEY_AND_LENGTH_BYTES_MAX: usize = 11;

/// Room that is made at once for a message to come, at most: its large payloads are not copied. Bytes; chosen.
const ROOM_BYTES_MAX: usize = 4 << 10;

/// Bytes that are no message of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// Not the schema.
    #[error("not a peer message: {0}")]
    Schema(prost::DecodeError),
    /// Not exactly one body.
    #[error("a peer message that is not one body")]
    NotOneBody,
    /// A kind that this build does not know.
    #[error("a peer message of kind {kind} in version {version}; this build reads kinds 1 to {}", PeerBody::KINDS.len())]
    Kind {
        /// Its number.
        kind: u32,
        /// Its version.
        version: u8,
    },
    /// A version that this build does not read.
    #[error("a peer message {kind} in version {version}; this build reads {oldest} to {newest}")]
    Version {
        /// What the kind is called.
        kind: &'static str,
        /// The version.
        version: u8,
        /// The first that is read.
        oldest: u8,
        /// The last.
        newest: u8,
    },
    /// More than [`FIELDS_MAX`] fields, or [`ENTRIES_MAX`] entries in all its Raft messages.
    #[error("a peer message of more than {0} elements")]
    Elements(usize),
    /// A Raft message that is none.
    #[error(transparent)]
    Raft(#[from] Malformed),
}

/// The body of the message that `bytes` are, all of them, if it is of no later version than `newest`. Payloads share
/// `bytes`' memory.
///
/// # Errors
/// What is wrong; a kind or version that this build does not read is named.
pub fn parse(mut bytes: Bytes, newest: u8) -> Result<PeerBody, BadMessage> {
    let version = bytes.try_get_u8().map_err(|_| BadMessage::NotOneBody)?;
    let (kind, body) = only_body(&bytes)?;
    let known = PeerBody::KINDS.iter().find(|(number, ..)| *number == kind);
    let Some((_, name, is_greeting)) = known else { return Err(BadMessage::Kind { kind, version }) };
    let (oldest, newest) =
        if *is_greeting { (GREETING_VERSION, GREETING_VERSION) } else { (PROTOCOL_OLDEST, newest) };
    if !(oldest..=newest).contains(&version) {
        return Err(BadMessage::Version { kind: name, version, oldest, newest });
    }
    let fields = count_fields(body, FIELDS_MAX).map_err(BadMessage::Schema)?;
    if fields > FIELDS_MAX {
        return Err(BadMessage::Elements(FIELDS_MAX));
    }
    PeerMessage::decode(bytes).map_err(BadMessage::Schema)?.body.ok_or(BadMessage::NotOneBody)
}

impl Raft {
    /// The messages themselves. All or nothing: a peer of ours sends no bad one among good ones.
    pub fn parse(self) -> Result<Vec<RaftMessage>, BadMessage> {
        let mut entries = 0;
        let mut messages = Vec::with_capacity(self.messages.len());
        for bytes in self.messages {
            let message = RaftMessage::parse(bytes)?;
            entries += message.entries.len();
            if entries > ENTRIES_MAX {
                return Err(BadMessage::Elements(ENTRIES_MAX));
            }
            messages.push(message);
        }
        Ok(messages)
    }
}

impl PeerBody {
    /// The message with this body, as parts to send one after the other, in the version that both sides speak; a
    /// greeting has its own. Chunks are not copied.
    pub fn into_parts(self, version: u8) -> Vec<Bytes> {
        let mut writer = Writer::new();
        let version = if self.is_greeting() { GREETING_VERSION } else { version };
        writer.with(|bytes| bytes.put_u8(version));
        match self {
            PeerBody::Fetched(mut fetched) => {
                let length = fetched.encoded_len();
                let chunks = std::mem::take(&mut fetched.chunks);
                key(&mut writer, 8, length);
                write(&mut writer, &fetched);
                for chunk in &chunks {
                    key(&mut writer, 5, chunk.len());
                    writer.shared(chunk);
                }
            }
            body => write(&mut writer, &PeerMessage { body: Some(body) }),
        }
        writer.take()
    }
}

/// How many bytes a Raft message takes among others, at most.
pub fn raft_bytes(message: &RaftMessage) -> usize {
    message.encoded_len() + KEY_AND_LENGTH_BYTES_MAX
}

/// One message that carries all of `messages`, as parts, in the version that both sides speak. Payloads are not copied.
pub fn raft_parts(messages: &[RaftMessage], version: u8) -> Vec<Bytes> {
    let lengths: Vec<usize> = messages.iter().map(Message::encoded_len).collect();
    let body = lengths.iter().map(|length| 1 + prost::length_delimiter_len(*length) + length).sum();
    let mut writer = Writer::with_room(ROOM_BYTES_MAX.min(1 + body + KEY_AND_LENGTH_BYTES_MAX));
    writer.with(|bytes| bytes.put_u8(version));
    key(&mut writer, 3, body);
    for (message, length) in messages.iter().zip(lengths) {
        key(&mut writer, 1, length);
        write_raft(&mut writer, message);
    }
    writer.take()
}

/// The fields of a Raft message, the payloads of its entries by reference. Each is written last in its entry,
/// as its tag says.
fn write_raft(writer: &mut Writer, message: &RaftMessage) {
    write(writer, &RaftMessage { entries: Vec::new(), ..*message });
    for entry in &message.entries {
        key(writer, 13, entry.encoded_len());
        write(writer, &RaftEntry { payload: Bytes::new(), ..*entry });
        if !entry.payload.is_empty() {
            key(writer, 4, entry.payload.len());
            writer.shared(&entry.payload);
        }
    }
}

fn write(writer: &mut Writer, message: &impl Message) {
    writer.with(|bytes| message.encode(bytes).expect("a buffer grows"));
}

/// The key of a field of bytes, and its length.
fn key(writer: &mut Writer, tag: u32, length: usize) {
    writer.with(|bytes| {
        encode_key(tag, WireType::LengthDelimited, bytes);
        encode_varint(length as u64, bytes);
    });
}

/// Number and content of the one field that the message is.
fn only_body(mut bytes: &[u8]) -> Result<(u32, &[u8]), BadMessage> {
    let (number, wire_type) = decode_key(&mut bytes).map_err(BadMessage::Schema)?;
    if wire_type != WireType::LengthDelimited {
        return Err(BadMessage::NotOneBody);
    }
    let length = decode_varint(&mut bytes).map_err(BadMessage::Schema)?;
    if length == bytes.len() as u64 { Ok((number, bytes)) } else { Err(BadMessage::NotOneBody) }
}

/// Walks the top level without building anything; stops soon after `max`.
fn count_fields(mut bytes: &[u8], max: usize) -> Result<usize, prost::DecodeError> {
    let mut fields = 0;
    while bytes.has_remaining() && fields <= max {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        skip_field(wire_type, tag, &mut bytes, DecodeContext::default())?;
        fields += 1;
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::super::message::{Alive, Fetched, Hello, PROTOCOL_NEWEST as NEWEST};
    use super::*;
    use proptest::prelude::{any, prop};
    use proptest::{prop_assert, prop_assert_eq, proptest};

    fn joined(parts: Vec<Bytes>) -> Bytes {
        parts.concat().into()
    }

    fn append(payloads: Vec<Vec<u8>>) -> RaftMessage {
        let entry = |payload: Vec<u8>| RaftEntry { term: 3, kind: 1, wall: -1, payload: payload.into() };
        let entries = payloads.into_iter().map(entry).collect();
        RaftMessage { kind: 1, to: 5, from: 6, term: 3, read: Some(1), entries, ..RaftMessage::default() }
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_bad(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(PeerBody::Raft(raft)) = parse(bytes.into(), NEWEST) {
                let _ = raft.parse();
            }
        }

        #[test]
        fn packed_raft_messages_are_what_prost_would_write(
            batch in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..4), 0..4),
        ) {
            let messages: Vec<RaftMessage> = batch.into_iter().map(append).collect();
            let encoded = messages.iter().map(|message| Bytes::from(message.encode_to_vec())).collect();
            let whole = PeerMessage { body: Some(PeerBody::Raft(Raft { messages: encoded })) }.encode_to_vec();
            let bytes = joined(raft_parts(&messages, NEWEST));
            prop_assert_eq!(&bytes[..], &[&[NEWEST], &whole[..]].concat());
            prop_assert!(messages.iter().map(raft_bytes).sum::<usize>() + 12 >= whole.len());
            let Ok(PeerBody::Raft(raft)) = parse(bytes, NEWEST) else { panic!("it is a batch") };
            prop_assert_eq!(raft.parse(), Ok(messages));
        }

        #[test]
        fn fetched_chunks_are_what_prost_would_write(
            id in any::<u64>(),
            error in any::<i32>(),
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..4),
        ) {
            let chunks = chunks.into_iter().map(Bytes::from).collect();
            let body = PeerBody::Fetched(Fetched { id, error, log_end: -1, high_watermark: 7, chunks });
            let whole = PeerMessage { body: Some(body.clone()) }.encode_to_vec();
            let bytes = joined(body.clone().into_parts(NEWEST));
            prop_assert_eq!(&bytes[..], &[&[NEWEST], &whole[..]].concat());
            prop_assert_eq!(parse(bytes, NEWEST), Ok(body));
        }
    }

    #[test]
    fn large_payloads_are_neither_copied_out_nor_in() {
        let payload = Bytes::from(vec![1; 5000]);
        let entries = vec![RaftEntry { payload: payload.clone(), ..RaftEntry::default() }];
        let parts = raft_parts(&[RaftMessage { entries, ..RaftMessage::default() }], NEWEST);
        assert!(parts.iter().any(|part| part.as_ptr() == payload.as_ptr()));
        let bytes = joined(parts);
        let memory = bytes.as_ptr_range();
        let Ok(PeerBody::Raft(raft)) = parse(bytes.clone(), NEWEST) else { panic!("it is a batch") };
        let messages = raft.parse().expect("good");
        assert!(memory.contains(&messages[0].entries[0].payload.as_ptr()));
    }

    #[test]
    fn what_costs_more_memory_than_bytes_is_bad() {
        let mut bytes = vec![NEWEST, 0x22];
        prost::encode_length_delimiter(2 * (FIELDS_MAX + 1), &mut bytes).expect("a vector grows");
        bytes.extend([0x0a, 0].repeat(FIELDS_MAX + 1));
        assert_eq!(parse(bytes.into(), NEWEST), Err(BadMessage::Elements(FIELDS_MAX)));
    }

    #[test]
    fn no_body_two_bodies_and_unknown_bodies_are_bad() {
        let one = PeerBody::Alive(Alive::default()).into_parts(NEWEST).concat();
        // Field 2047, which is far from being given to a body.
        let unknown = vec![NEWEST, 0xfa, 0x7f, 0];
        for bytes in [vec![], [&one[..], &one[1..]].concat(), unknown, vec![NEWEST, 0x08, 1], vec![NEWEST]] {
            assert!(parse(bytes.clone().into(), NEWEST).is_err(), "{bytes:?}");
        }
        assert_eq!(parse(one.into(), NEWEST), Ok(PeerBody::Alive(Alive::default())));
    }

    #[test]
    fn what_this_build_does_not_read_is_refused_by_name() {
        let said = |body: PeerBody, version: u8| {
            let mut bytes = body.into_parts(NEWEST).concat();
            bytes[0] = version;
            parse(bytes.into(), NEWEST).expect_err("no such version").to_string()
        };
        let newer = said(PeerBody::Alive(Alive::default()), NEWEST + 1);
        assert_eq!(newer, "a peer message Alive in version 4; this build reads 3 to 3");
        let older = said(PeerBody::Alive(Alive::default()), PROTOCOL_OLDEST - 1);
        assert_eq!(older, "a peer message Alive in version 2; this build reads 3 to 3");
        let greeting = said(PeerBody::Hello(Hello::default()), NEWEST);
        assert_eq!(greeting, "a peer message Hello in version 3; this build reads 1 to 1");
        let unknown = parse(vec![NEWEST, 0xfa, 0x7f, 0].into(), NEWEST).expect_err("no such kind");
        assert_eq!(
            unknown.to_string(),
            "a peer message of kind 2047 in version 3; this build reads kinds 1 to 15"
        );
    }
}
