//! Where a request came from, and how its answer is written.

use crate::connection::Slot;
use crate::ids::LinkId;
use crate::now::Mono;
use rust_mq_proto::kafka::api::ApiKey;

/// Who asks, in which place of its order, and in which format the answer goes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub caller: Caller,
    pub slot: Slot,
    pub format: Format,
    /// What it asks for.
    pub key: ApiKey,
    /// When it was taken up.
    pub taken: Mono,
    /// Size of the buffer that the request came in: what keeps a part of the request keeps all of it.
    pub buffer_bytes: usize,
    /// What is charged for it while it is at the desk.
    pub held_bytes: usize,
}

/// Who asks: what else is known of him, `connection` knows by the link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub link: LinkId,
}

/// How an answer is written: as a response of Kafka's protocol in the version that was asked in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub version: i16,
    pub correlation_id: i32,
}
