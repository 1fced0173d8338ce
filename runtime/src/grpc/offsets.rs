//! How far groups have come.

use super::call::Call;
use super::groups::{if_refused, send_to_coordinator};
use super::refusal;
use rust_mq_proto::grpc::{
    CommitOffsetRequest, CommitOffsetResponse, DeleteOffsetRequest, DeleteOffsetResponse, FetchOffsetRequest,
    FetchOffsetResponse,
};
use rust_mq_proto::translation::offsets::{self, OFFSET_COMMIT, OFFSET_DELETE, OFFSET_FETCH};
use std::sync::Arc;
use tonic::Status;

/// Keeps offsets.
pub(super) async fn commit(
    call: Arc<Call>,
    request: CommitOffsetRequest,
) -> Result<CommitOffsetResponse, Status> {
    let asked = offsets::to_commit(request).map_err(refusal::misused)?;
    let mut answer = offsets::committed(call.ask(OFFSET_COMMIT, &asked).await?);
    // All of them have the same coordinator.
    let mut coordinator = None;
    for part in &mut answer.partitions {
        let Some(error) = &mut part.error else { continue };
        match &coordinator {
            None => {
                send_to_coordinator(&call, &asked.group_id, error).await;
                coordinator.clone_from(&error.leader);
            }
            known => error.leader.clone_from(known),
        }
    }
    refusal::if_alone(answer.partitions.iter().map(|part| part.error.as_ref()))?;
    Ok(answer)
}

/// Tells offsets.
pub(super) async fn fetch(
    call: Arc<Call>,
    request: FetchOffsetRequest,
) -> Result<FetchOffsetResponse, Status> {
    let group = request.group_id.clone();
    let asked = offsets::to_fetch(request);
    let answer = call.ask(OFFSET_FETCH, &asked).await?;
    if_refused(&call, &group, offsets::fetched(&asked, answer)).await
}

/// Forgets offsets.
pub(super) async fn forget(
    call: Arc<Call>,
    request: DeleteOffsetRequest,
) -> Result<DeleteOffsetResponse, Status> {
    let asked = offsets::to_forget(request).map_err(refusal::misused)?;
    let answer = call.ask(OFFSET_DELETE, &asked).await?;
    if_refused(&call, &asked.group_id, offsets::forgotten(answer)).await
}
