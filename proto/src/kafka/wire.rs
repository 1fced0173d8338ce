//! What a field of a message can be, and how each kind of value is read and written.
//!
//! The Rust type in a description *is* Kafka's type:
//! ```text
//! bool i8 i16 u16 i32 i64 f64   bool int8 int16 uint16 int32 int64 float64
//! [u8; 16]                      uuid
//! String                        string
//! Bytes                         bytes
//! BytesMut                      records in a request: taken out of the message, may be written to
//! Chain                         records in a response: shared, never copied
//! Vec<T>                        []T
//! Option<T>                     T, nullable
//! ```
//! Not here: structs; the `api!` macro of `grammar` writes their `Wire`.

use super::chain::Chain;
use super::error::WireError;
use super::reader::Reader;
use super::schema::{Kind, Version};
use super::writer::Writer;
use bytes::{Bytes, BytesMut};

/// A value that can stand in a message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no type of Kafka's wire",
    note = "see the table at the head of `kafka/wire.rs`; `Option` is for strings, bytes, arrays and structs"
)]
pub trait Wire: Sized {
    /// Kafka's name for it, as data.
    const KIND: &'static Kind;
    /// Whether it is an `Option`.
    const CAN_BE_NULL: bool = false;

    /// Kafka's default where the description names none: zero or empty, and not null for what can be null.
    fn unset() -> Self;

    /// The fewest bytes that a value takes.
    fn bytes_min(at: Version) -> usize;

    /// Reads a value.
    fn read(reader: &mut Reader, at: Version) -> Result<Self, WireError>;

    /// Writes the value.
    fn write(&self, writer: &mut Writer, at: Version);
}

/// A value that has a null beside it. As written here it is a struct's: a byte before it, -1 or 1.
#[diagnostic::on_unimplemented(message = "`{Self}` has no null on Kafka's wire, so it cannot be an `Option`")]
pub trait MayBeNull: Wire {
    /// The fewest bytes of a value or a null.
    fn null_bytes_min(_at: Version) -> usize {
        1
    }

    /// Reads a value or a null.
    fn read_nullable(reader: &mut Reader, at: Version) -> Result<Option<Self>, WireError> {
        if i8::read(reader, at)? < 0 { Ok(None) } else { Self::read(reader, at).map(Some) }
    }

    /// Writes a value or a null.
    fn write_nullable(value: Option<&Self>, writer: &mut Writer, at: Version) {
        match value {
            Some(value) => {
                1i8.write(writer, at);
                value.write(writer, at);
            }
            None => (-1i8).write(writer, at),
        }
    }
}

/// An `Option` in a version that has no null for it.
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be null: `nullable` is for an `Option`")]
pub trait Nullable: Wire {
    /// Reads a value.
    fn read_present(reader: &mut Reader, at: Version) -> Result<Self, WireError>;

    /// Writes the value; in place of a null what is empty.
    fn write_present(&self, writer: &mut Writer, at: Version);
}

macro_rules! number {
    ($($type:ty, $kind:ident;)+) => { $(
        impl Wire for $type {
            const KIND: &'static Kind = &Kind::$kind;

            #[inline]
            fn unset() -> Self {
                Self::default()
            }

            #[inline]
            fn bytes_min(_at: Version) -> usize {
                size_of::<Self>()
            }

            #[inline]
            fn read(reader: &mut Reader, _at: Version) -> Result<Self, WireError> {
                reader.array().map(Self::from_be_bytes)
            }

            #[inline]
            fn write(&self, writer: &mut Writer, _at: Version) {
                writer.bytes(&self.to_be_bytes());
            }
        }
    )+ };
}

number! {
    i8, Int8;
    i16, Int16;
    u16, Uint16;
    i32, Int32;
    i64, Int64;
    f64, Float64;
}

impl Wire for bool {
    const KIND: &'static Kind = &Kind::Bool;

    #[inline]
    fn unset() -> bool {
        false
    }

    #[inline]
    fn bytes_min(_at: Version) -> usize {
        1
    }

    #[inline]
    fn read(reader: &mut Reader, _at: Version) -> Result<bool, WireError> {
        // Any other number than 0 is true, as Kafka reads it.
        reader.array().map(|[byte]| byte != 0)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _at: Version) {
        writer.bytes(&[u8::from(*self)]);
    }
}

impl Wire for [u8; 16] {
    const KIND: &'static Kind = &Kind::Uuid;

    #[inline]
    fn unset() -> [u8; 16] {
        [0; 16]
    }

    #[inline]
    fn bytes_min(_at: Version) -> usize {
        16
    }

    #[inline]
    fn read(reader: &mut Reader, _at: Version) -> Result<[u8; 16], WireError> {
        reader.array()
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _at: Version) {
        writer.bytes(self);
    }
}

