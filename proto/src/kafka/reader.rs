//! Reads one message. It owns the bytes, so that records can be split off without a copy and still be
//! written to; and it owns the budget, so that no decoder has to remember it.
//!
//! Invariants: `position <= message.len()`; memory taken for decoded values <= the budget given.
//! Every length is checked against what remains before memory is taken for it (CVE-2022-34917).
//!
//! `is_flexible` says which of Kafka's two spellings of a length is read (KIP-482): fixed width with -1
//! for null, or a varint of length + 1 with 0 for null.

use super::error::WireError;
use bytes::{Buf, BytesMut};

/// A message and how far it has been read.
#[derive(Debug)]
pub struct Reader {
    message: BytesMut,
    position: usize,
    budget_bytes: usize,
}

/// The tagged fields at the end of a struct, while they are read.
#[derive(Debug)]
pub struct Tags {
    left: u32,
    previous: Option<u32>,
}

/// The start of one tagged field.
#[derive(Clone, Copy, Debug)]
pub struct Tag {
    /// Which field.
    pub number: u32,
    /// Length of its value.
    pub bytes: usize,
    remaining_after: usize,
}

impl Reader {
    /// Reads `message` (without the length before it), taking at most `budget_bytes` of memory for decoded
    /// values: decoded is up to 50 times as large as its bytes.
    pub fn new(message: BytesMut, budget_bytes: usize) -> Reader {
        Reader { message, position: 0, budget_bytes }
    }

    /// Bytes not read yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.message.len() - self.position
    }

    /// What is left of the budget.
    pub fn budget_left_bytes(&self) -> usize {
        self.budget_bytes
    }

    /// Refuses bytes that nobody has read.
    pub fn finish(&self) -> Result<(), WireError> {
        match self.remaining() {
            0 => Ok(()),
            remaining => Err(WireError::TrailingBytes(remaining)),
        }
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let array = *self.unread().first_chunk::<N>().ok_or_else(|| self.truncated(N))?;
        self.position += N;
        Ok(array)
    }

    /// An unsigned varint of at most 32 bits.
    #[inline]
    pub fn varint(&mut self) -> Result<u32, WireError> {
        let [first] = self.array::<1>()?;
        if first < 0x80 { Ok(u32::from(first)) } else { self.long_varint(first) }
    }

    fn long_varint(&mut self, first: u8) -> Result<u32, WireError> {
        let mut value = u32::from(first & 0x7f);
        for shift in [7, 14, 21] {
            let [byte] = self.array::<1>()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        // The fifth byte has four bits left to fill.
        match self.array::<1>()? {
            [byte @ 0..=0x0f] => Ok(value | u32::from(byte) << 28),
            _ => Err(WireError::VarintTooLong),
        }
    }

    /// The length of a string, checked against what remains; `None` is null.
    #[inline]
    pub fn string_length(&mut self, is_flexible: bool) -> Result<Option<usize>, WireError> {
        let length = if is_flexible {
            length_of_varint(self.varint()?)
        } else {
            length_of_number(i32::from(i16::from_be_bytes(self.array()?)))?
        };
        self.check_length(length)
    }

    /// The length of bytes or records, checked against what remains; `None` is null.
    #[inline]
    pub fn bytes_length(&mut self, is_flexible: bool) -> Result<Option<usize>, WireError> {
        let length = self.length(is_flexible)?;
        self.check_length(length)
    }

    /// The number of an array's elements, of which each takes at least `element_bytes` of the message and
    /// exactly `element_memory_bytes` of memory, which is charged; `None` is null.
    #[inline]
    pub fn array_count(
        &mut self,
        is_flexible: bool,
        element_bytes: usize,
        element_memory_bytes: usize,
    ) -> Result<Option<usize>, WireError> {
        let Some(count) = self.length(is_flexible)? else { return Ok(None) };
        let remaining = self.remaining();
        if count > remaining / element_bytes.max(1) {
            return Err(WireError::TooManyElements { count, element_bytes, remaining });
        }
        self.charge(count.saturating_mul(element_memory_bytes))?;
        Ok(Some(count))
    }

    /// The next `length` bytes as text. `length` came from [`Reader::string_length`]; the memory is charged.
    #[inline]
    pub fn text(&mut self, length: usize) -> Result<String, WireError> {
        self.charge(length)?;
        let bytes = self.slice(length)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| WireError::NotUtf8)
    }

    /// The next `length` bytes, looked at in place.
    #[inline]
    pub fn slice(&mut self, length: usize) -> Result<&[u8], WireError> {
        if length > self.remaining() {
            return Err(self.truncated(length));
        }
        let start = self.position;
        self.position += length;
        Ok(&self.message[start..self.position])
    }

    /// The next `length` bytes, taken out of the message without a copy: nobody else can see them, so that
    /// they can be written to.
    pub fn split(&mut self, length: usize) -> Result<BytesMut, WireError> {
        if length > self.remaining() {
            return Err(self.truncated(length));
        }
        let mut bytes = self.message.split_to(self.position + length);
        bytes.advance(self.position);
        self.position = 0;
        Ok(bytes)
    }

    /// Passes over `length` bytes.
    #[inline]
    pub fn skip(&mut self, length: usize) -> Result<(), WireError> {
        self.slice(length).map(|_| ())
    }

    /// Takes memory from the budget.
    #[inline]
    pub fn charge(&mut self, bytes: usize) -> Result<(), WireError> {
        match self.budget_bytes.checked_sub(bytes) {
            Some(left) => self.budget_bytes = left,
            None => return Err(WireError::OverBudget { needed: bytes, left: self.budget_bytes }),
        }
        Ok(())
    }

    /// Opens the tagged fields at the end of a struct.
    #[inline]
    pub fn tags(&mut self) -> Result<Tags, WireError> {
        Ok(Tags { left: self.varint()?, previous: None })
    }

    /// Passes over tagged fields of which none is known.
    #[inline]
    pub fn skip_tags(&mut self) -> Result<(), WireError> {
        let mut tags = self.tags()?;
        while let Some(tag) = tags.next(self)? {
            self.skip(tag.bytes)?;
        }
        Ok(())
    }

    #[inline]
    fn length(&mut self, is_flexible: bool) -> Result<Option<usize>, WireError> {
        if is_flexible {
            Ok(length_of_varint(self.varint()?))
        } else {
            length_of_number(i32::from_be_bytes(self.array()?))
        }
    }

    #[inline]
    fn check_length(&self, length: Option<usize>) -> Result<Option<usize>, WireError> {
        match length {
            Some(length) if length > self.remaining() => Err(self.truncated(length)),
            length => Ok(length),
        }
    }

    #[inline]
    fn unread(&self) -> &[u8] {
        &self.message[self.position..]
    }

    #[cold]
    fn truncated(&self, needed: usize) -> WireError {
        WireError::Truncated { needed, remaining: self.remaining() }
    }
}

