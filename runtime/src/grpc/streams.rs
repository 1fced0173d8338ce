//! Streams: records appended, and records read, message after message over one call.
//!
//! `produce` hands its messages to the core over one line, as a Kafka client pipelines them: in order, and answered in
//! order. It reads no further while the core has no credit for it, or its caller takes no answers.
//!
//! `subscribe` asks for what comes next as soon as what came before is on its way, within its caller's credit. It keeps
//! where it is, and nothing else: who loses the stream goes on from `next_offset` with another one.
//!
//! Invariants: `unanswered.len() <= GRPC_PIPELINE_MAX`; a message of a subscription leaves only while its credit is above
//! 0.

use super::call::{Call, read};
use super::framing::{Answers, Asked};
use super::{fetch, records, refusal};
use crate::limits::{GRPC_FETCH_BYTES_MAX, GRPC_PIPELINE_MAX, GRPC_POLL_MAX, GRPC_SUBSCRIBED_MAX};
use bytes::BytesMut;
use prost::Message;
use rust_mq_proto::grpc::{
    Error, FetchPartition, FetchRequest, FetchResponse, FetchedPartition, ProduceRequest, ProduceResponse,
    RecordFormat, SubscribeRequest,
};
use rust_mq_proto::kafka::api::{fetch as kafka_fetch, produce as kafka_produce};
use rust_mq_proto::translation::fetch::{FETCH, Starts, if_refused, starts};
use rust_mq_proto::translation::records::{PRODUCE, is_answered};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use tonic::Status;

/// Appends message after message.
pub(super) async fn produce(
    call: Arc<Call>,
    mut asked: Asked<ProduceRequest>,
    answers: Answers<ProduceResponse>,
) -> Result<(), Status> {
    let mut line = call.take_line()?;
    // Whether each message that was handed over, or is being, will be answered by the core.
    let mut unanswered = VecDeque::new();
    // What of it the core has not got yet, and whether it is still counted as arriving.
    let (mut request, mut is_held) = (BytesMut::new(), false);
    let mut end: Option<Result<(), Status>> = None;
    loop {
        if unanswered.front() == Some(&true)
            && let Some(answer) = line.heard().map_err(refusal::of_end)?
        {
            unanswered.pop_front();
            let answer = read::<kafka_produce::ProduceRequest>(PRODUCE, answer)?;
            give(&answers, records::appended(&call, answer).await).await?;
            line.spent();
            continue;
        }
        let is_handed_over = !line.hand_over(&mut request).map_err(refusal::of_end)?;
        if is_handed_over && std::mem::take(&mut is_held) {
            call.handed_over();
        }
        // Whoever wants no answer gets an empty one, in its turn.
        if unanswered.front() == Some(&false) && (is_handed_over || unanswered.len() > 1) {
            unanswered.pop_front();
            give(&answers, ProduceResponse::default()).await?;
            continue;
        }
        if unanswered.is_empty()
            && let Some(end) = end
        {
            call.keep_line(line);
            return end;
        }
        let may_read = end.is_none() && is_handed_over && unanswered.len() < GRPC_PIPELINE_MAX;
        tokio::select! {
            () = line.news() => {}
            message = asked.next(), if may_read => match message.and_then(|message| written(&call, message)) {
                Ok(Some((bytes, is_answered))) => {
                    (request, is_held) = (bytes, true);
                    unanswered.push_back(is_answered);
                }
                Ok(None) => end = Some(Ok(())),
                Err(status) => end = Some(Err(status)),
            },
        }
    }
}

/// A message in Kafka's words, and whether it will be answered.
fn written(call: &Call, message: Option<ProduceRequest>) -> Result<Option<(BytesMut, bool)>, Status> {
    let Some(message) = message else { return Ok(None) };
    let asked = records::to_append(call, message)?;
    Ok(Some((call.written(PRODUCE, &asked), is_answered(&asked))))
}

/// Sends records as they come.
pub(super) async fn subscribe(
    call: Arc<Call>,
    mut asked: Asked<SubscribeRequest>,
    answers: Answers<FetchResponse>,
) -> Result<(), Status> {
    let Some(first) = asked.next().await? else {
        return Err(Status::invalid_argument("the first message says what to be sent"));
    };
    call.handed_over();
    let mut subscription = Subscription::new(first)?;
    let mut is_open = true;
    loop {
        if !subscription.is_wanted() {
            // Nobody can give more credit any more, or name another partition.
            if !is_open {
                return Ok(());
            }
            match asked.next().await? {
                Some(message) => {
                    call.handed_over();
                    subscription.change(message)?;
                }
                None => is_open = false,
            }
            continue;
        }
        let (request, from) = subscription.next(&call)?;
        let mut asking = pin!(call.ask(FETCH, &request));
        let answer = loop {
            tokio::select! {
                answer = &mut asking => break answer?,
                message = asked.next(), if is_open => match message? {
                    Some(message) => {
                        call.handed_over();
                        subscription.change(message)?;
                    }
                    None => is_open = false,
                },
            }
        };
        if_refused(&answer).map_err(refusal::status)?;
        let (found, taken) = fetch::read(&call, answer, &from, subscription.format, true).await?;
        let found = subscription.found(found, &from);
        if !found.partitions.is_empty() {
            subscription.spend(&found);
            // When there is room for this one, the one before it has been taken.
            let earlier = call.leaves(taken);
            give(&answers, found).await?;
            drop(earlier);
        }
        if let Some(error) = subscription.over() {
            return Err(refusal::status(error.clone()));
        }
    }
}

