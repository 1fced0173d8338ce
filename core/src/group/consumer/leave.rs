//! Somebody leaves, for good or, being a static member, for a while.

use super::change::Change;
use super::heartbeat::refusal;
use crate::group::request::{Beat, Beaten, Refusal};
use crate::group::sharing::{Current, Given, Member};
use crate::group::state::State;
use rust_mq_proto::kafka::ErrorCode;

impl Change<'_> {
    /// Somebody leaves.
    pub fn leaves(&mut self, beat: &Beat) -> Result<Beaten, Refusal> {
        let known = self.groups.group(&beat.group).map(|known| &known.state);
        if !matches!(known, Some(State::Consumer(_))) {
            let why = format!("Consumer group {} not found.", beat.group);
            return Err(refusal(ErrorCode::GroupIdNotFound, why));
        }
        let id = &beat.member;
        if let Some(instance) = &beat.instance {
            match self.live.roll.instances.get(instance) {
                Some(holder) if holder == id => {}
                Some(holder) => {
                    let why = format!(
                        "Static member {id} with instance id {instance} was fenced by member {holder}."
                    );
                    return Err(refusal(ErrorCode::FencedInstanceId, why));
                }
                None => {
                    return Err(refusal(
                        ErrorCode::UnknownMemberId,
                        format!("Instance id {instance} is unknown."),
                    ));
                }
            }
        }
        let Some(member) = self.member(id).cloned() else {
            let why = format!("Member {id} is not a member of group {}.", beat.group);
            return Err(refusal(ErrorCode::UnknownMemberId, why));
        };
        if beat.epoch == Current::AWAY {
            // It keeps what it had; at epoch 0, so that whoever comes for it may commit with any.
            let assigned = member.current.assigned.at_epoch(0);
            let current =
                Current { epoch: Current::AWAY, assigned, revoking: Given::default(), ..member.current };
            self.put(id, Member { current, ..member });
        } else {
            self.leave(id);
            self.look();
        }
        Ok(Beaten { member: id.clone(), epoch: beat.epoch, heartbeat_ms: 0, assigned: None })
    }
}
