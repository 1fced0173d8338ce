//! One Kafka client's link: from an arbitrarily cut stream of bytes to whole requests, and from answers given
//! in any order to bytes that leave in the order the requests came.
//!
//! What arrives is cut by a `Stream` (four bytes of length, then a request), each request that is taken up gets
//! a [`Slot`], and the answers wait in `Slots` until all earlier ones have left. The broker drives it so:
//!
//! ```text
//! Opened    connections.opened(link, client, now)
//! Received  connections.received(link, bytes, now, budget); while let Some(request) = next_request(link) { .. }
//! Sent      connections.sent(link, bytes, now)
//! Closed    connections.closed(link, budget)
//! Woke      connections.woke(now, budget, actions)
//! a turn    first: while let Some(link) = next_ready() { while let Some(request) = next_request(link) { .. } }
//!           then the events; answer, silence or reject at any time;
//!           last: flush(now, budget, actions), which emits at most one `Send` a link
//! ```
//!
//! Requests are *pulled*, so that an answer given at once counts before the next request is taken up.
//!
//! Copies: a request that lies whole in one `Received` is a slice of it; one that spans reads is copied once,
//! into a buffer that grows with what has arrived (at most 16 times of it), never by the declared length. A slice
//! pins the buffer it was cut from: [`Request::buffer_bytes`] says how large that is, and whoever keeps a part
//! smaller than a quarter of it for long (a partition, a batch) copies that part.
//!
//! Invariants:
//! - unanswered bytes + credit <= max(`CONNECTION_REQUEST_BYTES_MAX`, one request of `REQUEST_BYTES_MAX`);
//! - unanswered requests <= `CONNECTION_REQUESTS_MAX`;
//! - a request is taken up only while the bytes that wait for the client <= `CONNECTION_UNREAD_BYTES_MAX`;
//! - credit <= `CONNECTION_CREDIT_BYTES`; bytes charged to the `Budget` == bytes arrived and unanswered;
//! - answers leave in slot order, each once.
//!
//! The budget is the node's, charged on arrival and given back with the answer. While it is used up nobody is
//! given credit; when there is room again the links that wait get it in turn, those in the middle of a request
//! first, because a whole request is what frees memory. Lest half requests hold all of it for ever, one link
//! at a time may finish its request over the budget: the excess is at most one request and the credit that was
//! out already. A link that holds nothing always has credit for a small request, `CONNECTION_CREDIT_BYTES_LEAST`:
//! half requests of others keep nobody from asking for metadata or records.
//!
//! Not here: what a request means (`api/`), TLS and limits by address (the driver).

mod budget;
mod connections;
mod link;
mod slots;
mod starved;
mod stream;
mod writers;

#[cfg(test)]
mod tests;

pub use budget::Budget;
pub use connections::{Connections, Request};
pub use link::Client;
pub use slots::Slot;
