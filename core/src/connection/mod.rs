//! One Kafka client's link: from an arbitrarily cut stream of bytes to whole requests, and from answers given
//! in any order to bytes that leave in the order the requests came.
//!
//! What arrives is cut by a `Stream` (four bytes of length, then a request), each request that is taken up gets
//! a [`Slot`], and the answers wait in `Slots` until all earlier ones have left. The broker drives it so:
//!
//! ```text
//! Opened    connections.opened(link, client, now, budget)
//! Received  connections.received(link, bytes, now, budget); while let Some(request) = next_request(link) { .. }
//! Sent      connections.sent(link, bytes, now, budget)
//! Closed    connections.closed(link, budget)
//! Woke      connections.woke(now, budget, actions)
//! a turn    first: while let Some(link) = next_ready(budget) { while let Some(request) = next_request(..) { .. } }
//!           then the events; answer, silence or reject at any time;
//!           last: flush(now, budget, actions), which emits at most one `Send` a link
//! ```
//!
//! Requests are *pulled*, so that an answer given at once counts before the next request is taken up.
//!
//! Copies: a request that lies whole in one `Received` is a slice of it; one that spans reads is copied once,
//! into a buffer that grows with what has arrived (at most 16 times of it), never by the declared length. A slice
//! pins the buffer it was cut from: [`Request::buffer_bytes`] says how large that is, and whoever keeps a part
//! for long (a partition, a batch) copies it unless it is most of that.
//!
//! Invariants:
//! - unanswered bytes + credit <= max(`CONNECTION_REQUEST_BYTES_MAX`, one request of `Budget::request_bytes_max`);
//! - unanswered requests <= `CONNECTION_REQUESTS_MAX`;
//! - a request is taken up only while the bytes that wait for the client <= `CONNECTION_UNREAD_BYTES_MAX`, and while the
//!   budget has room for work;
//! - credit <= `CONNECTION_CREDIT_BYTES`; what is charged to the `Budget` == bytes arrived and unanswered, credit beyond
//!   the least of each link, and bytes of answers that the driver has not sent;
//! - memory of what waits to be taken up <= twice its bytes, once a turn is over;
//! - answers leave in slot order, each once.
//!
//! The budget is the node's. Credit is charged when it is given, so that what has arrived never surprises; with the
//! bytes it becomes a request's charge, and with the answer the answer's, until the client has taken that. While the
//! budget has no room nobody is given credit; when it has again, the links that wait get it in turn, those in the
//! middle of a request first, because a whole request is what frees memory. Lest half requests hold all of it for ever,
//! one link at a time may finish its request over the budget. A link that holds nothing always has credit for a small
//! request, `Budget::least_credit_bytes`: half requests of others keep nobody from asking for metadata or records.
//! Where credit becomes scarce, that is all that an idle link has, and more comes with the beginning of a request.
//!
//! A link that is slow is not ended for it, unless others lack what it holds, or links are very many.
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

pub use budget::{Budget, PURPOSES, Purpose, request_bytes_max};
pub use connections::{Connections, Request};
pub use link::Client;
pub use slots::Slot;
