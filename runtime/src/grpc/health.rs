//! gRPC's own health protocol, and reflection: what a tool asks before it calls anything.
//!
//! A node is as healthy as the core says when it is asked (`Question::Health`). Who watches is asked for once a second.

use super::arriving::Arriving;
use super::call::Call;
use super::framing::{Answers, Asked};
use crate::limits::GRPC_WATCH_EVERY;
use crate::questions::Questions;
use rust_mq_core::action::Answer;
use rust_mq_core::event::Question;
use rust_mq_proto::grpc::DESCRIPTORS;
use rust_mq_proto::grpc::health::health_check_response::ServingStatus;
use rust_mq_proto::grpc::health::{HealthCheckRequest, HealthCheckResponse};
use std::sync::{Arc, LazyLock};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic_reflection::server::Builder;

/// The services whose health is known: the node as a whole, and what it serves.
const KNOWN: [&str; 2] = ["", "rustmq.v1.KafkaBroker"];

/// How the node is.
pub(super) async fn check(
    call: Arc<Call>,
    request: HealthCheckRequest,
) -> Result<HealthCheckResponse, Status> {
    if !KNOWN.contains(&request.service.as_str()) {
        return Err(Status::not_found("there is no service of that name"));
    }
    Ok(HealthCheckResponse { status: status(call.questions()).await as i32 })
}

/// How it is, and again whenever that changes.
pub(super) async fn watch(
    call: Arc<Call>,
    mut asked: Asked<HealthCheckRequest>,
    answers: Answers<HealthCheckResponse>,
) -> Result<(), Status> {
    let Some(request) = asked.next().await? else {
        return Err(Status::invalid_argument("watch what?"));
    };
    let is_known = KNOWN.contains(&request.service.as_str());
    let mut told = None;
    loop {
        let now = if is_known { status(call.questions()).await } else { ServingStatus::ServiceUnknown };
        if told != Some(now) {
            let told_now = answers.send(Ok(HealthCheckResponse { status: now as i32 })).await;
            told_now.map_err(|_| Status::cancelled("its caller has gone"))?;
            told = Some(now);
        }
        tokio::time::sleep(GRPC_WATCH_EVERY).await;
    }
}

async fn status(questions: &Questions) -> ServingStatus {
    match questions.ask(Question::Health).await {
        Ok(Answer::Health { is_serving: true }) => ServingStatus::Serving,
        // A core that halts answers nobody.
        _ => ServingStatus::NotServing,
    }
}

type Reflection =
    Box<dyn Fn(http::Request<Arriving>) -> BoxFuture<http::Response<Body>, Status> + Send + Sync>;

/// What is asked of the newer and of the older reflection service; tools know one or the other.
pub(super) async fn reflect(request: http::Request<Arriving>) -> http::Response<Body> {
    static NEWER: LazyLock<Reflection> = LazyLock::new(|| {
        let service = described().build_v1().expect("our own descriptors are well formed");
        Box::new(move |request| answered(service.clone(), request))
    });
    static OLDER: LazyLock<Reflection> = LazyLock::new(|| {
        let service = described().build_v1alpha().expect("our own descriptors are well formed");
        Box::new(move |request| answered(service.clone(), request))
    });
    let is_older = request.uri().path().starts_with("/grpc.reflection.v1alpha.");
    let reflection = if is_older { &OLDER } else { &NEWER };
    reflection(request).await.unwrap_or_else(Status::into_http)
}

fn described() -> Builder<'static> {
    Builder::configure().register_encoded_file_descriptor_set(DESCRIPTORS)
}

fn answered<S>(mut service: S, request: http::Request<Arriving>) -> BoxFuture<http::Response<Body>, Status>
where
    S: Service<http::Request<Arriving>, Response = http::Response<Body>, Error = std::convert::Infallible>
        + Send
        + 'static,
    S::Future: Send,
{
    Box::pin(async move {
        match service.call(request).await {
            Ok(response) => Ok(response),
            Err(never) => match never {},
        }
    })
}
