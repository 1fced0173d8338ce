//! Whose offsets are taken: a member's, with its own epoch, or with an older one for what it has had since then.

use crate::group::command::Commit;
use crate::group::request::Who;
use crate::group::sharing::Current;
use crate::group::state::{Groups, State};
use crate::ids::TopicId;
use rust_mq_proto::kafka::ErrorCode;

impl Current {
    /// Whether a member that says this epoch may commit for a partition.
    pub fn may_commit(&self, said: i32, topic: TopicId, partition: i32) -> bool {
        let given = self.assigned.epoch_of(topic, partition);
        let given = given.or_else(|| self.revoking.epoch_of(topic, partition));
        said == self.epoch || given.is_some_and(|given| said < self.epoch && said >= given)
    }
}

impl Groups {
    /// Whether somebody may commit to a consumer group; nothing is said of other groups.
    pub fn consumers_may_commit(
        &self,
        who: &Who,
        knows_groups: bool,
        commits: &[Commit],
    ) -> Option<Result<(), ErrorCode>> {
        let known = self.group(&who.group)?;
        let State::Consumer(consumer) = &known.state else { return None };
        if who.generation < 0 && consumer.members == 0 {
            // Nobody is in it: an administrator, or a consumer that assigns itself.
            return Some(Ok(()));
        }
        let Some(member) = self.consumer_member(known.number, &who.member) else {
            return Some(Err(ErrorCode::UnknownMemberId));
        };
        let is_classic = member.about.classic.is_some();
        let may = |commit: &Commit| member.current.may_commit(who.generation, commit.topic, commit.partition);
        Some(match commits.iter().all(may) {
            // Version 9 is the first that may be answered with what an epoch can bring.
            _ if !knows_groups && !is_classic => Err(ErrorCode::UnsupportedVersion),
            true => Ok(()),
            false if is_classic => Err(ErrorCode::IllegalGeneration),
            false => Err(ErrorCode::StaleMemberEpoch),
        })
    }
}
