//! The producer: the shell around its machine (`machine/producer`).
//!
//! Records are handed to the machine under a lock, by whoever calls [`Producer::send`]; a task of the producer's own, its
//! driver, asks the machine what is to be done and does it. The bound on memory is kept here: room is taken before a
//! record is handed over, and given back when it is settled.
//!
//! Invariant: every [`Delivery`] is resolved: by the cluster's word, by a deadline, or because the producer is gone.

mod driver;
mod lane;
mod waiters;

use crate::client::{Client, seed};
use crate::machine::error::Error;
use crate::machine::moment::Moment;
use crate::machine::producer::{Event, Machine, REQUEST_BYTES_MAX, Sealing, Settings};
use crate::machine::record::Record;
use rust_mq_proto::grpc::Acks;
use rust_mq_proto::records::Codec;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::time::{Instant, timeout};
use waiters::{Waiter, Waiters};

/// How a producer produces. [`ProducerSettings::default`] is good for most.
#[derive(Clone, Debug)]
pub struct ProducerSettings {
    /// Whom to wait for. All, which is a majority of the replicas, with their disks.
    pub acks: Acks,
    /// Whether the broker is to know repetitions, so that no record is there twice. Yes; never with [`Acks::None`].
    pub is_idempotent: bool,
    /// How batches are compressed. Not at all.
    pub compression: Codec,
    /// How long a batch waits for more records. 5 ms.
    pub linger: Duration,
    /// How large a batch becomes, before compression. 128 KiB.
    pub batch_bytes: usize,
    /// How much may be under way: beyond it, [`Producer::send`] waits. 32 MiB.
    pub memory_bytes: usize,
    /// The largest record. 1 MiB, which is also what topics take unless `max.message.bytes` says otherwise.
    pub record_bytes_max: usize,
    /// How long [`Producer::send`] waits for room. 60 s.
    pub send_wait_max: Duration,
    /// How long a record is tried, from its hand-over on. 2 minutes.
    pub delivery_timeout: Duration,
    /// How long a node may wait for its replicas. 30 s.
    pub request_timeout: Duration,
    /// Whether a topic that is not there is made, with the broker's defaults, if the broker allows it. Yes.
    pub makes_topics: bool,
    /// After how long it is asked again which partitions there are. 5 minutes.
    pub metadata_age_max: Duration,
}

impl Default for ProducerSettings {
    fn default() -> ProducerSettings {
        ProducerSettings {
            acks: Acks::All,
            is_idempotent: true,
            compression: Codec::None,
            linger: Duration::from_millis(5),
            batch_bytes: 128 << 10,
            memory_bytes: 32 << 20,
            record_bytes_max: 1 << 20,
            send_wait_max: Duration::from_secs(60),
            delivery_timeout: Duration::from_secs(120),
            request_timeout: Duration::from_secs(30),
            makes_topics: true,
            metadata_age_max: Duration::from_secs(300),
        }
    }
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The partition.
    pub partition: i32,
    /// The offset. None with [`Acks::None`], and where the broker only knows that it has had the record before.
    pub offset: Option<i64>,
    /// The broker's time in milliseconds, if the topic stamps its records with it.
    pub append_time_ms: Option<i64>,
}

/// Appends records.
///
/// ```no_run
/// # async fn example() -> Result<(), rust_mq_client::Error> {
/// use rust_mq_client::{Client, ProducerSettings, Record};
///
/// let producer = Client::new("localhost:9092")?.producer(ProducerSettings::default())?;
/// let delivery = producer.send(Record::new("greetings", "hello").key("world")).await?;
/// let placed = delivery.await?;
/// println!("at {}/{:?}", placed.partition, placed.offset);
/// producer.close().await;
/// # Ok(())
/// # }
/// ```
///
/// It can be shared by reference, or in an `Arc`. Dropped without [`Producer::close`], it gives up what is under way: each
/// [`Delivery`] then says so, and so does the log.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
}

/// What the callers, the driver and its tasks share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// There is something to be done.
    news: Notify,
    /// All records below this number are settled.
    settled: watch::Sender<u64>,
    room: Arc<Semaphore>,
    settings: ProducerSettings,
    start: Instant,
}

#[derive(Debug)]
pub(super) struct State {
    machine: Machine,
    waiters: Waiters,
    is_closed: bool,
}

/// What became of one record, as soon as that is known: resolves to where it is.
///
/// # Errors
/// Why it is not there. If [`Error::may_take_effect`] says so, it may be there all the same.
///
/// Dropping it changes nothing: the record is delivered, or not, and nobody hears.
#[derive(Debug)]
pub struct Delivery(oneshot::Receiver<Result<Placed, Error>>);

impl Client {
    /// A producer over this client's connections.
    ///
    /// # Errors
    /// [`Error::Unusable`] if settings make no sense, or outside of a tokio runtime, in which it runs.
    pub fn producer(&self, settings: ProducerSettings) -> Result<Producer, Error> {
        Producer::new(self, settings)
    }
}

