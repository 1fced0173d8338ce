//! Kafka's APIs: one handler file each, named as in `proto/src/kafka/api`. A handler reads the request, asks the
//! node, and answers at once or parks what it still needs at the desk.
//!
//! ```text
//! desk      takes requests up, keeps those that wait, answers them        origin   who asks, how the answer is written
//! waiting   what waits, and how each kind ends when nothing comes of it   early    what came before the node is open
//! ```
//!
//! A request costs no more than n log n in its size: what it names it names once (`named`), what is decompressed for it
//! is bounded (`allowance`), and whoever waits is found by what it waits for. `rust-mq-bench instructions` attacks
//! this.
//!
//! To serve another API: describe it in `proto`, write its file here, add its arm to `handle`.
//!
//! Sources: reliability of answers to unparsable requests is Kafka's own: the link is closed without one
//! (`Processor.parseRequestHeader`), ApiVersions excepted (KIP-511).

mod addresses;
mod allowance;
mod api_versions;
mod create_topics;
mod delete_topics;
mod describe_cluster;
mod desk;
mod early;
mod fetch;
mod fetch_partition;
mod init_producer_id;
mod leaders;
mod list_offsets;
mod metadata;
mod named;
mod offset_for_leader_epoch;
mod operations;
mod origin;
mod produce;
mod waiting;

pub use desk::Desk;

use crate::node::Node;
use crate::now::Now;
use origin::Origin;
use rust_mq_proto::kafka::api::RequestBody;

/// Does what a request asks: each API has its file. The error ends the link.
fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    body: RequestBody,
) -> Result<(), String> {
    match body {
        RequestBody::Produce(request) => produce::handle(desk, node, now, origin, request),
        RequestBody::Fetch(request) => return fetch::handle(desk, node, now, origin, request),
        RequestBody::ListOffsets(request) => list_offsets::handle(desk, node, now, origin, request),
        RequestBody::Metadata(request) => return metadata::handle(desk, node, now, origin, request),
        RequestBody::ApiVersions(request) => api_versions::handle(desk, node, origin, &request),
        RequestBody::CreateTopics(request) => create_topics::handle(desk, node, now, origin, request),
        RequestBody::DeleteTopics(request) => delete_topics::handle(desk, node, now, origin, request),
        RequestBody::InitProducerId(request) => init_producer_id::handle(desk, node, now, origin, &request),
        RequestBody::OffsetForLeaderEpoch(request) => {
            offset_for_leader_epoch::handle(desk, node, origin, request)
        }
        RequestBody::DescribeCluster(request) => describe_cluster::handle(desk, node, origin, &request),
    }
    Ok(())
}
