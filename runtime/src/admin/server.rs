//! The connections of those who watch, and their limits: few, each bounded in time, none ever in the way of clients.
//!
//! Invariant: at most `ADMIN_CONNECTIONS_MAX` of them, each for at most `ADMIN_CONNECTION_WAIT`.

use super::{Admin, pages};
use crate::limits::{
    ACCEPT_PAUSE, ADMIN_CONNECTION_WAIT, ADMIN_CONNECTIONS_MAX, ADMIN_HEADERS_BYTES_MAX, ADMIN_HEADERS_MAX,
    ADMIN_REQUEST_WAIT,
};
use crate::log::RateLimit;
use crate::log_levels::NODE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Takes in who comes, for ever.
pub(super) async fn run(listener: TcpListener, admin: Arc<Admin>) {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    let mut lines = RateLimit::default();
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                if lines.allows() {
                    tracing::warn!(target: NODE, "cannot accept those who watch for now: {error}");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            if lines.allows() {
                let most = ADMIN_CONNECTIONS_MAX;
                tracing::warn!(target: NODE, "{remote} cannot watch: all {most} connections for it are taken");
            }
            continue;
        };
        let admin = Arc::clone(&admin);
        tokio::spawn(async move {
            serve(stream, admin).await;
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, admin: Arc<Admin>) {
    let service = service_fn(|request| {
        let admin = Arc::clone(&admin);
        async move { Ok::<_, Infallible>(pages::answer(&admin, &request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ADMIN_REQUEST_WAIT)
        .max_headers(ADMIN_HEADERS_MAX)
        .max_buf_size(ADMIN_HEADERS_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // How it ends is nobody's concern: whoever watches comes again.
    let _ = tokio::time::timeout(ADMIN_CONNECTION_WAIT, connection).await;
}
