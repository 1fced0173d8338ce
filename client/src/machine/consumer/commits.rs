//! How far the application has come, kept by the group: one commit at a time, in the order in which they were asked for.
//!
//! A commit that did not get through is tried again until its time is up; one that names a generation that is over is
//! refused for good, and the member joins again.

use super::{Action, Machine, Place, Purpose};
use crate::machine::error::{Error, Remedy, code};
use crate::machine::moment::Moment;
use crate::machine::mutant::{Mutant, is_planted};
use crate::machine::question::{Answer, Answered, Ticket};
use rust_mq_proto::grpc::{CommitOffsetRequest, OffsetToCommit};
use std::collections::VecDeque;
use std::time::Duration;

/// Commits that are asked for.
#[derive(Debug, Default)]
pub struct Commits {
    queue: VecDeque<Commit>,
    last: Moment,
}

/// One of them.
#[derive(Debug)]
struct Commit {
    /// Whom to tell; None if it is by time.
    id: Option<u64>,
    offsets: Vec<(Place, i64)>,
    /// In which generation, and as which member, the application had come so far.
    credentials: (Option<i32>, String),
    until: Moment,
    ticket: Option<Ticket>,
    not_before: Moment,
    failures: u32,
    last: Option<Error>,
}

/// At the edge a commit is refused: somebody commits faster than the group can keep.
const COMMITS_MAX: usize = 1_000;
/// How long one attempt may take.
const WITHIN: Duration = Duration::from_secs(10);

impl Commits {
    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// When there is something to do.
    pub fn deadline(&self, settings: &super::Settings) -> Option<Moment> {
        let first = self.queue.front();
        let retry = first.filter(|first| first.ticket.is_none()).map(|first| first.not_before);
        let late = first.map(|first| first.until);
        let next = settings.commits_every.map(|every| self.last.after(every));
        [retry, late, next].into_iter().flatten().min()
    }
}

impl Machine {
    /// The application commits.
    pub(super) fn commit(&mut self, now: Moment, id: u64, offsets: Option<Vec<(Place, i64)>>) {
        let refused = match &self.settings.group {
            None => Some("without a group there is nowhere to commit to"),
            Some(_) if self.commits.queue.len() >= COMMITS_MAX => Some("too many commits at a time"),
            Some(_) => None,
        };
        if let Some(why) = refused {
            let outcome = Err(Error::unusable(why));
            return self.told.push(Action::Committed { id, outcome });
        }
        let offsets = offsets.unwrap_or_else(|| {
            self.deal_with();
            self.to_commit()
        });
        if offsets.is_empty() {
            return self.told.push(Action::Committed { id, outcome: Ok(()) });
        }
        self.queue_commit(now, Some(id), offsets);
    }

    /// Commits what was dealt with, if anything was since the last time.
    pub(super) fn commit_done(&mut self, now: Moment) {
        let offsets = self.to_commit();
        self.commits.last = now;
        if !offsets.is_empty() && self.settings.group.is_some() {
            self.queue_commit(now, None, offsets);
        }
    }

    /// Commits by time, and sends what is asked for.
    pub(super) fn act_on_commits(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if let Some(every) = self.settings.commits_every
            && now.since(self.commits.last) >= every
            && self.commits.is_empty()
        {
            self.commit_done(now);
        }
        while let Some(first) = self.commits.queue.front()
            && first.until <= now
        {
            let last = first.last.clone().map(Box::new);
            let what = "committing".into();
            let may_take_effect = first.ticket.is_some() || last.is_some();
            self.finish_commit(Err(Error::TimedOut { what, last, may_take_effect }));
        }
        let is_due = |first: &Commit| first.ticket.is_none() && first.not_before <= now;
        if !self.commits.queue.front().is_some_and(is_due) {
            return;
        }
        let Some(coordinator) = self.coordinator(now) else { return };
        let Some(first) = self.commits.queue.front() else { return };
        let (generation_id, member_id) = first.credentials.clone();
        let offsets = first.offsets.iter().map(|((topic, partition), offset)| OffsetToCommit {
            topic: topic.clone(),
            partition: *partition,
            offset: *offset,
            ..Default::default()
        });
        let asked = CommitOffsetRequest {
            group_id: self.settings.group.clone().unwrap_or_default(),
            generation_id,
            member_id,
            group_instance_id: self.settings.instance.clone(),
            offsets: offsets.collect(),
        };
        let ticket = self.ask(&coordinator, asked.into(), WITHIN, Purpose::Commit, actions);
        if let Some(first) = self.commits.queue.front_mut() {
            first.ticket = Some(ticket);
        }
    }

    /// A commit is answered.
    pub(super) fn commit_answered(&mut self, now: Moment, ticket: Ticket, address: &str, answer: Answered) {
        if self.commits.queue.front().is_none_or(|first| first.ticket != Some(ticket)) {
            return;
        }
        let outcome = match answer {
            Ok(Answer::Commit(kept)) => {
                let mut refused = kept.partitions.into_iter().filter_map(|part| part.error);
                Error::refused(address, refused.next())
            }
            Ok(_) => Err(Error::Unreadable { node: address.to_owned(), why: "no answer to a commit".into() }),
            Err(error) => Err(error),
        };
        let Err(error) = outcome else { return self.finish_commit(Ok(())) };
        self.follow_coordinator(&error);
        let is_over = matches!(
            error.code(),
            Some(
                code::ILLEGAL_GENERATION
                    | code::UNKNOWN_MEMBER_ID
                    | code::REBALANCE_IN_PROGRESS
                    | code::FENCED_INSTANCE_ID
            )
        );
        let first = self.commits.queue.front();
        if is_over && first.is_some_and(|first| first.credentials == self.membership.credentials()) {
            self.membership.is_over(&error);
        }
        if is_over || error.remedy() == Remedy::Never {
            return self.finish_commit(Err(error));
        }
        if let Some(first) = self.commits.queue.front_mut() {
            first.failures += 1;
            first.not_before = now.after(self.settings.pauses.after(first.failures, &mut self.chance));
            first.ticket = None;
            first.last = Some(error);
        }
    }

    fn queue_commit(&mut self, now: Moment, id: Option<u64>, offsets: Vec<(Place, i64)>) {
        let until = now.after(self.settings.commit_timeout);
        let commit = Commit {
            id,
            offsets,
            credentials: self.membership.credentials(),
            until,
            ticket: None,
            not_before: now,
            failures: 0,
            last: None,
        };
        self.commits.queue.push_back(commit);
    }

    fn finish_commit(&mut self, outcome: Result<(), Error>) {
        let Some(commit) = self.commits.queue.pop_front() else { return };
        if outcome.is_ok() {
            for (place, offset) in commit.offsets {
                if let Some(reading) = self.readings.get_mut(&place) {
                    reading.was_committed(offset);
                }
            }
        }
        if let Some(id) = commit.id {
            self.told.push(Action::Committed { id, outcome });
        }
    }

    fn to_commit(&self) -> Vec<(Place, i64)> {
        let readings = self.readings.iter();
        if is_planted(self.settings.mutant, Mutant::CommitAhead) {
            return readings.map(|(place, reading)| (place.clone(), reading.fetched_to())).collect();
        }
        readings.filter_map(|(place, reading)| Some((place.clone(), reading.to_commit()?))).collect()
    }
}
