//! Records that are fetched ahead: from each leader what its partitions have next, while there is room.
//!
//! A node may be asked twice at a time: while it waits for records of partitions that have none, one whose records were
//! all handed out is not to wait behind it. And once more for those that are known to have more: both may wait for others,
//! and such a fetch never waits (`sim/plans/seed-1195.json`).

use super::reading::{Position, Reading};
use super::{Action, Machine, Place, Purpose};
use crate::machine::error::{Error, Remedy, code};
use crate::machine::moment::Moment;
use crate::machine::mutant::{Mutant, is_planted};
use crate::machine::question::{Answer, Answered, Ticket};
use rust_mq_proto::grpc::{FetchPartition, FetchRequest, FetchedPartition, RecordFormat};
use std::collections::BTreeMap;

/// Fetches that one node has to answer at a time and that may wait for records.
const WAITING_MAX: usize = 2;
/// All fetches that one node has to answer at a time: beyond, only for partitions that are known to have more.
const FETCHES_MAX: usize = WAITING_MAX + 1;
/// What a fetch asks for at most: the service gives 4 MiB.
const FETCH_BYTES_MAX: usize = 4 << 20;

impl Machine {
    /// Fetches what can be fetched.
    pub(super) fn fetch(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.is_closing {
            return;
        }
        let mut by_leader: BTreeMap<String, Vec<(Place, i64)>> = BTreeMap::new();
        for (place, reading) in &self.readings {
            if let Some(offset) = reading.fetchable(now, self.settings.partition_bytes)
                && let Some(leader) = self.map.leader(&place.0, place.1)
            {
                by_leader.entry(leader.to_owned()).or_default().push((place.clone(), offset));
            }
        }
        // What may still come counts as if it had.
        let come: usize = self.readings.values().map(Reading::bytes).sum();
        let mut taken = come;
        let mut fetches: BTreeMap<String, usize> = BTreeMap::new();
        for asked in self.asked.values() {
            if let Purpose::Fetch(_, bytes) = &asked.purpose {
                taken += bytes;
                *fetches.entry(asked.address.clone()).or_default() += 1;
            }
        }
        for (leader, mut places) in by_leader {
            let left = self.settings.prefetch_bytes.saturating_sub(taken);
            let under_way = fetches.get(&leader).copied().unwrap_or(0);
            if under_way >= WAITING_MAX || (left == 0 && under_way > 0) {
                let has_room = under_way < FETCHES_MAX && come < self.settings.prefetch_bytes;
                places.retain(|(place, _)| has_room && self.readings[place].has_more());
                if places.is_empty() {
                    continue;
                }
            }
            let share = self.settings.prefetch_bytes / 4;
            let bytes = share.min(FETCH_BYTES_MAX).min(left).max(1);
            taken += bytes;
            self.fetch_from(&leader, places, bytes, actions);
        }
    }

    fn fetch_from(
        &mut self,
        leader: &str,
        places: Vec<(Place, i64)>,
        bytes: usize,
        actions: &mut Vec<Action>,
    ) {
        let number = |bytes: usize| i32::try_from(bytes).unwrap_or(i32::MAX);
        let partition_bytes = number(self.settings.partition_bytes.min(bytes));
        let partitions = places.iter().map(|((topic, partition), offset)| FetchPartition {
            topic: topic.clone(),
            partition: *partition,
            offset: *offset,
            max_bytes: partition_bytes,
            leader_epoch: None,
        });
        let asked = FetchRequest {
            partitions: partitions.collect(),
            max_wait_ms: i32::try_from(self.settings.fetch_wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: 1,
            max_bytes: number(bytes),
            format: RecordFormat::Batches as i32,
            ..Default::default()
        };
        let within = self.settings.fetch_wait + self.settings.call_timeout;
        let purpose = Purpose::Fetch(places.clone(), bytes);
        let ticket = self.ask(leader, asked.into(), within, purpose, actions);
        for (place, _) in places {
            if let Some(reading) = self.readings.get_mut(&place) {
                reading.asked = Some(ticket);
            }
        }
    }

    /// A fetch is answered.
    pub(super) fn fetch_answered(
        &mut self,
        now: Moment,
        ticket: Ticket,
        address: &str,
        places: &[(Place, i64)],
        answer: Answered,
    ) {
        let mut found: BTreeMap<Place, FetchedPartition> = BTreeMap::new();
        let mut error = Error::Unreadable { node: address.to_owned(), why: "not all was answered".into() };
        match answer {
            Ok(Answer::Fetch(fetched)) => {
                let parts = fetched.partitions.into_iter();
                found.extend(parts.map(|part| ((part.topic.clone(), part.partition), part)));
            }
            Ok(_) => {}
            Err(refused) => error = refused,
        }
        for (place, _) in places {
            let Some(reading) = self.readings.get_mut(place) else { continue };
            // From before a seek, or of another time that this partition was its own.
            let takes_any = is_planted(self.settings.mutant, Mutant::LateAnswerTaken);
            if reading.asked != Some(ticket) && !takes_any {
                continue;
            }
            reading.asked = None;
            let outcome = match found.remove(place) {
                Some(part) => Error::refused(address, part.error.clone()).map(|()| part),
                None => Err(error.clone()),
            };
            match outcome {
                Ok(part) => reading.fetched(part.batches, part.next_offset, part.high_watermark),
                Err(error) => self.fetch_failed(now, place, &error),
            }
        }
    }

    fn fetch_failed(&mut self, now: Moment, place: &Place, error: &Error) {
        if error.code() == Some(code::OFFSET_OUT_OF_RANGE) {
            let reset = self.settings.reset;
            let reading = self.readings.get_mut(place).expect("it was just there");
            match reset {
                Some(goal) if !reading.has_some() => reading.seek(Position::Sought(goal)),
                None if !reading.has_some() => {
                    reading.seek(Position::Nowhere);
                    self.report(error.clone());
                }
                // What has come is handed out first.
                _ => self.hold(now, place),
            }
            return;
        }
        self.follow_leader(place, error);
        self.hold(now, place);
        if error.remedy() == Remedy::Never {
            self.report(error.clone());
        }
    }
}
