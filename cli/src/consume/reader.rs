//! Reads partitions, each from its leader: one question a leader is under way, and the next leaves when its records were
//! taken, so that what is in memory is bounded by one answer of each leader.
//!
//! A leader that has moved is found again; what it was to be asked for is asked for anew, from where it was.

use crate::record::Record;
use crate::trouble::Trouble;
use rust_mq_client::admin::TopicPartition;
use rust_mq_client::{Client, Error, Patience, To, grpc};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use tokio::task::JoinSet;

/// How long a leader waits for records. Source: chosen; whoever follows is told of a record when it comes in any case.
const WAIT: Duration = Duration::from_secs(5);
/// How long an answer may take beyond that.
const GRACE: Duration = Duration::from_secs(10);
/// Kafka's code for an offset that is not there any more.
const OFFSET_OUT_OF_RANGE: i32 = 1;

/// What of a partition is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The offset to go on with.
    pub next: i64,
    /// The offset to end before, if there is an end.
    pub until: Option<i64>,
}

impl Extent {
    fn is_read(self) -> bool {
        self.until.is_some_and(|until| self.next >= until)
    }
}

/// A leader's answer, and whom it came from.
type Answer = (String, Vec<TopicPartition>, Result<grpc::FetchResponse, Error>);

/// Partitions under way.
pub(crate) struct Reader {
    client: Client,
    is_following: bool,
    left: BTreeMap<TopicPartition, Extent>,
    /// Of which a question is under way.
    asked: BTreeSet<TopicPartition>,
    running: JoinSet<Answer>,
    patience: Option<Patience>,
    ready: VecDeque<Vec<Record>>,
    /// How often leaders were asked.
    turn: usize,
}

impl Reader {
    /// Reads these.
    pub(crate) fn new(
        client: Client,
        extents: BTreeMap<TopicPartition, Extent>,
        is_following: bool,
    ) -> Reader {
        Reader {
            client,
            is_following,
            left: extents.into_iter().filter(|(_, extent)| !extent.is_read()).collect(),
            asked: BTreeSet::new(),
            running: JoinSet::new(),
            patience: None,
            ready: VecDeque::new(),
            turn: 0,
        }
    }

    /// Some records of one partition, in its order; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Record>>, Trouble> {
        loop {
            if let Some(records) = self.ready.pop_front() {
                return Ok(Some(records));
            }
            if self.left.is_empty() {
                return Ok(None);
            }
            self.ask().await?;
            // A task that panicked is asked for anew.
            let Some(Ok((leader, asked, answer))) = self.running.join_next().await else {
                self.asked.clear();
                continue;
            };
            for of in &asked {
                self.asked.remove(of);
            }
            if let Err(error) = self.take(&leader, answer) {
                self.pause(error).await?;
            }
        }
    }

    /// Asks every leader of what it is not asked for yet.
    async fn ask(&mut self) -> Result<(), Trouble> {
        let missing: Vec<(TopicPartition, Extent)> = self
            .left
            .iter()
            .filter(|(of, _)| !self.asked.contains(of))
            .map(|(of, at)| (of.clone(), *at))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut leaders = BTreeMap::<String, Vec<grpc::FetchPartition>>::new();
        for (of, extent) in missing {
            match self.client.address(To::Leader(&of.topic, of.partition)).await {
                Ok(leader) => leaders.entry(leader).or_default().push(grpc::FetchPartition {
                    topic: of.topic,
                    partition: of.partition,
                    offset: extent.next,
                    ..Default::default()
                }),
                // What has a leader goes on meanwhile.
                Err(error) if self.running.is_empty() && leaders.is_empty() => {
                    return self.pause(error).await;
                }
                Err(_) => {}
            }
        }
        self.turn += 1;
        for (leader, mut partitions) in leaders {
            // An answer is bounded: none comes last each time.
            let by = self.turn % partitions.len();
            partitions.rotate_left(by);
            let asked: Vec<TopicPartition> = partitions
                .iter()
                .map(|part| TopicPartition::new(part.topic.clone(), part.partition))
                .collect();
            self.asked.extend(asked.iter().cloned());
            let max_wait_ms = if self.is_following { WAIT.as_millis() as i32 } else { 0 };
            let request = grpc::FetchRequest { partitions, max_wait_ms, ..Default::default() };
            let connections = self.client.connections().clone();
            self.running.spawn(async move {
                let answer = connections.ask(&leader, request, WAIT + GRACE).await;
                (leader, asked, answer)
            });
        }
        Ok(())
    }

    /// Takes an answer; what of it is to be tried again comes back.
    fn take(&mut self, leader: &str, answer: Result<grpc::FetchResponse, Error>) -> Result<(), Error> {
        let mut failed = Ok(());
        for part in answer?.partitions {
            let of = TopicPartition::new(part.topic, part.partition);
            let Some(extent) = self.left.get_mut(&of) else { continue };
            if let Some(refusal) = part.error {
                let error = Error::Refused { node: leader.to_owned(), refusal: Box::new(refusal) };
                if error.code() == Some(OFFSET_OUT_OF_RANGE) && part.log_start_offset > extent.next {
                    // Retention was faster: what is left is read.
                    extent.next = part.log_start_offset;
                    continue;
                }
                self.client.learn(To::Leader(&of.topic, of.partition), &error);
                failed = Err(error);
                continue;
            }
            self.patience = None;
            let until = extent.until.unwrap_or(i64::MAX);
            let records = part.records.into_iter().filter(|record| record.offset < until);
            let records: Vec<Record> =
                records.map(|record| Record::read(&of.topic, of.partition, record)).collect();
            extent.next = extent.next.max(part.next_offset);
            if extent.is_read() {
                self.left.remove(&of);
            }
            if !records.is_empty() {
                self.ready.push_back(records);
            }
        }
        failed
    }

    /// Pauses after what may pass.
    async fn pause(&mut self, error: Error) -> Result<(), Trouble> {
        self.client.learn(To::Anyone, &error);
        let patience = self.patience.get_or_insert_with(|| self.client.patience());
        let waited = patience.wait(error).await;
        waited.map_err(|error| Trouble::of("not all was read", &error))
    }
}
