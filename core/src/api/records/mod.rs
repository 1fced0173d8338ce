//! Records: what is written, read, looked up and deleted in a partition's log, and the ids that producers write under.

mod allowance;
pub(super) mod delete_records;
mod describe_producers;
mod emptied;
pub(super) mod fetch;
mod fetch_answer;
mod fetch_partition;
pub(super) mod init_producer_id;
pub(super) mod list_offsets;
mod offset_for_leader_epoch;
pub(super) mod produce;

use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::api::RequestBody;

/// Does what one of these requests asks. The error ends the link.
pub(super) fn dispatch(
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
        RequestBody::OffsetForLeaderEpoch(request) => {
            offset_for_leader_epoch::handle(desk, node, origin, request)
        }
        RequestBody::InitProducerId(request) => init_producer_id::handle(desk, node, now, origin, &request),
        RequestBody::DeleteRecords(request) => delete_records::handle(desk, node, now, origin, request),
        RequestBody::DescribeProducers(request) => describe_producers::handle(desk, node, origin, request),
        _ => unreachable!("the table of families sends only these here"),
    }
    Ok(())
}