impl Tags {
    /// The next field's start, after which its value or a skip must come. Tags rise strictly, so that their
    /// number is bounded by the message and none comes twice.
    #[inline]
    pub fn next(&mut self, reader: &mut Reader) -> Result<Option<Tag>, WireError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let number = reader.varint()?;
        if let Some(previous) = self.previous.filter(|previous| *previous >= number) {
            return Err(WireError::TagOrder { tag: number, previous });
        }
        self.previous = Some(number);
        let bytes = reader.varint()? as usize;
        let remaining = reader.remaining();
        match remaining.checked_sub(bytes) {
            Some(remaining_after) => Ok(Some(Tag { number, bytes, remaining_after })),
            None => Err(WireError::Truncated { needed: bytes, remaining }),
        }
    }
}

impl Tag {
    /// Refuses a value that did not fill its field, or left it.
    #[inline]
    pub fn finish(&self, reader: &Reader) -> Result<(), WireError> {
        if reader.remaining() == self.remaining_after {
            Ok(())
        } else {
            Err(WireError::TagLength { tag: self.number })
        }
    }
}

#[inline]
fn length_of_varint(number: u32) -> Option<usize> {
    number.checked_sub(1).map(|length| length as usize)
}

#[inline]
fn length_of_number(number: i32) -> Result<Option<usize>, WireError> {
    match usize::try_from(number) {
        Ok(length) => Ok(Some(length)),
        Err(_) if number == -1 => Ok(None),
        Err(_) => Err(WireError::NegativeLength(number)),
    }
}
