//! The consumer: the shell around its machine (`machine/consumer`).
//!
//! A task of its own, its driver, does what the machine says; [`Consumer::next`] takes what the machine has to hand out, and
//! waits if there is nothing.

mod driver;
mod stream;

use crate::client::{Client, seed};
use crate::machine::consumer::assignor::Assignor;
use crate::machine::consumer::{Event, Goal, Machine, Message, Place, Settings};
use crate::machine::error::Error;
use crate::machine::moment::Moment;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
pub use stream::Messages;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, timeout};

/// How a consumer consumes. Begin with [`ConsumerSettings::group`] or [`ConsumerSettings::default`], which has no group.
#[derive(Clone)]
pub struct ConsumerSettings {
    /// The group with which partitions are shared and that keeps how far they were read. None.
    pub group: Option<String>,
    /// A name of its own that outlives the consumer: started again within the session's time-out, it gets back what it had
    /// without the others noticing. None.
    pub instance: Option<String>,
    /// Where to begin a partition of which nothing is committed, or in which what comes next is not there any more.
    /// [`Goal::Latest`], as Kafka's clients do. None makes that an error.
    pub reset: Option<Goal>,
    /// How often what was dealt with is committed without being asked for. 5 s; None for by hand alone. A record is dealt
    /// with when the next one is asked for.
    pub commit_interval: Option<Duration>,
    /// How the group may share out, the best first: range, then in turn.
    pub assignors: Vec<Assignor>,
    /// How long the group waits for a member that is silent. 45 s.
    pub session_timeout: Duration,
    /// How long the group waits for a member to come back when it changes; also for how long an application may take for
    /// one record, before its partitions are given to others. 5 minutes.
    pub rebalance_timeout: Duration,
    /// How often a member says that it is there. 3 s.
    pub heartbeat_interval: Duration,
    /// How much may be fetched ahead, in bytes as they travel. 16 MiB.
    pub prefetch_bytes: usize,
    /// How much of one partition is fetched at a time. 1 MiB.
    pub partition_bytes: usize,
    /// How long a node waits for records before it says that there are none. 500 ms.
    pub fetch_wait: Duration,
    /// How long a commit is tried. 60 s.
    pub commit_timeout: Duration,
    /// After how long it is asked again which partitions there are. 5 minutes.
    pub metadata_age_max: Duration,
    /// Is told when the group gives and takes partitions.
    pub on_rebalance: Option<OnRebalance>,
}

/// Is told when partitions come and go. When they are [`Rebalance::Revoked`], what it returns is committed before
/// somebody else gets them: the offset to go on with, by partition. It must not block.
pub type OnRebalance = Arc<dyn Fn(&Rebalance) -> Vec<(Place, i64)> + Send + Sync>;

/// Partitions come or go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebalance {
    /// These are the consumer's own from now on, and no others.
    Assigned(Vec<Place>),
    /// These will be shared out anew: no more of them is handed out until then.
    Revoked(Vec<Place>),
    /// The group has not heard of the consumer for too long: others may have these already, and nothing can be committed.
    Lost(Vec<Place>),
}

impl ConsumerSettings {
    /// The defaults, in a group.
    pub fn group(name: impl Into<String>) -> ConsumerSettings {
        ConsumerSettings { group: Some(name.into()), ..ConsumerSettings::default() }
    }
}

impl Default for ConsumerSettings {
    fn default() -> ConsumerSettings {
        ConsumerSettings {
            group: None,
            instance: None,
            reset: Some(Goal::Latest),
            commit_interval: Some(Duration::from_secs(5)),
            assignors: vec![Assignor::Range, Assignor::RoundRobin],
            session_timeout: Duration::from_secs(45),
            rebalance_timeout: Duration::from_secs(300),
            heartbeat_interval: Duration::from_secs(3),
            prefetch_bytes: 16 << 20,
            partition_bytes: 1 << 20,
            fetch_wait: Duration::from_millis(500),
            commit_timeout: Duration::from_secs(60),
            metadata_age_max: Duration::from_secs(300),
            on_rebalance: None,
        }
    }
}

impl fmt::Debug for ConsumerSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ConsumerSettings")
            .field("group", &self.group)
            .field("reset", &self.reset)
            .field("commit_interval", &self.commit_interval)
            .finish_non_exhaustive()
    }
}