/// What a stream is sent.
struct Subscription {
    /// Each with the offset that comes next; those that had something last are asked last.
    partitions: Vec<FetchPartition>,
    /// How many bytes may be sent; nothing is no limit.
    credit_bytes: Option<i64>,
    isolation: i32,
    format: RecordFormat,
    /// Why a partition was dropped last.
    dropped_for: Option<Error>,
}

impl Subscription {
    fn new(first: SubscribeRequest) -> Result<Subscription, Status> {
        let format = fetch::format(first.format)?;
        let (isolation, credit) = (first.isolation, first.credit_bytes);
        let mut subscription = Subscription {
            partitions: Vec::new(),
            credit_bytes: (credit != 0).then_some(0),
            isolation,
            format,
            dropped_for: None,
        };
        subscription.change(first)?;
        Ok(subscription)
    }

    fn change(&mut self, message: SubscribeRequest) -> Result<(), Status> {
        let Ok(more) = u32::try_from(message.credit_bytes.min(i64::from(u32::MAX))) else {
            return Err(Status::invalid_argument("a credit below 0"));
        };
        if let Some(credit) = &mut self.credit_bytes {
            *credit = credit.saturating_add(i64::from(more));
        }
        let dropped = message.dropped.into_iter().map(|part| (part.topic, part.partition));
        let named = message.partitions.iter().map(|part| (part.topic.clone(), part.partition));
        let gone: BTreeSet<(String, i32)> = dropped.chain(named).collect();
        if !gone.is_empty() {
            self.partitions.retain(|part| !gone.contains(&(part.topic.clone(), part.partition)));
        }
        if self.partitions.len() + message.partitions.len() > GRPC_SUBSCRIBED_MAX {
            return Err(Status::resource_exhausted(format!("at most {GRPC_SUBSCRIBED_MAX} partitions")));
        }
        self.partitions.extend(message.partitions);
        Ok(())
    }

    /// Whether something may be sent.
    fn is_wanted(&self) -> bool {
        !self.partitions.is_empty() && self.credit_bytes.is_none_or(|credit| credit > 0)
    }

    /// What to ask next, and from where that is.
    fn next(&self, call: &Call) -> Result<(kafka_fetch::FetchRequest, Starts), Status> {
        let credit = self.credit_bytes.unwrap_or(i64::MAX).min(i64::from(GRPC_FETCH_BYTES_MAX));
        let partitions = self.partitions.clone();
        let from = starts(&partitions);
        let request = FetchRequest {
            partitions,
            isolation: self.isolation,
            max_bytes: i32::try_from(credit).unwrap_or(GRPC_FETCH_BYTES_MAX),
            ..Default::default()
        };
        let mut request = fetch::to_read(request)?;
        request.max_wait_ms = call.wait_ms(GRPC_POLL_MAX);
        Ok((request, from))
    }

    /// What of an answer is news. A partition that was dropped or moved meanwhile is none. Those of which something came are
    /// asked last from now on, or what fills an answer would always be the first one's.
    fn found(&mut self, answer: FetchResponse, from: &Starts) -> FetchResponse {
        let found = answer.partitions.into_iter().map(|part| ((part.topic.clone(), part.partition), part));
        let mut found: BTreeMap<(String, i32), FetchedPartition> = found.collect();
        let (mut news, mut moved) = (Vec::new(), Vec::new());
        for mut held in std::mem::take(&mut self.partitions) {
            let key = (held.topic.clone(), held.partition);
            let part = found.remove(&key).filter(|_| from.get(&key) == Some(&held.offset));
            let Some(part) = part else {
                self.partitions.push(held);
                continue;
            };
            if let Some(error) = &part.error {
                self.dropped_for = Some(error.clone());
                news.push(part);
                continue;
            }
            let has_moved = part.next_offset != held.offset;
            held.offset = part.next_offset;
            if has_moved {
                moved.push(held)
            } else {
                self.partitions.push(held)
            }
            if !part.records.is_empty() || !part.batches.is_empty() {
                news.push(part);
            }
        }
        self.partitions.append(&mut moved);
        FetchResponse { partitions: news }
    }

    fn spend(&mut self, sent: &FetchResponse) {
        if let Some(credit) = &mut self.credit_bytes {
            *credit = credit.saturating_sub(i64::try_from(sent.encoded_len()).unwrap_or(i64::MAX));
        }
    }

    /// Why nothing is left to be sent, if that is so.
    fn over(&self) -> Option<&Error> {
        self.dropped_for.as_ref().filter(|_| self.partitions.is_empty())
    }
}

/// Gives an answer, once there is room for it.
async fn give<A>(answers: &Answers<A>, answer: A) -> Result<(), Status> {
    answers.send(Ok(answer)).await.map_err(|_| Status::cancelled("its caller has gone"))
}
