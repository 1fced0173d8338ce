//! A consumer group as administrators see it.

use crate::group::request::{ConsumerDescription, Reply};
use crate::group::sharing::{Consumer, Roll};
use crate::group::state::{GroupNumber, Groups, State};

/// All about a consumer group.
pub fn describe(groups: &Groups, id: &str) -> Reply {
    let Some(group) = groups.group(id) else { return Reply::ConsumersDescribed(None) };
    let State::Consumer(consumer) = &group.state else { return Reply::ConsumersDescribed(None) };
    let members = groups.consumer_members(group.number).map(|(id, member)| (id.to_owned(), member.clone()));
    Reply::ConsumersDescribed(Some(Box::new(ConsumerDescription {
        state: groups.consumer_state(group.number, consumer),
        epoch: consumer.epoch,
        assignment_epoch: consumer.assignment_epoch,
        assignor: Roll::of(groups.consumer_members(group.number)).assignor(),
        members: members.collect(),
    })))
}

impl Groups {
    /// What a consumer group is doing.
    pub fn consumer_state(&self, number: GroupNumber, consumer: &Consumer) -> &'static str {
        let is_reconciled =
            |epoch| self.consumer_members(number).all(|(_, one)| one.current.is_reconciled(epoch));
        match consumer.members {
            0 => "Empty",
            _ if consumer.epoch > consumer.assignment_epoch => "Assigning",
            _ if is_reconciled(consumer.assignment_epoch) => "Stable",
            _ => "Reconciling",
        }
    }
}
