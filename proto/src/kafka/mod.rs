//! Kafka's wire language: requests and responses as plain structs, and their bytes.
//!
//! An API is one description (`api/produce.rs` and its sisters), written nearly as Kafka's own message
//! schemas are; `grammar` turns it into structs, a decoder and an encoder for both directions, and a row of the API
//! table, which is data ([`schema`]). The broker decodes requests and encodes responses; the simulator and the tests are
//! clients and do the opposite with the same code.
//!
//! ```text
//! socket -> BytesMut -> Reader -> RequestStart, client id -> ProduceRequest      (records: split off, not copied)
//! FetchResponse -> write_response -> Writer -> take() -> Vec<Bytes> -> socket    (records: shared, not copied)
//! ```
//!
//! Invariants:
//! - memory taken by a decoder <= the budget its [`Reader`] was given, whatever the bytes say;
//! - every length <= the bytes that remain, checked before memory is taken;
//! - no bytes make a decoder panic;
//! - `decode(encode(x)) == x` for every `x` whose fields exist in the version.
//!
//! Not here: what a request means (the broker's handlers), cutting a stream into messages (its connections),
//! what is inside `records` (the sibling room `records`).
//!
//! Sources: Kafka's message schemas (`clients/src/main/resources/common/message`), KIP-482 (flexible
//! versions and tagged fields), KIP-511 (ApiVersions), KIP-896 (which versions are gone).

pub mod api;
mod chain;
mod error;
mod error_code;
mod grammar;
mod message;
mod reader;
pub mod sample;
pub mod schema;
pub mod wire;
mod writer;

pub use chain::Chain;
pub use error::WireError;
pub use error_code::ErrorCode;
pub use message::{
    CLIENT_ID_BYTES_MAX, Request, RequestStart, Response, read_response_start, write_request, write_response,
};
pub use reader::{Reader, Tag, Tags};
pub use writer::{SHARED_BYTES_MIN, TagSection, Writer};
