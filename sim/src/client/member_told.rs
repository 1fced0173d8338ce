//! What members of groups are told, and what they make of it: who coordinates, which generation it is, what they get, and
//! what came of their commits.

use super::Street;
use super::map::Map;
use super::member::{Member, OFFSETS, Stage};
use super::purpose::{Answered, Purpose};
use crate::claims::c13_commits_are_current::Sent;
use crate::clock::{MILLI, Moment};
use rust_mq_proto::kafka::api::ResponseBody;
use rust_mq_proto::kafka::api::find_coordinator::FindCoordinatorResponse;
use rust_mq_proto::kafka::api::join_group::JoinGroupResponse;
use rust_mq_proto::kafka::api::offset_fetch::OffsetFetchResponse;

impl Member {
    /// An answer, or the loss of one.
    pub fn settle(&mut self, answered: Answered, map: &mut Map, street: &mut Street<'_>) {
        let Answered { purpose, body, .. } = answered;
        if matches!(purpose, Purpose::Versions | Purpose::Map) {
            return;
        }
        self.is_asked = false;
        let Some(body) = body else {
            // Who led may not be there any more.
            self.coordinator = None;
            return;
        };
        *street.completed += 1;
        match (body, purpose) {
            (ResponseBody::FindCoordinator(found), _) => self.found(&found, street),
            (ResponseBody::JoinGroup(joined), _) => self.joined(joined, street),
            (ResponseBody::SyncGroup(synced), _) => {
                let Stage::Joined(generation, _) = self.stage else { return };
                if synced.error_code == 0 {
                    let text = String::from_utf8_lossy(&synced.assignment).into_owned();
                    self.assigned(generation, &text, street);
                } else {
                    self.told(synced.error_code, street);
                }
            }
            (ResponseBody::Heartbeat(beat), _) => self.told(beat.error_code, street),
            (ResponseBody::LeaveGroup(_), _) => {
                street.marks.hit("client.left_a_group");
                self.id.clear();
                self.stage = if self.is_calm { Stage::Gone } else { Stage::Outside };
                self.steps += 1;
            }
            (ResponseBody::OffsetCommit(committed), Purpose::Commit(sent)) => {
                let parts = committed.topics.iter().flat_map(|topic| &topic.partitions);
                let codes: Vec<i16> = parts.map(|part| part.error_code).collect();
                self.committed(&sent, &codes, map, street);
            }
            (ResponseBody::OffsetFetch(fetched), Purpose::Committed(asked_at, asked)) => {
                self.fetched(&fetched, asked_at, &asked, street);
            }
            _ => {}
        }
    }

    fn found(&mut self, found: &FindCoordinatorResponse, street: &mut Street<'_>) {
        let first = found.coordinators.first();
        let (code, node) =
            first.map_or((found.error_code, found.node_id), |one| (one.error_code, one.node_id));
        self.coordinator = usize::try_from(node - 1).ok().filter(|_| code == 0);
        if self.coordinator.is_none() {
            self.not_before = street.now().after(50 * MILLI);
        }
    }

    fn joined(&mut self, joined: JoinGroupResponse, street: &mut Street<'_>) {
        match joined.error_code {
            0 => {
                let generation = joined.generation_id;
                street.groups.joined(&self.group, generation, identity(&joined.leader), street.verdict);
                street.marks.hit("client.joined_a_generation");
                self.steps += 1;
                let members = joined.members.iter().map(|member| member.member_id.clone()).collect();
                let is_leader = joined.leader == joined.member_id;
                self.protocol = joined.protocol_name;
                self.id = joined.member_id;
                self.stage = Stage::Joined(generation, Some(members).filter(|_| is_leader));
            }
            // MEMBER_ID_REQUIRED
            79 => self.id = joined.member_id,
            code => self.told(code, street),
        }
    }

    fn assigned(&mut self, generation: i32, text: &str, street: &mut Street<'_>) {
        let mut has = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            street.groups.assigned((&self.group, generation, identity(&self.id)), part, street.verdict);
            if let Some((name, number)) = part.split_once('/')
                && let Ok(number) = number.parse()
            {
                has.push((name.to_owned(), number));
            }
        }
        self.steps += 1;
        if self.is_calm && has.is_empty() {
            // There is nothing for it to do.
            self.probed = (true, true);
        }
        self.stage = Stage::In(generation, has);
    }

    fn committed(&mut self, sent: &[Sent], codes: &[i16], map: &mut Map, street: &mut Street<'_>) {
        let now = street.now();
        for (one, code) in sent.iter().zip(codes) {
            match code {
                0 => street.groups.settled(one, true, now, street.verdict),
                // It never came to a decision: it is not known to be refused.
                15 | 16 => {}
                _ => street.groups.settled(one, false, now, street.verdict),
            }
        }
        if codes.contains(&0) {
            street.marks.hit("client.committed_offsets");
            self.steps += 1;
            self.probed.0 |= self.is_calm;
        }
        if codes.contains(&3) || codes.contains(&100) {
            map.doubt(OFFSETS, 0);
        }
        let of_an_old_generation =
            sent.first().is_some_and(|one| matches!(self.stage, Stage::In(now, _) if now != one.generation));
        if let Some(code) = codes.iter().find(|code| **code != 0)
            && !of_an_old_generation
        {
            self.told(*code, street);
        }
    }

    fn fetched(
        &mut self,
        fetched: &OffsetFetchResponse,
        asked_at: Moment,
        asked: &[(String, [u8; 16], i32)],
        street: &mut Street<'_>,
    ) {
        let of_group = fetched.groups.first();
        let code = of_group.map_or(fetched.error_code, |group| group.error_code);
        let old = fetched.topics.iter().flat_map(|topic| &topic.partitions);
        let new = fetched.groups.iter().flat_map(|group| &group.topics).flat_map(|topic| &topic.partitions);
        let told = old
            .map(|part| (part.committed_offset, part.error_code))
            .chain(new.map(|part| (part.committed_offset, part.error_code)));
        for ((_, id, number), (offset, code)) in asked.iter().zip(told) {
            if code == 0 {
                let place = (self.group.clone(), *id, *number);
                street.groups.read(&place, offset, asked_at, street.verdict);
                street.marks.hit("client.read_committed_offsets");
                self.steps += 1;
                self.probed.1 |= self.is_calm;
            } else {
                self.told(code, street);
            }
        }
        if code != 0 {
            self.told(code, street);
        }
    }

    /// What an error means to it.
    fn told(&mut self, code: i16, street: &mut Street<'_>) {
        match code {
            0 => self.steps += 1,
            14 => self.not_before = street.now().after(20 * MILLI),
            15 | 16 => {
                self.coordinator = None;
                self.not_before = street.now().after(20 * MILLI);
            }
            27 => self.stage = Stage::Outside,
            22 | 25 | 82 => {
                street.marks.hit("client.was_no_member_any_more");
                if code != 22 {
                    self.id.clear();
                }
                self.stage = Stage::Outside;
            }
            _ => {
                self.stage = Stage::Outside;
                self.not_before = street.now().after(100 * MILLI);
            }
        }
    }
}

/// Who a member is: a static one keeps its place in a generation when it comes again under another id.
pub(super) fn identity(id: &str) -> &str {
    match id.starts_with('i') {
        true => id.split_once('-').map_or(id, |(instance, _)| instance),
        false => id,
    }
}
