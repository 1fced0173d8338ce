//! InitProducerId: an identity for an idempotent producer (KIP-98). Ids come in blocks from the metadata leader;
//! this node hands them out one by one and asks for the next block when one is used up.
//!
//! A transactional id is refused: transactions are not served, and FindCoordinator, which every client sends
//! before it, is not advertised.
//!
//! Invariant: an id is handed out once (`producer_ids`).

use crate::api::Waiting;
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::limits::{DECISION_AWAITED_MAX, PRODUCER_ID_AWAITED_MAX};
use crate::metadata::{Reply, Request};
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

pub(in crate::api) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: &InitProducerIdRequest,
) {
    if request.transactional_id.is_some() {
        return refuse(desk, node, origin, ErrorCode::UnsupportedVersion);
    }
    // An identity to go on from is both or neither (KIP-360).
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return refuse(desk, node, origin, ErrorCode::InvalidRequest);
    }
    let waiter = desk.waiter();
    desk.producer_ids.waiting.push_back(waiter);
    desk.wait(now, waiter, now.mono + PRODUCER_ID_AWAITED_MAX, Waiting::ProducerId(origin));
    serve(desk, node, now);
}

pub(in crate::api) fn replied(desk: &mut Desk, node: &mut Node, now: Now, reply: &Reply) {
    desk.producer_ids.is_asked = false;
    if let Reply::ProducerIds { first, next } = reply
        && first <= next
    {
        (desk.producer_ids.next, desk.producer_ids.end) = (*first, *next);
        return serve(desk, node, now);
    }
    // No leader to ask.
    for waiter in std::mem::take(&mut desk.producer_ids.waiting) {
        if let Some(Waiting::ProducerId(origin)) = desk.take_out(waiter) {
            in_vain(desk, node, origin);
        }
    }
}

/// There is no id for it. Kafka's own code where no block of ids is there yet: for "coordinator not available" Java and
/// kafka-python look for a coordinator, which an idempotent producer has none of, and end for good.
pub(in crate::api) fn in_vain(desk: &mut Desk, node: &mut Node, origin: Origin) {
    refuse(desk, node, origin, ErrorCode::CoordinatorLoadInProgress);
}

/// Nobody has told which ids are next: whoever asks now asks anew.
pub(in crate::api) fn not_told(desk: &mut Desk) {
    desk.producer_ids.is_asked = false;
}

fn serve(desk: &mut Desk, node: &mut Node, now: Now) {
    assert!(desk.producer_ids.next <= desk.producer_ids.end, "no id is handed out beyond the block");
    while desk.producer_ids.next < desk.producer_ids.end
        && let Some(waiter) = desk.producer_ids.waiting.pop_front()
    {
        let Some(Waiting::ProducerId(origin)) = desk.take_out(waiter) else { continue };
        let producer_id = desk.producer_ids.next;
        desk.producer_ids.next += 1;
        desk.answer(node, origin, &InitProducerIdResponse { producer_id, ..Default::default() });
    }
    if !desk.producer_ids.waiting.is_empty() && !desk.producer_ids.is_asked {
        desk.producer_ids.is_asked = true;
        let waiter = desk.waiter();
        desk.wait(now, waiter, now.mono + DECISION_AWAITED_MAX, Waiting::ProducerIds);
        node.ask(now, waiter, Request::ProducerIds);
    }
}

fn refuse(desk: &mut Desk, node: &mut Node, origin: Origin, code: ErrorCode) {
    let response =
        InitProducerIdResponse { error_code: code.code(), producer_epoch: -1, ..Default::default() };
    desk.answer(node, origin, &response);
}