/// The rest of what begins with a length, of which a null is a special one.
macro_rules! begins_with_length {
    ($type:ty $(, $element:ident)?; $kind:expr; $fixed_bytes:literal) => {
        impl $(<$element: Wire>)? Wire for $type {
            const KIND: &'static Kind = $kind;

            #[inline]
            fn unset() -> Self {
                Self::default()
            }

            #[inline]
            fn bytes_min(at: Version) -> usize {
                if at.is_flexible { 1 } else { $fixed_bytes }
            }

            #[inline]
            fn read(reader: &mut Reader, at: Version) -> Result<Self, WireError> {
                Self::read_nullable(reader, at)?.ok_or(WireError::Null)
            }

            #[inline]
            fn write(&self, writer: &mut Writer, at: Version) {
                Self::write_nullable(Some(self), writer, at);
            }
        }
    };
}

begins_with_length!(String; &Kind::String; 2);
begins_with_length!(Bytes; &Kind::Bytes; 4);
begins_with_length!(BytesMut; &Kind::Records; 4);
begins_with_length!(Chain; &Kind::Records; 4);
begins_with_length!(Vec<T>, T; &Kind::Array(T::KIND); 4);

impl MayBeNull for String {
    fn null_bytes_min(at: Version) -> usize {
        Self::bytes_min(at)
    }

    #[inline]
    fn read_nullable(reader: &mut Reader, at: Version) -> Result<Option<String>, WireError> {
        match reader.string_length(at.is_flexible)? {
            Some(length) => reader.text(length).map(Some),
            None => Ok(None),
        }
    }

    #[inline]
    fn write_nullable(value: Option<&String>, writer: &mut Writer, at: Version) {
        writer.text(at.is_flexible, value.map(String::as_str));
    }
}

impl MayBeNull for BytesMut {
    fn null_bytes_min(at: Version) -> usize {
        Self::bytes_min(at)
    }

    #[inline]
    fn read_nullable(reader: &mut Reader, at: Version) -> Result<Option<BytesMut>, WireError> {
        match reader.bytes_length(at.is_flexible)? {
            Some(length) => reader.split(length).map(Some),
            None => Ok(None),
        }
    }

    #[inline]
    fn write_nullable(value: Option<&BytesMut>, writer: &mut Writer, at: Version) {
        writer.length(at.is_flexible, value.map(BytesMut::len));
        value.into_iter().for_each(|bytes| writer.bytes(bytes));
    }
}

impl MayBeNull for Bytes {
    fn null_bytes_min(at: Version) -> usize {
        Self::bytes_min(at)
    }

    #[inline]
    fn read_nullable(reader: &mut Reader, at: Version) -> Result<Option<Bytes>, WireError> {
        Ok(BytesMut::read_nullable(reader, at)?.map(BytesMut::freeze))
    }

    #[inline]
    fn write_nullable(value: Option<&Bytes>, writer: &mut Writer, at: Version) {
        writer.length(at.is_flexible, value.map(Bytes::len));
        value.into_iter().for_each(|bytes| writer.bytes(bytes));
    }
}

impl MayBeNull for Chain {
    fn null_bytes_min(at: Version) -> usize {
        Self::bytes_min(at)
    }

    #[inline]
    fn read_nullable(reader: &mut Reader, at: Version) -> Result<Option<Chain>, WireError> {
        Ok(Bytes::read_nullable(reader, at)?.map(Chain::from))
    }

    #[inline]
    fn write_nullable(value: Option<&Chain>, writer: &mut Writer, at: Version) {
        writer.length(at.is_flexible, value.map(Chain::len));
        value.into_iter().for_each(|chain| writer.chain(chain));
    }
}

impl<T: Wire> MayBeNull for Vec<T> {
    fn null_bytes_min(at: Version) -> usize {
        Self::bytes_min(at)
    }

    #[inline]
    fn read_nullable(reader: &mut Reader, at: Version) -> Result<Option<Vec<T>>, WireError> {
        let count = reader.array_count(at.is_flexible, T::bytes_min(at), size_of::<T>())?;
        let Some(count) = count else { return Ok(None) };
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::read(reader, at)?);
        }
        Ok(Some(elements))
    }

    #[inline]
    fn write_nullable(value: Option<&Vec<T>>, writer: &mut Writer, at: Version) {
        writer.length(at.is_flexible, value.map(Vec::len));
        value.into_iter().flatten().for_each(|element| element.write(writer, at));
    }
}

impl<T: MayBeNull> Wire for Option<T> {
    const KIND: &'static Kind = T::KIND;
    const CAN_BE_NULL: bool = true;

    #[inline]
    fn unset() -> Option<T> {
        Some(T::unset())
    }

    #[inline]
    fn bytes_min(at: Version) -> usize {
        T::null_bytes_min(at)
    }

    #[inline]
    fn read(reader: &mut Reader, at: Version) -> Result<Option<T>, WireError> {
        T::read_nullable(reader, at)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, at: Version) {
        T::write_nullable(self.as_ref(), writer, at);
    }
}

impl<T: MayBeNull> Nullable for Option<T> {
    #[inline]
    fn read_present(reader: &mut Reader, at: Version) -> Result<Option<T>, WireError> {
        T::read(reader, at).map(Some)
    }

    #[inline]
    fn write_present(&self, writer: &mut Writer, at: Version) {
        match self {
            Some(value) => value.write(writer, at),
            None => T::unset().write(writer, at),
        }
    }
}
