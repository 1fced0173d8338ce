//! Those who watch the node: metrics, health and version, over HTTP/1 on an address of their own. Off unless a
//! configuration says `admin_addr`; who does not, pays nothing for it.
//!
//! ```text
//! /healthz   200 while the core takes its turns: what is not alive is to be restarted
//! /readyz    200 where clients are served, otherwise 503 and why not: what is not ready is not to be asked
//! /version   which build this is, and which node
//! ```
//! Everything that is said of the node is asked of the core (`Question`) and written down here; the core knows no text.
//! hyper speaks HTTP, on the small thread of peers and signals: an answer is a few lines, or is made elsewhere.
//!
//! `server` has the connections and their limits, `pages` what is answered.
//!
//! Not here: gRPC's health protocol, which is on the port of the clients (`grpc/health`).

mod pages;
mod server;

use crate::questions::Questions;
use rust_mq_core::ids::NodeId;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::runtime::Handle;

/// What is told to those who watch.
#[derive(Debug)]
pub struct Admin {
    node: NodeId,
    questions: Arc<Questions>,
}

impl Admin {
    /// Of this node, whose core is asked by `questions`.
    pub fn new(node: NodeId, questions: Arc<Questions>) -> Admin {
        Admin { node, questions }
    }

    /// Serves those who come to the listener, on that thread, for ever.
    pub fn serve(self, listener: TcpListener, on: &Handle) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = {
            let _entered = on.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        on.spawn(server::run(listener, Arc::new(self)));
        Ok(())
    }
}
