//! Links to other nodes: bidirectional gRPC streams of opaque messages, one connection per lane, so that a
//! bulk copy shares neither a window nor a socket buffer with votes.
//!
//! They run on a small tokio thread of their own, beside the core thread. What it costs is one hand-over per
//! message; what it buys: HTTP/2's work and keepalives go on while the core thread is busy with clients, and
//! the clients' path pays nothing for them. Messages of the raft lane are handed over before those of bulk.
//!
//! Bounds: what comes in, by the credit the core gave plus one message per lane; what goes out, by the core
//! (`PEER_QUEUE_BYTES_MAX`), which counts `Sent`.
//!
//! Not here: what the messages mean, who dials, how a silent peer is found: the core's `peer/`. HTTP/2 itself is
//! tonic's and is not simulated.

mod codec;
mod lane;
mod server;
mod visitor;

use crate::mailbox::{Mailbox, Room, Wake};
use lane::Lanes;
use rust_mq_core::action::Action;
use rust_mq_core::event::Event;
use std::io;
use std::sync::Arc;
use tokio::runtime::Handle;

/// The one call of the service.
const PATH: &str = "/rustmq.v1.Peer/Lane";
/// The header that names the lane.
const LANE_HEADER: &str = "rustmq-lane";

/// All links to peers.
#[derive(Debug)]
pub struct Peers {
    lanes: Arc<Lanes>,
    runtime: Handle,
}

impl Peers {
    /// Serves the peers that come to `listener`, over at most `connections` at a time, and dials others, on
    /// `runtime`.
    pub fn start(
        listener: std::net::TcpListener,
        runtime: Handle,
        wake: Wake,
        connections: usize,
    ) -> io::Result<Peers> {
        listener.set_nonblocking(true)?;
        let lanes = Arc::new(Lanes::new(Mailbox::new(Arc::clone(&wake)), Mailbox::new(wake)));
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(server::serve(listener, Arc::clone(&lanes), connections));
        Ok(Peers { lanes, runtime })
    }

    /// Performs an action on a peer's link.
    pub fn perform(&self, action: Action) {
        match action {
            Action::Dial { link, address, lane } => {
                let outgoing = self.lanes.add(link, lane, None);
                self.runtime.spawn(lane::dial(Arc::clone(&self.lanes), address, outgoing));
            }
            Action::Send { link, parts } => self.lanes.send(link, parts),
            Action::Allow { link, bytes } => self.lanes.allow(link, bytes),
            Action::Close { link } => self.lanes.close(link),
            Action::Abort { link } => self.lanes.abort(link),
            other => unreachable!("not a link's action: {other}"),
        }
    }

    /// Moves what peers sent into `into`; says whether there is more than the turn has room for.
    pub fn take(&self, into: &mut Vec<Event>, room: &mut Room) -> bool {
        let more_raft = self.lanes.raft.take(into, room);
        let more_bulk = self.lanes.bulk.take(into, room);
        more_raft || more_bulk
    }
}
