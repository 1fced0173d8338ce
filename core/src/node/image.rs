//! What this node may say from its image of the metadata: above all that something is *not* there.
//!
//! A node that starts has the image of its last checkpoint; what its journal holds above that is applied when a leader
//! says that it is committed, and what was decided while it was away comes later still. Until its image has everything
//! that the leader of the metadata partition had when it last told (`peer::Sign`), a topic that it does not show may be
//! there, and the right answer is "not yet".
//!
//! - Invariant: without a leader of the metadata partition nothing is denied: whoever led last may have been told more.
//! - Invariant: topics are listed only by a node that has had all, as of some moment of this life.

use super::Node;
use crate::error_code::ErrorCode;
use crate::mutant::Mutant;

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
        self.has_had_whole_image && (self.controller().is_none() || self.may_deny())
    }

    /// Takes note of it when the image has caught up for the first time.
    pub(super) fn look_at_image(&mut self) {
        self.has_had_whole_image = self.has_had_whole_image || self.may_deny();
    }

    fn has_whole_image(&self) -> bool {
        let (Some(host), Some(leader)) = (self.metadata(), self.controller()) else { return false };
        if leader == self.config.node {
            return host.is_leading();
        }
        self.peers.sign_of(leader).is_some_and(|sign| sign.metadata_end <= host.applied().index)
    }
}
