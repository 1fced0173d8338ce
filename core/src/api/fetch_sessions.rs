//! Fetch sessions (KIP-227): what a client reads is kept here, so that a fetch names only what is new of that, and its answer
//! only what has changed.
//!
//! ```text
//! full, epoch 0      names and reads everything; the answer names a session, whose next fetch is epoch 1
//! epoch n            what it names is taken over, what it forgets goes; the lively parts are read, and those that have
//!                    news are answered; the next one is epoch n + 1
//! full, epoch -1     reads everything, and no session; as any full fetch it ends the one that it names
//! ```
//! A part is *quiet* when its client has all that there is: the session watches its partition for it, and it is not looked at
//! before that has news. All others are *lively*. So a fetch costs what moves, and not what its client is interested in.
//!
//! Lively parts are read in the order of their turns; one that was given records has the next turn behind all others, so
//! that an answer that is full starves nobody.
//!
//! - Invariant: a part is quiet iff the session watches its partition for it; then the partition has nothing for it.
//! - Invariant: a session belongs to a link and goes with it. (In Kafka it stays until another needs its place. No client
//!   goes on with one after its connection broke: each begins anew.)
//! - Invariant: `sessions <= FETCH_SESSIONS_MAX`, and their parts, which are charged to the budget, are at most what
//!   `FETCH_SESSIONS_SHARE` allows.
//!
//! Not here: what a fetch finds, and how it waits (`records/fetch`).

use super::fetch_session::{Found, Kept, PartName, Session};
use crate::connection::Purpose;
#[cfg(feature = "simulation")]
use crate::ids::Offset;
use crate::ids::{LinkId, TopicPartition};
use crate::limits::{
    FETCH_SESSION_PART_BYTES, FETCH_SESSIONS_IDLE, FETCH_SESSIONS_MAX, FETCH_SESSIONS_SHARE,
};
use crate::machine::Waiter;
use crate::mutant::Mutant;
use crate::node::Node;
use crate::now::Mono;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::fetch::{FetchPartition, FetchRequest};
use std::collections::{BTreeMap, BTreeSet};

/// The epoch of a full fetch that wants a session.
const FIRST_EPOCH: i32 = 0;
/// The epoch of a full fetch that wants none.
const NO_EPOCH: i32 = -1;
/// The id of none.
const NO_SESSION: i32 = 0;
/// From this version of Fetch on topics are named by their ids.
const NAMES_IDS_FROM: i16 = 13;

/// All of a node.
#[derive(Default)]
pub(in crate::api) struct FetchSessions {
    by_id: BTreeMap<i32, Session>,
    by_link: BTreeMap<LinkId, BTreeSet<i32>>,
    by_waiter: BTreeMap<Waiter, i32>,
    /// Parts of all of them.
    parts: usize,
    last_id: i32,
}

/// What a fetch has to do with a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Following {
    /// Nothing.
    Nothing,
    /// One is to begin with its answer.
    Begins {
        /// When it came.
        at: Mono,
        names_ids: bool,
    },
    /// It is of that one.
    Of {
        id: i32,
        /// Its own epoch.
        epoch: i32,
        /// The turn of each of its parts.
        turns: Vec<u64>,
    },
}

impl FetchSessions {
    /// A fetch has come. The error is that of the whole of it.
    pub(super) fn begin(
        &mut self,
        node: &mut Node,
        now: Mono,
        (link, version): (LinkId, i16),
        request: &mut FetchRequest,
    ) -> Result<Following, ErrorCode> {
        let names_ids = version >= NAMES_IDS_FROM;
        match request.session_epoch {
            FIRST_EPOCH | NO_EPOCH => {
                if self.of(request.session_id, link).is_some() {
                    self.end(node, request.session_id);
                }
                let wants_one = request.session_epoch == FIRST_EPOCH && version >= 7;
                Ok(if wants_one { Following::Begins { at: now, names_ids } } else { Following::Nothing })
            }
            epoch => {
                let id = request.session_id;
                let session = self.of(id, link).ok_or(ErrorCode::FetchSessionIdNotFound)?;
                if session.epoch != epoch {
                    return Err(ErrorCode::InvalidFetchSessionEpoch);
                }
                if session.names_ids != names_ids {
                    return Err(ErrorCode::FetchSessionTopicIdError);
                }
                session.used = now;
                session.epoch = after(epoch);
                if !self.update(node, id, request) {
                    self.end(node, id);
                    return Err(ErrorCode::FetchSessionIdNotFound);
                }
                let session = &self.by_id[&id];
                if session.parts.is_empty() {
                    self.end(node, id);
                    return Ok(Following::Nothing);
                }
                let turns = session.lively.iter().copied().collect();
                Ok(Following::Of { id, epoch, turns })
            }
        }
    }

