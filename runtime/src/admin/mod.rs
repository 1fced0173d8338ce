//! Those who watch the node: metrics, health and version, over HTTP/1 on an address of their own. Off unless a
//! configuration says `admin_addr`; who does not, pays nothing for it.
//!
//! ```text
//! /metrics   what Prometheus asks for, and people with curl
//! /healthz   200 while the core takes its turns: what is not alive is to be restarted
//! /readyz    200 where clients are served, otherwise 503 and why not: what is not ready is not to be asked
//! /version   which build this is, and which node
//! ```
//! Everything that is said of the node is asked of the core (`Question`) and written down here; the core knows no text.
//! hyper speaks HTTP, on the small thread of peers and signals: an answer is a few lines, or is made elsewhere.
//!
//! `server` has the connections and their limits, `pages` what is answered, `readiness` why not, `metrics` all numbers, those of `process` among them.
//!
//! Not here: gRPC's health protocol, which is on the port of the clients (`grpc/health`).

mod metrics;
mod pages;
mod process;
mod readiness;
mod server;

use crate::counts::Counts;
use crate::limits::ADMIN_ANSWER_WAIT;
use crate::questions::Questions;
use rust_mq_core::action::Answer;
use rust_mq_core::event::Question;
use rust_mq_core::ids::NodeId;
use rust_mq_core::watched::{Metrics, PartitionMetrics, Wanted};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

/// What is told to those who watch.
#[derive(Debug)]
pub struct Admin {
    node: NodeId,
    questions: Arc<Questions>,
    counts: Arc<Counts>,
    /// When the process started.
    started: Instant,
    /// Held by the scrape that is under way.
    scraping: Mutex<()>,
}

impl Admin {
    /// Of this node, whose core is asked by `questions`, and which counts in `counts` what the core does not see.
    pub fn new(node: NodeId, questions: Arc<Questions>, counts: Arc<Counts>, started: Instant) -> Admin {
        Admin { node, questions, counts, started, scraping: Mutex::new(()) }
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

/// The core's answer, if one comes in time.
async fn asked(admin: &Admin, what: Question) -> Option<Answer> {
    tokio::time::timeout(ADMIN_ANSWER_WAIT, admin.questions.ask(what)).await.ok()?.ok()
}

/// All replicas of users' partitions here, asked for piece by piece.
async fn each_partition(admin: &Admin, mut what: impl FnMut(PartitionMetrics)) -> Option<()> {
    let mut after = None;
    loop {
        let wanted = Question::Metrics(Wanted::Partitions { after });
        let Answer::Metrics(Metrics::Partitions(piece)) = asked(admin, wanted).await? else { return None };
        piece.told.into_iter().for_each(&mut what);
        after = piece.next;
        if after.is_none() {
            return Some(());
        }
    }
}
