//! A question about many partitions: split by who leads them, asked of all leaders at once, and put together again in the
//! order in which it was asked. Partitions whose leader has moved are asked for again; the others are not.
//!
//! Bound: [`IN_FLIGHT_MAX`] leaders are asked at a time; a question names [`PARTITIONS_MAX`] partitions at most.

use super::{Admin, TopicPartition, is_final};
use crate::call::Call;
use crate::client::To;
use crate::machine::error::{Error, Remedy, code};
use rust_mq_proto::grpc;
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;

/// Questions on their way at once. Source: chosen; each is answered from memory. At the edge: the next waits for one.
const IN_FLIGHT_MAX: usize = 16;
/// Partitions of one question. Source: chosen, far below what a message may hold. At the edge: several questions.
const PARTITIONS_MAX: usize = 10_000;

/// One kind of question: `I` is asked of each partition, `F` is the answer.
pub(super) struct Spread<I, C: Call, F> {
    /// What is asked of one leader.
    pub ask: fn(Vec<(TopicPartition, I)>) -> C,
    /// What it answered.
    pub read: fn(C::Answer) -> Vec<Told<F>>,
}

/// What a leader says of a partition.
#[derive(Clone, Debug)]
pub(super) struct Told<F> {
    /// Of which.
    pub of: TopicPartition,
    /// What was asked for.
    pub found: F,
    /// Or why not.
    pub error: Option<grpc::Error>,
}

/// What is asked of one partition, with its place among all that was asked.
#[derive(Clone, Debug)]
struct Item<I> {
    place: usize,
    of: TopicPartition,
    asked: I,
}

/// A question for one leader.
struct Question<I> {
    leader: String,
    items: Vec<Item<I>>,
}

/// What came of one partition in one round.
struct Outcome<I, F> {
    item: Item<I>,
    result: Result<F, Error>,
}

impl Admin {
    /// Asks for all, until each is answered, refused for good, or the client's deadline is over.
    pub(super) async fn spread<I, C, F>(
        &self,
        kind: &Spread<I, C, F>,
        asked: Vec<(TopicPartition, I)>,
    ) -> Vec<(TopicPartition, Result<F, Error>)>
    where
        I: Clone + Send + 'static,
        C: Call,
        F: Clone + Send + 'static,
    {
        let mut results: Vec<(TopicPartition, Option<Result<F, Error>>)> =
            asked.iter().map(|(of, _)| (of.clone(), None)).collect();
        let numbered = asked.into_iter().enumerate();
        let mut left: Vec<Item<I>> = numbered.map(|(place, (of, asked))| Item { place, of, asked }).collect();
        let mut patience = self.client.patience();
        while !left.is_empty() {
            let mut again = Vec::new();
            for Outcome { item, result } in self.round(kind, std::mem::take(&mut left)).await {
                match result {
                    Err(error) if error.remedy() != Remedy::Never && !is_final(&error) => {
                        self.client.learn(To::Leader(&item.of.topic, item.of.partition), &error);
                        again.push((item, error));
                    }
                    result => results[item.place].1 = Some(result),
                }
            }
            let Some((_, error)) = again.last() else { break };
            let is_over = patience.wait(error.clone()).await.is_err();
            for (item, error) in again {
                match is_over {
                    true => results[item.place].1 = Some(Err(error)),
                    false => left.push(item),
                }
            }
        }
        let unsaid = |of: &TopicPartition| {
            let why = format!("nothing is said of {of}");
            Error::Unreadable { node: "a node".into(), why }
        };
        let result = |(of, result): (TopicPartition, Option<Result<F, Error>>)| {
            let result = result.unwrap_or_else(|| Err(unsaid(&of)));
            (of, result)
        };
        results.into_iter().map(result).collect()
    }

    /// Asks each leader once. Of what a leader leaves out nothing comes back.
    async fn round<I, C, F>(&self, kind: &Spread<I, C, F>, items: Vec<Item<I>>) -> Vec<Outcome<I, F>>
    where
        I: Clone + Send + 'static,
        C: Call,
        F: Clone + Send + 'static,
    {
        let (mut waiting, mut outcomes) = self.by_leader(items).await;
        let mut running = JoinSet::new();
        loop {
            while running.len() < IN_FLIGHT_MAX
                && let Some(question) = waiting.pop()
            {
                let asked = question.items.iter().map(|item| (item.of.clone(), item.asked.clone()));
                let asked = (kind.ask)(asked.collect());
                let (client, read) = (self.client.clone(), kind.read);
                running.spawn(async move {
                    let within = client.settings().call_timeout;
                    let answer = client.ask_address(&question.leader, asked, within).await;
                    question.answered(answer.map(read))
                });
            }
            match running.join_next().await {
                Some(Ok(answered)) => outcomes.extend(answered),
                // A task that panicked: what it was for is left out.
                Some(Err(_)) => {}
                None => return outcomes,
            }
        }
    }