    /// What a fetch of a session has to look at, by the turns that it was told.
    pub fn lively(&self, id: i32) -> impl Iterator<Item = (&PartName, &FetchPartition)> {
        let session = &self.by_id[&id];
        session.lively.iter().map(|turn| {
            let kept = &session.parts[turn];
            (&kept.name, &kept.asked)
        })
    }

    /// A fetch of that session waits under that number.
    pub fn waits(&mut self, id: i32, fetch: Waiter) {
        if let Some(session) = self.by_id.get_mut(&id) {
            session.fetch = Some(fetch);
        }
    }

    /// A partition has news for somebody who watches it. If that is a session, the part is lively; if one of its fetches
    /// waits: which, and the turn of what it is to look at besides.
    pub fn has_news(&mut self, node: &Node, waiter: Waiter, of: TopicPartition) -> Option<(Waiter, u64)> {
        let session = self.by_id.get_mut(self.by_waiter.get(&waiter)?)?;
        if node.is_planted(Mutant::QuietForGood) {
            return None;
        }
        let turn = session.quiet.remove(&of)?;
        session.parts.get_mut(&turn).expect("who is quiet is there").watched = None;
        session.lively.insert(turn);
        Some((session.fetch?, turn))
    }

    /// A part of that session.
    pub fn part(&self, id: i32, turn: u64) -> Option<(&PartName, &FetchPartition)> {
        self.by_id.get(&id)?.parts.get(&turn).map(|kept| (&kept.name, &kept.asked))
    }

