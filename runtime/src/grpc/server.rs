//! One gRPC connection: HTTP/2 with every limit set here, because none is set for us; which call is meant; and a call's
//! end, whatever brings it.
//!
//! hyper serves the connection. tonic's own server is not used: it takes an accept loop
//! of its own, wraps each call in layers of which none is wanted, and says CANCELLED where a deadline has passed.

use super::arriving::Arriving;
use super::call::{Call, Caller};
use super::frames::Counted;
use super::framing::{Answered, streaming, too_late, unary};
use super::whole::leaving;
use super::{fetch, groups, health, offsets, records, settings, streams, topics};
use crate::limits::{
    GRPC_FRAME_BYTES_MAX, GRPC_HEADERS_BYTES_MAX, GRPC_HELLO_WAIT, GRPC_IDLE_WAIT, GRPC_KEEPALIVE,
    GRPC_KEEPALIVE_WAIT, GRPC_PENDING_RESETS_MAX, GRPC_RESETS_MAX, GRPC_SEND_BYTES, GRPC_STREAM_WINDOW_BYTES,
    GRPC_STREAMS_MAX, GRPC_WINDOW_BYTES,
};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::error::Error;
use std::future::ready;
use std::net::TcpStream;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tonic::Status;
use tonic::codegen::http;

/// What every call's path begins with.
const SERVICE: &str = "/rustmq.v1.KafkaBroker/";
/// How a caller names itself, as in Kafka's protocol.
const CLIENT_ID: &str = "client-id";
const TIMEOUT: &str = "grpc-timeout";
/// gRPC's own services.
const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/";
const OLDER_REFLECTION: &str = "/grpc.reflection.v1alpha.ServerReflection/";

/// Serves a connection until it ends.
pub(super) async fn serve(
    stream: TcpStream,
    caller: Arc<Caller>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nonblocking(true)?;
    let stream = Counted::new(tokio::net::TcpStream::from_std(stream)?);
    let has_begun = stream.has_begun();
    let calls = Arc::new(AtomicU64::new(0));
    let service = service_fn(|request| {
        calls.fetch_add(1, Ordering::Relaxed);
        answer(Arc::clone(&caller), request)
    });
    let mut connection = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .auto_date_header(false)
            .max_concurrent_streams(GRPC_STREAMS_MAX)
            .max_local_error_reset_streams(GRPC_RESETS_MAX)
            .max_pending_accept_reset_streams(GRPC_PENDING_RESETS_MAX)
            .max_header_list_size(GRPC_HEADERS_BYTES_MAX)
            .keep_alive_interval(GRPC_KEEPALIVE)
            .keep_alive_timeout(GRPC_KEEPALIVE_WAIT)
            .adaptive_window(false)
            .initial_stream_window_size(GRPC_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(GRPC_WINDOW_BYTES)
            .max_frame_size(GRPC_FRAME_BYTES_MAX)
            .max_send_buf_size(GRPC_SEND_BYTES)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = tokio::time::sleep(GRPC_HELLO_WAIT) => {}
    }
    if !has_begun.load(Ordering::Relaxed) {
        return Err("it began with HTTP/2 and did not go on".into());
    }
    let mut seen = 0;
    loop {
        tokio::select! {
            ended = connection.as_mut() => return Ok(ended?),
            () = caller.ends() => return Err("it takes nothing of what it asked for".into()),
            () = tokio::time::sleep(GRPC_IDLE_WAIT) => {}
        }
        // Calls that are under way hold `caller`, too.
        let now = calls.load(Ordering::Relaxed);
        if now == seen && Arc::strong_count(&caller) == 1 {
            connection.as_mut().graceful_shutdown();
        }
        seen = now;
    }
}

/// Answers one call.
fn answer(caller: Arc<Caller>, request: http::Request<Incoming>) -> Answered {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let client_id = header(CLIENT_ID).map(str::to_owned);
    let (patience, is_readable) = match header(TIMEOUT).map(parse_timeout) {
        None => (None, true),
        Some(patience) => (patience, patience.is_some()),
    };
    let call = Arc::new(Call::new(caller, client_id, patience));
    if !is_readable {
        return at_once(Status::invalid_argument("an unreadable grpc-timeout"), call);
    }
    let arriving = request.map(|body| Arriving::new(body, Arc::clone(&call)));
    let served = route(Arc::clone(&call), arriving);
    let Some(deadline) = call.deadline() else { return served };
    Box::pin(async move {
        tokio::time::timeout_at(deadline, served)
            .await
            .unwrap_or_else(|_| Ok(leaving(too_late().into_http(), call)))
    })
}

fn at_once(status: Status, call: Arc<Call>) -> Answered {
    Box::pin(ready(Ok(leaving(status.into_http(), call))))
}

/// Finds what is called. Each call is as large as it is, not as large as the largest.
fn route(call: Arc<Call>, request: http::Request<Arriving>) -> Answered {
    let path = request.uri().path().to_owned();
    if path.starts_with(REFLECTION) || path.starts_with(OLDER_REFLECTION) {
        return Box::pin(async move { Ok(leaving(health::reflect(request).await, call)) });
    }
    match path.as_str() {
        HEALTH_CHECK => return unary(call, request, health::check),
        HEALTH_WATCH => return streaming(call, request, health::watch),
        _ => {}
    }
    match path.strip_prefix(SERVICE) {
        Some("Produce") => unary(call, request, records::produce),
        Some("ProduceStream") => streaming(call, request, streams::produce),
        Some("Subscribe") => streaming(call, request, streams::subscribe),
        Some("Fetch") => unary(call, request, fetch::fetch),
        Some("GetTopicMetadata") => unary(call, request, topics::get_metadata),
        Some("CreateTopics") => unary(call, request, topics::create),
        Some("DeleteTopics") => unary(call, request, topics::delete),
        Some("CreatePartitions") => unary(call, request, topics::create_partitions),
        Some("DeleteRecords") => unary(call, request, records::delete),
        Some("ListOffsets") => unary(call, request, records::list_offsets),
        Some("InitProducerId") => unary(call, request, records::init_producer_id),
        Some("DescribeCluster") => unary(call, request, topics::describe_cluster),
        Some("FindCoordinator") => unary(call, request, groups::find_coordinator),
        Some("CommitOffset") => unary(call, request, offsets::commit),
        Some("FetchOffset") => unary(call, request, offsets::fetch),
        Some("DeleteOffset") => unary(call, request, offsets::forget),
        Some("JoinGroup") => unary(call, request, groups::join),
        Some("SyncGroup") => unary(call, request, groups::sync),
        Some("Heartbeat") => unary(call, request, groups::heartbeat),
        Some("LeaveGroup") => unary(call, request, groups::leave),
        Some("ListGroups") => unary(call, request, groups::list),
        Some("DescribeGroup") => unary(call, request, groups::describe),
        Some("DeleteGroup") => unary(call, request, groups::delete),
        Some("DescribeConfigs") => unary(call, request, settings::describe),
        Some("AlterConfigs") => unary(call, request, settings::alter),
        _ => at_once(Status::unimplemented(format!("there is no call {path}")), call),
    }
}

/// A call's patience: up to eight digits and a unit. The outer `None` is no header, the inner none that can be read.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_digits_and_a_unit() {
        assert_eq!(parse_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse_timeout("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for bad in ["", "m", "1", "-1S", "999999999S", "1x", "1\u{e9}", "+1S"] {
            assert_eq!(parse_timeout(bad), None, "{bad:?}");
        }
    }
}
