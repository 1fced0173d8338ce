//! Members' sessions, and the time that each has to let go of something: begun anew when it is heard, and over when an
//! alarm rings. After an election all begin anew.

use super::change::Change;
use crate::group::command::Command;
use crate::group::request::Reply;
use crate::group::sharing::{Current, Given, Member, Partitions, Phase};
use crate::group::soft::{Alarm, Soft};
use crate::group::state::{Group, Groups};
use crate::limits::GROUP_LOOKED_AT_AGAIN;
use crate::machine::{Context, Decision};
use crate::metadata::Metadata;
use crate::mutant::Mutant;
use crate::now::Mono;
use std::time::Duration;

/// Alarms of one group rang.
pub fn rang(
    groups: &Groups,
    soft: &mut Soft,
    context: &mut Context<'_, Metadata>,
    group: &str,
    alarms: &[Alarm],
) -> Decision<Command, Reply> {
    Change::of(groups, soft, context, group, |change| {
        let late = alarms.iter().filter_map(|alarm| match alarm {
            Alarm::Member(_, id) if change.is_late(id) => Some(id.clone()),
            _ => None,
        });
        let late: Vec<String> = late.collect();
        change.fence(&late);
        if alarms.iter().any(|alarm| matches!(alarm, Alarm::Group(_))) {
            change.live.alarm = None;
            change.look();
        }
    })
}

/// After an election: a group's members sit down, each with a session that begins anew.
pub fn reseat(
    groups: &Groups,
    soft: &mut Soft,
    context: &mut Context<'_, Metadata>,
    id: &str,
    group: &Group,
) -> usize {
    let members = groups.consumer_members(group.number).map(|(member, _)| member.to_owned());
    let members: Vec<String> = members.collect();
    let count = members.len();
    // Nothing is proposed while soft state is built.
    let _ = Change::of(groups, soft, context, id, |change| {
        members.iter().for_each(|member| change.heard(member));
        change.look_at(change.now.mono + GROUP_LOOKED_AT_AGAIN);
    });
    count
}

impl Change<'_> {
    /// A member was heard: its session begins anew, and the time it has to let go, if it has to.
    pub fn heard(&mut self, id: &str) {
        let Some(member) = self.members.get(id).or_else(|| self.groups.consumer_member(self.number?, id))
        else {
            return;
        };
        let session = match &member.about.classic {
            Some(spoken) => Duration::from_millis(u64::try_from(spoken.session_timeout_ms).unwrap_or(0)),
            None => self.timing.session,
        };
        // One that speaks the classic protocol lets go by joining anew, and takes on so, too.
        let is_behind = member.about.classic.is_some()
            && (member.current.epoch < self.consumer.assignment_epoch
                || member.current.phase == Phase::Unreleased && !self.is_waiting(member));
        let is_to_let_go = member.current.phase == Phase::Unrevoked || is_behind;
        let epoch = member.current.epoch;
        let patience = member.about.rebalance_timeout();
        let until = self.now.mono + session;
        let seat = self.live.seats.entry(id.to_owned()).or_default();
        seat.until = until;
        seat.release = match seat.release {
            _ if !is_to_let_go => None,
            Some((told, by)) if told == epoch => Some((told, by)),
            _ => Some((epoch, self.now.mono + patience)),
        };
        let next = seat.until.min(seat.release.map_or(seat.until, |(_, by)| by));
        if seat.alarm <= self.now.mono || next < seat.alarm {
            seat.alarm = next;
            self.alarms.set(next, Alarm::Member(self.group.to_owned(), id.to_owned()));
        }
    }

    /// Its alarm rang: whether it was silent for too long, or has not let go in time. If not, the alarm is set anew.
    fn is_late(&mut self, id: &str) -> bool {
        let now = self.now.mono;
        let member = self.number.and_then(|number| self.groups.consumer_member(number, id));
        let Some(member) = member else {
            self.live.seats.remove(id);
            return false;
        };
        let Some(seat) = self.live.seats.get_mut(id).filter(|seat| seat.alarm <= now) else { return false };
        let is_classic = member.about.classic.is_some();
        let is_letting_go =
            |epoch| (member.current.phase == Phase::Unrevoked || is_classic) && member.current.epoch == epoch;
        seat.release = seat.release.filter(|(epoch, _)| is_letting_go(*epoch));
        let is_late = seat.until <= now || seat.release.is_some_and(|(_, by)| by <= now);
        // It may be that what is proposed about it is dropped.
        let next = seat.until.min(seat.release.map_or(seat.until, |(_, by)| by));
        seat.alarm = next.max(now + GROUP_LOOKED_AT_AGAIN);
        self.alarms.set(seat.alarm, Alarm::Member(self.group.to_owned(), id.to_owned()));
        is_late
    }

    /// The group itself is to be looked at then.
    pub fn look_at(&mut self, at: Mono) {
        if self.live.alarm.is_none_or(|alarm| at < alarm) {
            self.live.alarm = Some(at);
            self.alarms.set(at, Alarm::Group(self.group.to_owned()));
        }
    }

    /// Members are no more.
    pub fn fence(&mut self, late: &[String]) {
        for id in late {
            if self.is_planted(Mutant::FencedAndServed)
                && let Some(member) = self.member(id).cloned()
            {
                let (assigned, revoking) = (Given::default(), Given::default());
                let current = Current { assigned, revoking, ..member.current };
                self.put(id, Member { current, target: Partitions::default(), ..member });
                self.consumer.epoch = self.before.epoch + 1;
                continue;
            }
            self.leave(id);
        }
    }
}
