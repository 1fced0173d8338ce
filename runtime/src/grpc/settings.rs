//! Settings.

use super::call::Call;
use super::refusal;
use super::topics::send_to_controller;
use rust_mq_proto::grpc::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
};
use rust_mq_proto::translation::settings::{self, ALTER_CONFIGS, DESCRIBE_CONFIGS};
use std::sync::Arc;
use tonic::Status;

/// Tells settings.
pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeConfigsRequest,
) -> Result<DescribeConfigsResponse, Status> {
    let asked = settings::to_describe(request).map_err(refusal::misused)?;
    let answer = call.ask(DESCRIBE_CONFIGS, &asked).await?;
    settings::described(answer).map_err(refusal::status)
}

/// Changes settings.
pub(super) async fn alter(
    call: Arc<Call>,
    request: AlterConfigsRequest,
) -> Result<AlterConfigsResponse, Status> {
    let asked = settings::to_alter(request).map_err(refusal::misused)?;
    let mut answer = settings::altered(call.ask(ALTER_CONFIGS, &asked).await?);
    for changed in &mut answer.resources {
        send_to_controller(&call, &mut changed.error).await;
    }
    refusal::if_alone(answer.resources.iter().map(|changed| changed.error.as_ref()))?;
    Ok(answer)
}
