//! Why bytes are not a message. Every reason ends the same way: the connection is closed without an
//! answer, as Kafka does; the words are for the log.

use thiserror::Error;

/// What was wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// A value, or a length, reaches beyond the message.
    #[error("{needed} bytes are needed and {remaining} remain")]
    Truncated {
        /// Bytes that the value takes.
        needed: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// A length below -1.
    #[error("the length {0} is negative")]
    NegativeLength(i32),
    /// A null where this version has none.
    #[error("a null where none is allowed")]
    Null,
    /// A varint of more than five bytes, or beyond 32 bits.
    #[error("a varint does not fit 32 bits")]
    VarintTooLong,
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// An array whose elements cannot all be there.
    #[error("{count} elements of at least {element_bytes} bytes cannot lie in {remaining} bytes")]
    TooManyElements {
        /// What the array claims.
        count: usize,
        /// The fewest bytes one element takes.
        element_bytes: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// Decoding would take more memory than the reader may use.
    #[error("decoding takes {needed} more bytes of memory and {left} are left")]
    OverBudget {
        /// What the next value takes.
        needed: usize,
        /// What is left of the budget.
        left: usize,
    },
    /// A tag that does not rise above the one before it (KIP-482).
    #[error("tag {tag} follows tag {previous}")]
    TagOrder {
        /// The offender.
        tag: u32,
        /// The one before.
        previous: u32,
    },
    /// A tagged field that is longer or shorter than its value.
    #[error("tagged field {tag} has another length than its value")]
    TagLength {
        /// Which.
        tag: u32,
    },
    /// Bytes after the end of the body.
    #[error("{0} bytes follow the body")]
    TrailingBytes(usize),
    /// An API key that is not served.
    #[error("the API key {0} is unknown")]
    UnknownApi(i16),
    /// A version that is not served.
    #[error("version {version} of API {key} is not served")]
    UnsupportedVersion {
        /// The API's key.
        key: i16,
        /// The version asked for.
        version: i16,
    },
}