/// Reads records.
///
/// ```no_run
/// # async fn example() -> Result<(), rust_mq_client::Error> {
/// use rust_mq_client::{Client, ConsumerSettings};
///
/// let consumer = Client::new("localhost:9092")?.consumer(ConsumerSettings::group("readers"))?;
/// consumer.subscribe(&["greetings"])?;
/// loop {
///     let message = consumer.next().await?;
///     println!("{}/{}: {:?}", message.partition, message.offset, message.value);
/// }
/// # }
/// ```
///
/// Each record is handed out at least once: what is committed, by time or by hand, is never more than what was handed out
/// before the last one. [`Consumer::close`] commits and leaves the group; dropped without it, the group waits for the
/// session to end, and what was not committed is handed out again.
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
}

/// What the application, the driver and its tasks share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// There is something to be done.
    news: Notify,
    /// There may be something to hand out: how often that was so.
    arrivals: watch::Sender<u64>,
    on_rebalance: Rebalancer,
    start: Instant,
}

struct Rebalancer(Option<OnRebalance>);

impl fmt::Debug for Rebalancer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.is_some() { "Some(..)" } else { "None" })
    }
}

#[derive(Debug)]
pub(super) struct State {
    machine: Machine,
    commits: BTreeMap<u64, oneshot::Sender<Result<(), Error>>>,
    next_commit: u64,
    closing: Option<oneshot::Sender<()>>,
    is_dropped: bool,
    has_group: bool,
}

impl Client {
    /// A consumer over this client's connections.
    ///
    /// # Errors
    /// [`Error::Unusable`] if settings make no sense, or outside of a tokio runtime, in which it runs.
    pub fn consumer(&self, settings: ConsumerSettings) -> Result<Consumer, Error> {
        Consumer::new(self, settings)
    }
}