    /// A question for each leader, and what became of partitions of which nobody is known to lead them.
    async fn by_leader<I, F>(&self, items: Vec<Item<I>>) -> (Vec<Question<I>>, Vec<Outcome<I, F>>) {
        let is_unknown = |item: &&Item<I>| self.client.leader(&item.of.topic, item.of.partition).is_none();
        let unknown = items.iter().filter(is_unknown).map(|item| item.of.topic.clone());
        let unknown: BTreeSet<String> = unknown.collect();
        let known = if unknown.is_empty() { BTreeMap::new() } else { self.partitions_of(unknown).await };
        let (mut leaders, mut outcomes) = (BTreeMap::<String, Vec<Item<I>>>::new(), Vec::new());
        for item in items {
            match self.client.leader(&item.of.topic, item.of.partition) {
                Some(leader) => leaders.entry(leader).or_default().push(item),
                None => {
                    let result = Err(leaderless(&item.of, known.get(&item.of.topic)));
                    outcomes.push(Outcome { item, result });
                }
            }
        }
        let mut questions = Vec::new();
        for (leader, mut items) in leaders {
            while items.len() > PARTITIONS_MAX {
                let some = items.split_off(items.len() - PARTITIONS_MAX);
                questions.push(Question { leader: leader.clone(), items: some });
            }
            questions.push(Question { leader, items });
        }
        (questions, outcomes)
    }

    /// Which partitions those topics have. Who leads them is remembered.
    async fn partitions_of(
        &self,
        topics: BTreeSet<String>,
    ) -> BTreeMap<String, Result<BTreeSet<i32>, Error>> {
        match self.told(topics.iter().cloned().collect()).await {
            Err(error) => topics.into_iter().map(|topic| (topic, Err(error.clone()))).collect(),
            Ok(told) => {
                let numbers =
                    |topic: &grpc::Topic| topic.partitions.iter().map(|part| part.partition).collect();
                let one = |topic: grpc::Topic| {
                    let numbers = numbers(&topic);
                    (topic.name, Error::refused("a node", topic.error).map(|()| numbers))
                };
                told.topics.into_iter().map(one).collect()
            }
        }
    }
}

impl<I> Question<I> {
    fn answered<F>(self, answer: Result<Vec<Told<F>>, Error>) -> Vec<Outcome<I, F>> {
        let told = match answer {
            Ok(told) => told,
            Err(error) => {
                let failed = |item| Outcome { item, result: Err(error.clone()) };
                return self.items.into_iter().map(failed).collect();
            }
        };
        let mut told: BTreeMap<TopicPartition, Told<F>> =
            told.into_iter().map(|told| (told.of.clone(), told)).collect();
        let outcome = |item: Item<I>| {
            let Told { found, error, .. } = told.remove(&item.of)?;
            Some(Outcome { item, result: Error::refused(&self.leader, error).map(|()| found) })
        };
        self.items.into_iter().filter_map(outcome).collect()
    }
}

/// Why nobody leads a partition: it may not be there.
fn leaderless(of: &TopicPartition, known: Option<&Result<BTreeSet<i32>, Error>>) -> Error {
    match known {
        Some(Err(error)) => error.clone(),
        Some(Ok(numbers)) if !numbers.contains(&of.partition) => {
            let refusal = grpc::Error {
                code: code::UNKNOWN_TOPIC_OR_PARTITION,
                name: "UNKNOWN_TOPIC_OR_PARTITION".into(),
                message: format!("{} has {} partitions, from 0", of.topic, numbers.len()),
                ..Default::default()
            };
            Error::Refused { node: "the cluster".into(), refusal: Box::new(refusal) }
        }
        _ => Error::Unreachable {
            node: "the cluster".into(),
            why: format!("nobody leads {of} for now"),
            was_sent: false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_is_not_there_is_told_from_one_that_nobody_leads() {
        let of = TopicPartition::new("t", 7);
        let narrow = leaderless(&of, Some(&Ok(BTreeSet::from([0, 1]))));
        assert!(is_final(&narrow));
        assert_eq!(
            narrow.to_string(),
            "the cluster refused with UNKNOWN_TOPIC_OR_PARTITION (3): t has 2 partitions, from 0"
        );
        let wide = leaderless(&of, Some(&Ok(BTreeSet::from([7]))));
        assert_eq!(wide.remedy(), Remedy::Elsewhere);
    }

    #[test]
    fn an_answer_is_given_to_whom_it_is_of_and_what_it_leaves_out_to_nobody() {
        let item = |place, partition| Item { place, of: TopicPartition::new("t", partition), asked: () };
        let question = Question { leader: "a:1".into(), items: vec![item(0, 5), item(1, 6), item(2, 7)] };
        let refusal = grpc::Error { code: 6, is_retriable: true, ..Default::default() };
        let told =
            |partition, error| Told { of: TopicPartition::new("t", partition), found: partition, error };
        let outcomes = question.answered(Ok(vec![told(7, Some(refusal)), told(5, None)]));
        let shown: Vec<(usize, Result<i32, Remedy>)> = outcomes
            .into_iter()
            .map(|outcome| (outcome.item.place, outcome.result.map_err(|error| error.remedy())))
            .collect();
        assert_eq!(shown, [(0, Ok(5)), (2, Err(Remedy::Elsewhere))]);
    }
}