    /// A fetch is to be answered: the id of the session that its client may go on with, and of an answer of news alone which
    /// parts have some; or the error that is answered instead.
    pub(super) fn answered(
        &mut self,
        node: &mut Node,
        (link, waiter): (LinkId, Waiter),
        following: &Following,
        found: &[Found<'_>],
    ) -> Result<(i32, Option<Vec<bool>>), ErrorCode> {
        match following {
            Following::Nothing => Ok((NO_SESSION, None)),
            Following::Begins { at, names_ids } => {
                let id = self.open(node, (link, waiter), (*at, *names_ids), found);
                Ok((id.unwrap_or(NO_SESSION), None))
            }
            Following::Of { id, epoch, turns } => {
                let session = self.of(*id, link).ok_or(ErrorCode::FetchSessionIdNotFound)?;
                if session.epoch != after(*epoch) {
                    return Err(ErrorCode::InvalidFetchSessionEpoch);
                }
                session.fetch = None;
                let told = found.iter().zip(turns).map(|(found, turn)| session.saw(node, found, *turn));
                Ok((*id, Some(told.collect())))
            }
        }
    }

    /// A link is gone.
    pub fn left(&mut self, node: &mut Node, link: LinkId) {
        for id in self.by_link.get(&link).cloned().unwrap_or_default() {
            self.end(node, id);
        }
    }

    /// Quiet parts for which there is something.
    #[cfg(feature = "simulation")]
    pub fn unwoken(&self, node: &Node) -> usize {
        let is_unwoken = |session: &Session, of: &TopicPartition, turn: &u64| {
            let asked = &session.parts[turn].asked;
            node.has_come(Ok(*of), asked.current_leader_epoch, Offset(asked.fetch_offset))
        };
        let quiet = |session: &Session| {
            session.quiet.iter().filter(|(of, turn)| is_unwoken(session, of, turn)).count()
        };
        self.by_id.values().map(quiet).sum()
    }

    /// One that belongs to that link.
    fn of(&mut self, id: i32, link: LinkId) -> Option<&mut Session> {
        self.by_id.get_mut(&id).filter(|session| session.link == link)
    }

    /// Takes over what a fetch says of its session's parts; `false` if there is no room for it.
    fn update(&mut self, node: &mut Node, id: i32, request: &mut FetchRequest) -> bool {
        let Some(session) = self.by_id.get_mut(&id) else { return false };
        for topic in std::mem::take(&mut request.topics) {
            for asked in topic.partitions {
                let name = (topic.topic.clone(), topic.topic_id, asked.partition);
                if let Some(turn) = session.turns.get(&name).copied() {
                    session.change(node, turn, asked);
                    continue;
                }
                if self.parts >= parts_max(node) {
                    return false;
                }
                self.parts += 1;
                node.charge(Purpose::Sessions, FETCH_SESSION_PART_BYTES);
                session.add(Kept::new(name, asked));
            }
        }
        for topic in std::mem::take(&mut request.forgotten_topics_data) {
            for partition in topic.partitions {
                let name = (topic.topic.clone(), topic.topic_id, partition);
                if session.forget(node, &name) {
                    self.parts -= 1;
                    node.give_back(Purpose::Sessions, FETCH_SESSION_PART_BYTES);
                }
            }
        }
        true
    }

    /// A session of what a full fetch has found, if there is room for one.
    fn open(
        &mut self,
        node: &mut Node,
        (link, waiter): (LinkId, Waiter),
        (now, names_ids): (Mono, bool),
        found: &[Found<'_>],
    ) -> Option<i32> {
        node.client(link)?;
        if found.is_empty() || self.parts + found.len() > parts_max(node) {
            return None;
        }
        if self.by_id.len() >= FETCH_SESSIONS_MAX {
            let id = self.replaceable(found.len(), now)?;
            self.end(node, id);
        }
        let id = self.next_id();
        let mut session = Session::new((link, waiter), (now, names_ids));
        for found in found {
            let turn = session.add(Kept::new(found.name.clone(), found.asked.clone()));
            session.saw(node, found, turn);
        }
        self.parts += session.parts.len();
        node.charge(Purpose::Sessions, session.parts.len() * FETCH_SESSION_PART_BYTES);
        self.by_waiter.insert(waiter, id);
        self.by_link.entry(link).or_default().insert(id);
        self.by_id.insert(id, session);
        Some(id)
    }

    /// Whose place another may take, of so many parts: of whom was not seen for long, or else of the smallest that is
    /// smaller and was there for long (as Kafka's `FetchSessionCache.tryEvict`).
    fn replaceable(&self, parts: usize, now: Mono) -> Option<i32> {
        let is_old = |since: Mono| now >= since + FETCH_SESSIONS_IDLE;
        let (unused, session) = self.by_id.iter().min_by_key(|(_, session)| session.used)?;
        if is_old(session.used) {
            return Some(*unused);
        }
        let old = self.by_id.iter().filter(|(_, session)| is_old(session.created));
        let (smallest, session) = old.min_by_key(|(_, session)| session.parts.len())?;
        (session.parts.len() < parts).then_some(*smallest)
    }

    fn next_id(&mut self) -> i32 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.by_id.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }

    fn end(&mut self, node: &mut Node, id: i32) {
        let Some(session) = self.by_id.remove(&id) else { return };
        for of in session.quiet.keys() {
            node.unwatch(*of, session.waiter);
        }
        self.by_waiter.remove(&session.waiter);
        if let Some(ids) = self.by_link.get_mut(&session.link) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_link.remove(&session.link);
            }
        }
        self.parts -= session.parts.len();
        node.give_back(Purpose::Sessions, session.parts.len() * FETCH_SESSION_PART_BYTES);
    }
}

/// The epoch of the fetch after that one.
fn after(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

/// Parts that all sessions may have.
fn parts_max(node: &Node) -> usize {
    let bytes = node.config().memory_limit / FETCH_SESSIONS_SHARE;
    usize::try_from(bytes).unwrap_or(usize::MAX) / FETCH_SESSION_PART_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn session(parts: i32, created: Mono, used: Mono) -> Session {
        let mut session = Session::new((LinkId(2), Waiter(1)), (created, false));
        session.used = used;
        for partition in 0..parts {
            session.add(Kept::new(("t".to_owned(), [0; 16], partition), FetchPartition::default()));
        }
        session
    }

    #[test]
    fn the_place_of_an_unused_one_is_taken_and_else_that_of_an_old_and_smaller_one() {
        let at = |seconds: u64| Mono::default() + Duration::from_secs(seconds);
        let all = |sessions: Vec<Session>| FetchSessions {
            by_id: (1..).zip(sessions).collect(),
            ..FetchSessions::default()
        };
        let sessions =
            all(vec![session(3, at(0), at(100)), session(2, at(0), at(90)), session(1, at(100), at(150))]);
        assert_eq!(sessions.replaceable(1, at(210)), Some(2), "not used for two minutes");
        assert_eq!(sessions.replaceable(3, at(200)), Some(2), "there for two minutes, and smaller");
        assert_eq!(sessions.replaceable(2, at(200)), None, "no smaller, or not there for long");
        assert_eq!(all(Vec::new()).replaceable(1, at(200)), None);
    }
}