impl Consumer {
    fn new(client: &Client, settings: ConsumerSettings) -> Result<Consumer, Error> {
        let runtime = tokio::runtime::Handle::try_current();
        let runtime =
            runtime.map_err(|_| Error::unusable("a consumer runs in a tokio runtime: there is none"))?;
        if settings.assignors.is_empty() || settings.heartbeat_interval >= settings.session_timeout {
            return Err(Error::unusable(
                "a member needs an assignor, and a heart that beats within its session",
            ));
        }
        let has_group = settings.group.is_some();
        let habits = Settings {
            group: settings.group,
            instance: settings.instance.unwrap_or_default(),
            session_timeout: settings.session_timeout,
            rebalance_timeout: settings.rebalance_timeout,
            heartbeat_every: settings.heartbeat_interval,
            assignors: settings.assignors,
            commits_every: settings.commit_interval.filter(|_| has_group),
            reset: settings.reset,
            prefetch_bytes: settings.prefetch_bytes.max(64 << 10),
            partition_bytes: settings.partition_bytes.max(1 << 10),
            fetch_wait: settings.fetch_wait,
            call_timeout: client.settings().call_timeout,
            commit_timeout: settings.commit_timeout,
            metadata_age_max: settings.metadata_age_max,
            pauses: client.settings().pauses,
            mutant: None,
        };
        let state = State {
            machine: Machine::new(habits, client.settings().bootstrap.clone(), seed()),
            commits: BTreeMap::new(),
            next_commit: 0,
            closing: None,
            is_dropped: false,
            has_group,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            news: Notify::new(),
            arrivals: watch::Sender::new(0),
            on_rebalance: Rebalancer(settings.on_rebalance),
            start: Instant::now(),
        });
        runtime.spawn(driver::drive(shared.clone(), client.connections().clone()));
        Ok(Consumer { shared })
    }

    /// Reads these topics, and shares their partitions with all others of the group.
    ///
    /// # Errors
    /// [`Error::Unusable`] without a group: [`Consumer::assign`] then.
    pub fn subscribe(&self, topics: &[&str]) -> Result<(), Error> {
        if !self.shared.state().has_group {
            return Err(Error::unusable("to subscribe is to share: name a group, or assign partitions"));
        }
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        self.shared.hear(Event::Subscribe(topics));
        Ok(())
    }

    /// Reads these partitions and shares them with nobody, each from where it is said, or from where the group has come, or
    /// else as the settings say. A group then only keeps what is committed.
    pub fn assign(&self, partitions: &[(&str, i32, Option<Goal>)]) {
        let places =
            partitions.iter().map(|(topic, partition, goal)| (((*topic).to_owned(), *partition), *goal));
        self.shared.hear(Event::Assign(places.collect()));
    }

    /// The next record; waits for it. With that, the one before it counts as dealt with.
    ///
    /// Cancel-safe: who stops waiting has lost no record.
    ///
    /// # Errors
    /// What the application has to know and nothing here can mend: it may go on asking, and gets what else there is.
    pub async fn next(&self) -> Result<Message, Error> {
        let mut arrivals = self.shared.arrivals.subscribe();
        loop {
            arrivals.borrow_and_update();
            if let Some(message) = self.shared.hand_out()? {
                return Ok(message);
            }
            // The sender lives as long as the consumer does.
            let _ = arrivals.changed().await;
        }
    }

    /// The same as a stream, which ends with the consumer and not before.
    pub fn messages(&self) -> Messages<'_> {
        Messages::new(self)
    }

    /// Commits all that was handed out: the application has dealt with it.
    ///
    /// # Errors
    /// Why it is not kept: above all, that the group has given the partitions to others meanwhile.
    pub async fn commit(&self) -> Result<(), Error> {
        self.commit_as(None).await
    }

    /// Commits these offsets: of each partition the one to go on with, behind the last record that was dealt with.
    ///
    /// # Errors
    /// As [`Consumer::commit`].
    pub async fn commit_offsets(&self, offsets: &[(&str, i32, i64)]) -> Result<(), Error> {
        let offsets =
            offsets.iter().map(|(topic, partition, offset)| (((*topic).to_owned(), *partition), *offset));
        self.commit_as(Some(offsets.collect())).await
    }

    async fn commit_as(&self, offsets: Option<Vec<(Place, i64)>>) -> Result<(), Error> {
        let (sender, outcome) = oneshot::channel();
        let id = {
            let mut state = self.shared.state();
            state.next_commit += 1;
            let id = state.next_commit;
            state.commits.insert(id, sender);
            id
        };
        self.shared.hear(Event::Commit { id, offsets });
        outcome.await.unwrap_or(Err(Error::Closed { may_take_effect: true }))
    }

    /// Goes on there in a partition that is its own.
    pub fn seek(&self, topic: &str, partition: i32, goal: Goal) {
        self.shared.hear(Event::Seek((topic.to_owned(), partition), goal));
    }

    /// Hands out nothing of these partitions until they are resumed. What was fetched of them stays.
    pub fn pause(&self, partitions: &[(&str, i32)]) {
        self.shared.hear(Event::Pause(places(partitions)));
    }

    /// Hands out these again.
    pub fn resume(&self, partitions: &[(&str, i32)]) {
        self.shared.hear(Event::Resume(places(partitions)));
        self.shared.arrivals.send_modify(|count| *count += 1);
    }

    /// The partitions that are its own.
    pub fn assignment(&self) -> Vec<Place> {
        self.shared.state().machine.assignment()
    }

    /// The offset that is handed out next of a partition, if that is known by now.
    pub fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        self.shared.state().machine.position(&(topic.to_owned(), partition))
    }

    /// Commits what was handed out, unless that is done by hand, and leaves the group. Waits for that no longer than so.
    pub async fn close(self, patience: Duration) {
        let (sender, closed) = oneshot::channel();
        self.shared.state().closing = Some(sender);
        self.shared.hear(Event::Close);
        // Who does not hear of it in time goes all the same.
        let _ = timeout(patience, closed).await;
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.state().is_dropped = true;
        self.shared.news.notify_one();
    }
}

impl Shared {
    /// Something happened.
    pub(super) fn hear(&self, event: Event) {
        self.state().machine.take(self.now(), event);
        self.news.notify_one();
    }

    fn hand_out(&self) -> Result<Option<Message>, Error> {
        let mut state = self.state();
        let handed = state.machine.hand_out(self.now());
        let wants_a_turn = state.machine.wants_a_turn();
        drop(state);
        if wants_a_turn || !matches!(handed, Ok(Some(_))) {
            self.news.notify_one();
        }
        handed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        Moment::at(self.start.elapsed())
    }
}

fn places(partitions: &[(&str, i32)]) -> Vec<Place> {
    partitions.iter().map(|(topic, partition)| ((*topic).to_owned(), *partition)).collect()
}
