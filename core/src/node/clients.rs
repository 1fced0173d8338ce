//! Clients' links and the memory for what they make this node do: what `broker` tells of them, and what `api` answers.
//! Every byte that a client causes is charged here when it is taken and given back when it is let go.
//!
//! Not here: what is in a request (`api`), how links and budget work (`connection`).

use super::Node;
use crate::connection::{Budget, Client, Connections, Purpose, Request, Slot};
use crate::ids::LinkId;
use crate::now::Now;
use bytes::BytesMut;
use rust_mq_proto::kafka::Writer;
use rust_mq_proto::records::Decompressor;

/// What links do.
impl Node {
    /// A client's link is open.
    pub fn client_opened(&mut self, now: Now, link: LinkId, client: Client) {
        self.connections.opened(link, client, now.mono, &self.budget);
    }

    /// A client's bytes.
    pub fn client_received(&mut self, now: Now, link: LinkId, bytes: BytesMut) {
        self.connections.received(link, bytes, now.mono, &mut self.budget);
    }

    /// Bytes to a client left the driver's buffer.
    pub fn client_sent(&mut self, now: Now, link: LinkId, bytes: u64) {
        self.connections.sent(link, bytes, now.mono, &mut self.budget);
    }

    /// A client's link is gone.
    pub fn client_closed(&mut self, link: LinkId) {
        self.connections.closed(link, &mut self.budget);
    }

    /// Clients' links that are gone since this was asked.
    pub fn take_gone_clients(&mut self) -> Vec<LinkId> {
        self.connections.take_gone()
    }

    /// A link whose requests were held back by a limit, and may be taken up now.
    pub fn next_ready_client(&mut self) -> Option<LinkId> {
        self.connections.next_ready(&self.budget)
    }

    /// Takes up no request of a link until it is released.
    pub fn hold_client(&mut self, link: LinkId) {
        self.connections.hold(link);
    }

    /// Takes up its requests again.
    pub fn release_client(&mut self, link: LinkId) {
        self.connections.release(link);
    }

    /// The next request of a link, if one is whole and may be taken up.
    pub fn next_request(&mut self, now: Now, link: LinkId) -> Option<Request> {
        self.connections.next_request(link, now.mono, &mut self.budget)
    }
}

/// What they are answered.
impl Node {
    /// Who is at the other end, while the link is there.
    pub fn client(&self, link: LinkId) -> Option<&Client> {
        self.connections.client(link)
    }

    /// What a client calls itself, in a request of which that is a part.
    pub fn client_is_called(&mut self, link: LinkId, name: Option<String>) {
        if let Some(client) = self.connections.client_mut(link) {
            client.name = name.unwrap_or_default();
        }
    }

    /// Answers a request: `fill` writes one whole response. Not called if the link is gone.
    pub fn answer(&mut self, link: LinkId, slot: Slot, fill: impl FnOnce(&mut Writer)) {
        self.connections.answer(link, slot, &mut self.budget, fill);
    }

    /// A request gets no answer.
    pub fn silence(&mut self, link: LinkId, slot: Slot) {
        self.connections.silence(link, slot, &mut self.budget);
    }

    /// Ends a link whose client broke the protocol.
    pub fn reject(&mut self, now: Now, link: LinkId, reason: String) {
        self.connections.reject(link, reason, now.mono, &mut self.budget);
    }

    /// Ends a link whose client is better served elsewhere.
    pub fn send_away(&mut self, now: Now, link: LinkId) {
        self.connections.send_away(link, now.mono, &mut self.budget);
    }

    /// How large an answer may be that leaves with all that waits before it.
    pub fn answer_bytes_max(&self, link: LinkId, slot: Slot) -> usize {
        self.connections.answer_bytes_max(link, slot, &self.budget)
    }
}

/// What they cost.
impl Node {
    /// So much is taken.
    pub fn charge(&mut self, purpose: Purpose, bytes: usize) {
        self.budget.charge(purpose, bytes);
    }

    /// So much is let go.
    pub fn give_back(&mut self, purpose: Purpose, bytes: usize) {
        self.budget.give_back(purpose, bytes);
    }

    /// How much one request may be decoded to.
    pub fn decoded_bytes_max(&self) -> usize {
        self.budget.decoded_bytes_max()
    }

    /// All links, to be looked at.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// What is charged, to be looked at.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Reused for every compressed batch; it counts what it has brought forth.
    pub fn decompressor(&mut self) -> &mut Decompressor {
        &mut self.decompressor
    }

    /// What is decompressed so far, in all.
    pub fn decompressed_bytes(&self) -> u64 {
        self.decompressor.plain_bytes()
    }
}
