//! What is answered to whom watches: one function a page.

use super::metrics::scraped;
use super::{Admin, asked, readiness};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use rust_mq_core::event::Question;
use rust_mq_core::level::Levels;
use rust_mq_metrics::Form;
use serde_json::json;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

const INDEX: &str = "\
/metrics   what is counted, for Prometheus
/healthz   whether this node is alive
/readyz    whether it serves clients, and why not
/version   which build it is
";

type Page = Response<Full<Bytes>>;

/// The page that a request asks for. Nothing is read of its body.
pub(super) async fn answer<B>(admin: &Admin, request: &Request<B>) -> Page {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut page = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD are served here\n");
        page.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return page;
    }
    match request.uri().path() {
        "/" => page(StatusCode::OK, TEXT, INDEX),
        "/healthz" => health(admin).await,
        "/metrics" => metrics(admin, request.headers().get(ACCEPT)).await,
        "/readyz" => ready(admin).await,
        "/version" => version(admin),
        _ => page(StatusCode::NOT_FOUND, TEXT, format!("there is no such page; these are:\n{INDEX}")),
    }
}

/// Alive is whose core answers at all, whatever it answers.
async fn health(admin: &Admin) -> Page {
    match asked(admin, Question::Health).await {
        Some(_) => page(StatusCode::OK, TEXT, "alive\n"),
        None => page(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the core does not answer\n"),
    }
}

async fn ready(admin: &Admin) -> Page {
    let reasons = readiness::asked_for(admin).await;
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let told = reasons.iter().map(|reason| json!({ "code": reason.code, "words": reason.words }));
    json_page(status, &json!({ "ready": reasons.is_empty(), "reasons": told.collect::<Vec<_>>() }))
}

async fn metrics(admin: &Admin, accept: Option<&HeaderValue>) -> Page {
    let form = Form::accepted(accept.and_then(|accept| accept.to_str().ok()).unwrap_or_default());
    match scraped(admin, form).await {
        Some(text) => page(StatusCode::OK, form.content_type(), text),
        None => page(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the core does not answer\n"),
    }
}

fn version(admin: &Admin) -> Page {
    let version = json!({
        "name": "rust-mq",
        "version": env!("CARGO_PKG_VERSION"),
        "node_id": admin.node.0,
        "feature_levels": { "oldest": Levels::BUILD.oldest.0, "newest": Levels::BUILD.newest.0 },
    });
    json_page(StatusCode::OK, &version)
}

fn json_page(status: StatusCode, value: &serde_json::Value) -> Page {
    page(status, JSON, format!("{value}\n"))
}

fn page(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Page {
    let mut page = Response::new(Full::new(text.into()));
    *page.status_mut() = status;
    let headers = page.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}