impl Producer {
    fn new(client: &Client, settings: ProducerSettings) -> Result<Producer, Error> {
        let runtime = tokio::runtime::Handle::try_current();
        let runtime =
            runtime.map_err(|_| Error::unusable("a producer runs in a tokio runtime: there is none"))?;
        if settings.record_bytes_max > REQUEST_BYTES_MAX || settings.batch_bytes > REQUEST_BYTES_MAX {
            return Err(Error::unusable(format!(
                "batches and records have at most {REQUEST_BYTES_MAX} bytes"
            )));
        }
        if settings.memory_bytes < settings.record_bytes_max || settings.memory_bytes > Semaphore::MAX_PERMITS
        {
            return Err(Error::unusable("`memory_bytes` must hold a record of `record_bytes_max` at least"));
        }
        let sealing = Sealing {
            batch_bytes: settings.batch_bytes,
            linger: settings.linger,
            delivery_timeout: settings.delivery_timeout,
            codec: settings.compression,
            mutant: None,
        };
        let habits = Settings {
            acks: settings.acks,
            is_idempotent: settings.is_idempotent && settings.acks != Acks::None,
            makes_topics: settings.makes_topics,
            sealing,
            request_timeout: settings.request_timeout,
            metadata_age_max: settings.metadata_age_max,
            pauses: client.settings().pauses,
        };
        let machine = Machine::new(habits, client.settings().bootstrap.clone(), seed());
        let state = State { machine, waiters: Waiters::default(), is_closed: false };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            news: Notify::new(),
            settled: watch::Sender::new(0),
            room: Arc::new(Semaphore::new(settings.memory_bytes)),
            settings,
            start: Instant::now(),
        });
        runtime.spawn(driver::drive(shared.clone(), client.connections().clone()));
        Ok(Producer { shared })
    }

    /// Hands a record over. Waits while there is no room for it; what is returned then resolves when the record is
    /// delivered. Records of one partition that are handed over one after the other are delivered in that order.
    ///
    /// Cancel-safe: who stops waiting has not handed it over.
    ///
    /// # Errors
    /// [`Error::Unusable`] if the record is too large or from before 1970, [`Error::TimedOut`] if no room came in time, [`Error::Closed`].
    pub async fn send(&self, record: Record) -> Result<Delivery, Error> {
        let bytes = record.bytes();
        let most = self.shared.settings.record_bytes_max;
        if bytes > most {
            return Err(Error::unusable(format!("a record of {bytes} bytes: `record_bytes_max` is {most}")));
        }
        if record.timestamp_ms.is_some_and(|at| at < 0) {
            return Err(Error::unusable("a record from before 1970: no node takes its timestamp"));
        }
        // `most` is far below this.
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = match self.shared.room.clone().try_acquire_many_owned(bytes) {
            Ok(room) => room,
            Err(_) => self.wait_for_room(bytes).await?,
        };
        let (sender, receiver) = oneshot::channel();
        let is_news = {
            let mut state = self.shared.state();
            if state.is_closed {
                return Err(Error::Closed { may_take_effect: false });
            }
            let id = state.waiters.push(Waiter { sender, _room: room });
            state.machine.take(self.shared.now(), Event::Record { id, record, wall_ms: wall_ms() })
        };
        if is_news {
            self.shared.news.notify_one();
        }
        Ok(Delivery(receiver))
    }

    /// Sends all that was handed over at once, and waits until all of it is delivered, or is known not to be.
    ///
    /// Cancel-safe.
    pub async fn flush(&self) {
        let mut settled = self.shared.settled.subscribe();
        let handed_over = self.shared.state().waiters.next();
        self.shared.hear(Event::Hurry);
        // The sender lives as long as the producer does.
        let _ = settled.wait_for(|below| *below >= handed_over).await;
    }

    /// Flushes, and ends.
    pub async fn close(self) {
        self.flush().await;
    }

    async fn wait_for_room(&self, bytes: u32) -> Result<tokio::sync::OwnedSemaphorePermit, Error> {
        self.shared.hear(Event::Hurry);
        let wait = self.shared.settings.send_wait_max;
        match timeout(wait, self.shared.room.clone().acquire_many_owned(bytes)).await {
            Ok(Ok(room)) => Ok(room),
            Ok(Err(_)) => Err(Error::Closed { may_take_effect: false }),
            Err(_) => Err(Error::TimedOut {
                what: format!("waiting for room among {} bytes", self.shared.settings.memory_bytes),
                last: None,
                may_take_effect: false,
            }),
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.is_closed = true;
        let lost = state.waiters.close();
        drop(state);
        if lost > 0 {
            tracing::warn!(
                "a producer was dropped before {lost} of its records were delivered: close it first"
            );
        }
        self.shared.room.close();
        self.shared.news.notify_one();
    }
}

impl Shared {
    /// Something happened.
    pub(super) fn hear(&self, event: Event) {
        self.state().machine.take(self.now(), event);
        self.news.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        Moment::at(self.start.elapsed())
    }
}

impl Future for Delivery {
    type Output = Result<Placed, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let heard = Pin::new(&mut self.0).poll(context);
        heard.map(|heard| heard.unwrap_or(Err(Error::Closed { may_take_effect: true })))
    }
}

/// The time of day.
fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
