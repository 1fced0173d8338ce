//! What this node may say from its image of the metadata: above all that something is *not* there.
//!
//! A node that starts has the image of its last checkpoint; what its journal holds above that is applied when a leader
//! says that it is committed, and what was decided while it was away comes later still. Until its image has everything
//! that the leader of the metadata partition had when it last told (`peer::Sign`), a topic that it does not show may be
//! there, and the right answer is "not yet".
//!
//! - Invariant: without a leader of the metadata partition nothing is denied: whoever led last may have been told more.
//! - Invariant: topics are listed only by a node that has had all, as of some moment of this life.

use super::{Node, Stage};
use crate::action::Action;
use crate::mutant::Mutant;
use rust_mq_proto::kafka::ErrorCode;

impl Node {
    /// What to say of a topic, or a part of one, that the image does not show: `code`, or that it is too early to
    /// tell.
    pub fn denial(&self, code: ErrorCode) -> ErrorCode {
        if self.may_deny() { code } else { ErrorCode::LeaderNotAvailable }
    }

    /// Whether what the image does not show is not there.
    pub fn may_deny(&self) -> bool {
        self.has_whole_image() || self.is_planted(Mutant::DeniesBeforeItKnows) && self.image().is_some()
    }

    /// Whether the image can be given as all there is. Where nobody leads the metadata partition, nobody has added to
    /// it either since somebody did.
    pub fn knows_topics(&self) -> bool {
        self.service.has_had_whole_image() && (self.controller().is_none() || self.may_deny())
    }

    /// Takes note of it when the image has caught up for the first time.
    pub(super) fn look_at_image(&mut self) {
        if !self.service.has_had_whole_image() && self.may_deny() {
            self.service.has_whole_image();
        }
    }

    fn has_whole_image(&self) -> bool {
        let (Some(host), Some(leader)) = (self.metadata(), self.controller()) else { return false };
        if leader == self.config.node {
            return host.is_leading();
        }
        self.ports.peers.sign_of(leader).is_some_and(|sign| sign.metadata_end <= host.applied().index)
    }

    /// Whether clients are sent to other nodes: members turn this node away, and it is none itself.
    pub fn sends_clients_away(&self) -> bool {
        self.membership.is_outside() && !self.config.is_single()
    }

    /// Says once that clients are served.
    pub fn say_serving(&mut self, actions: &mut Vec<Action>) {
        if !self.service.has_said_serving() && self.is_serving() && self.leads_all_it_must() {
            let partitions = self.residents.partition_count() + self.unstarted.count();
            self.service.say_serving(partitions, actions);
        }
    }

    /// Whether requests are taken up. A node that is its own cluster knows when it is about to lead everything,
    /// and does not tell clients of topics without leaders meanwhile; a member of a larger one may never see a
    /// leader, and says what it knows. Who is no member knows nothing, and nothing is what a client would be told.
    pub fn is_open(&self) -> bool {
        self.service.has_said_serving()
            || !self.config.is_single() && self.membership.stage() == Stage::Member
    }

    fn leads_all_it_must(&self) -> bool {
        let is_leading_all =
            || !self.unstarted.has_more() && self.residents.iter().all(|(_, resident)| resident.is_leading());
        !self.config.is_single() || self.image().is_some() && is_leading_all()
    }
}
