//! Topics: which there are, made, made wider and deleted.

pub(super) mod create_partitions;
pub(super) mod create_topics;
pub(super) mod delete_topics;
pub(super) mod describe_topic_partitions;
pub(super) mod metadata;

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
        RequestBody::Metadata(request) => return metadata::handle(desk, node, now, origin, request),
        RequestBody::CreateTopics(request) => create_topics::handle(desk, node, now, origin, request),
        RequestBody::DeleteTopics(request) => delete_topics::handle(desk, node, now, origin, request),
        RequestBody::CreatePartitions(request) => create_partitions::handle(desk, node, now, origin, request),
        RequestBody::DescribeTopicPartitions(request) => {
            describe_topic_partitions::handle(desk, node, origin, request);
        }
        _ => unreachable!("the table of families sends only these here"),
    }
    Ok(())
}
