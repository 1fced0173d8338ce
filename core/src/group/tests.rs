//! The machine by itself: what it does when proposals are dropped, when it is elected over many groups, and at its bounds.
//! How groups behave to clients is told by stories (`core/tests/scripts/group`).

use super::{ClassicMember, Command, Commit, Groups, Join, Leaving, Phase, Reply, Request, Soft, Sync, Who};
use crate::config::GroupSettings;
use crate::entry::Stamp;
use crate::ids::{ClusterId, Index, NodeId, Term, TopicId};
use crate::level::Level;
use crate::machine::{Answer, Built, Context, Decision, Machine, Room, Waiter};
use crate::metadata::Metadata;
use crate::now::{Mono, Now, Wall};
use crate::rng::Rng;
use rust_mq_proto::kafka::ErrorCode;
use std::time::Duration;

const ROOM: Room = Room {
    node: NodeId(1),
    commands_bytes_max: 1 << 20,
    partitions_max: 100,
    state_bytes_max: 1 << 20,
    groups: GroupSettings::DEFAULT,
};

/// A coordinator without a log: what is decided is applied, unless it is dropped.
struct Alone {
    groups: Groups,
    soft: Soft,
    image: Metadata,
    rng: Rng,
    now: Now,
    room: Room,
    index: u64,
    drops: bool,
}

impl Alone {
    fn new() -> Alone {
        let image = Metadata::founded(ClusterId(1), Level(2), &[]);
        let now = Now { mono: Mono(1), wall: Wall(1_700_000_000_000) };
        let mut alone = Alone {
            groups: Groups::default(),
            soft: Soft::default(),
            image,
            rng: Rng::stream(1, "groups"),
            now,
            room: ROOM,
            index: 1,
            drops: false,
        };
        alone.elect();
        alone
    }

    /// Another coordinator takes over: soft state is built anew. In how many steps.
    fn elect(&mut self) -> usize {
        self.soft = Soft::default();
        let mut steps = 1;
        while self.with(|groups, soft, context| groups.elected(soft, context)) == Built::Partly {
            steps += 1;
        }
        steps
    }

    fn with<T>(&mut self, what: impl FnOnce(&Groups, &mut Soft, &mut Context<'_, Metadata>) -> T) -> T {
        let (image, room) = (&self.image, self.room);
        let mut context =
            Context { now: self.now, rng: &mut self.rng, image, room, level: Level(2), mutant: None };
        what(&self.groups, &mut self.soft, &mut context)
    }

    fn take(&mut self, decision: Decision<Command, Reply>) -> Vec<Answer<Reply>> {
        if self.drops && !decision.commands.is_empty() {
            let lost = decision.answers.into_iter();
            return lost.map(|answer| Answer { reply: Reply::NotCoordinator, ..answer }).collect();
        }
        for command in &decision.commands {
            self.index += 1;
            let at = Stamp { index: Index(self.index), term: Term(1), wall: self.now.wall };
            self.groups.apply(at, command);
            assert_eq!(self.groups.fault(), None, "after {command:?}");
        }
        decision.answers
    }

    fn ask(&mut self, waiter: u64, request: Request) -> Vec<Answer<Reply>> {
        let decision =
            self.with(|groups, soft, context| groups.decide(soft, context, Waiter(waiter), request));
        self.take(decision)
    }

    /// Time passes, and what it brings is done.
    fn wait(&mut self, wait: Duration) -> Vec<Answer<Reply>> {
        let end = self.now.mono + wait;
        let mut answers = Vec::new();
        while let Some(at) = self.soft.alarms.next().filter(|at| *at <= end) {
            self.now.mono = at.max(self.now.mono);
            let decision = self.with(|groups, soft, context| groups.due(soft, context));
            answers.extend(self.take(decision));
        }
        self.now.mono = end;
        self.now.wall.0 += wait.as_millis() as i64;
        answers
    }

    fn join(&mut self, waiter: u64, group: &str, member: &str) -> Vec<Answer<Reply>> {
        let join = Join {
            group: group.into(),
            member: member.into(),
            about: about(),
            protocol_type: "consumer".into(),
            ..Join::default()
        };
        self.ask(waiter, Request::Join(Box::new(join)))
    }

    fn phase(&mut self, group: &str) -> Option<Phase> {
        let answers = self.ask(999, Request::Describe { group: group.into() });
        match &answers[0].reply {
            Reply::Described(described) => described.as_ref().map(|described| described.phase),
            other => panic!("{other:?}"),
        }
    }
}

fn about() -> ClassicMember {
    ClassicMember {
        client_id: "c".into(),
        rebalance_timeout_ms: 10_000,
        session_timeout_ms: 10_000,
        protocols: vec![("range".into(), vec![1; 8])],
        ..ClassicMember::default()
    }
}

fn joined(answers: &[Answer<Reply>], waiter: u64) -> (String, i32) {
    let answer = answers.iter().find(|answer| answer.waiter == Waiter(waiter)).expect("it is answered");
    match &answer.reply {
        Reply::Joined(Ok(joined)) => (joined.member.clone(), joined.generation),
        other => panic!("{other:?}"),
    }
}

fn who(group: &str, member: &str, generation: i32) -> Who {
    Who { group: group.into(), member: member.into(), generation, instance: None }
}

fn sync(member: &str, generation: i32) -> Request {
    Request::Sync(Box::new(Sync { who: who("g", member, generation), ..Sync::default() }))
}

#[test]
fn a_dropped_proposal_is_made_again_or_forgotten() {
    let mut alone = Alone::new();
    let (first, _) = joined(&alone.join(1, "g", ""), 1);
    alone.ask(2, sync(&first, 1));
    assert_eq!(alone.phase("g"), Some(Phase::Stable));
    // A session ends, and the command is dropped: it is proposed again.
    alone.drops = true;
    alone.wait(Duration::from_secs(11));
    assert_eq!(alone.groups.classic_members(super::GroupNumber(0)).count(), 1, "still replicated");
    alone.drops = false;
    alone.wait(Duration::from_secs(2));
    assert_eq!(alone.groups.classic_members(super::GroupNumber(0)).count(), 0);
    assert_eq!(alone.phase("g"), Some(Phase::Empty));
    // A generation is dropped: who was told that this is no coordinator comes again as somebody new.
    alone.drops = true;
    assert_eq!(alone.join(3, "g", "")[0].reply, Reply::NotCoordinator);
    alone.drops = false;
    alone.wait(Duration::from_secs(11));
    assert_eq!(alone.phase("g"), Some(Phase::Empty), "its seat is forgotten");
    let (_, generation) = joined(&alone.join(4, "g", ""), 4);
    assert!(generation > 2, "generations only rise");
}

#[test]
fn after_an_election_each_member_has_a_session_that_begins_anew() {
    let mut alone = Alone::new();
    for number in 0..1_500 {
        let group = format!("g{number:04}");
        joined(&alone.join(number, &group, ""), number);
    }
    alone.wait(Duration::from_secs(9));
    assert_eq!(alone.elect(), 3, "two groups or members a step, a thousand in each");
    alone.wait(Duration::from_secs(9));
    assert_eq!(alone.phase("g0007"), Some(Phase::CompletingRebalance));
    alone.wait(Duration::from_secs(2));
    assert_eq!(alone.phase("g0007"), Some(Phase::Empty));
    assert_eq!(alone.groups.groups().count(), 1_500);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut alone = Alone::new();
    let commit = |group: String, said: usize| Request::Commit {
        who: Who { group, generation: -1, ..Who::default() },
        knows_groups: true,
        commits: vec![Commit {
            topic: TopicId([1; 16]),
            partition: 0,
            offset: 1,
            epoch: -1,
            metadata: "x".repeat(said),
            retention_ms: None,
        }],
    };
    let mut taken = 0;
    let refused = loop {
        match &alone.ask(1, commit(format!("g{taken}"), 4_096))[0].reply {
            Reply::Done(ErrorCode::None) => taken += 1,
            Reply::Done(code) => break *code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused, ErrorCode::InvalidCommitOffsetSize);
    assert!((200..256).contains(&taken) && alone.groups.bytes() <= ROOM.state_bytes_max);
    let answers = alone.join(2, "new", "");
    assert!(matches!(&answers[0].reply, Reply::Joined(_)), "a join is small");
    alone.room.groups.members_max = 2;
    let mut alone = Alone { room: Room { state_bytes_max: 64 << 20, ..alone.room }, ..Alone::new() };
    let (first, _) = joined(&alone.join(10, "g", ""), 10);
    assert!(alone.join(11, "g", "").is_empty());
    assert_eq!(joined(&alone.join(12, "g", &first), 12).1, 2);
    let full = alone.join(13, "g", "");
    let Reply::Joined(Err(refused)) = &full[0].reply else { panic!("{full:?}") };
    assert_eq!(refused.code, ErrorCode::GroupMaxSizeReached);
}

#[test]
fn whoever_waits_is_answered_when_the_lead_is_lost() {
    let mut alone = Alone::new();
    let (first, _) = joined(&alone.join(1, "g", ""), 1);
    assert!(alone.join(2, "g", "").is_empty(), "it waits for the first to join anew");
    let soft = std::mem::take(&mut alone.soft);
    assert_eq!(Groups::lost(soft), [Waiter(2)]);
    alone.elect();
    let again = alone.join(3, "g", &first);
    assert_eq!(joined(&again, 3), (first.clone(), 1), "the coordinator after it knows the generation");
    assert!(alone.ask(4, sync(&first, 1)).len() == 1);
    assert_eq!(Groups::lost(std::mem::take(&mut alone.soft)), []);
}

#[test]
fn a_rebalance_that_was_due_is_begun_by_the_next_coordinator() {
    let mut alone = Alone::new();
    let (first, _) = joined(&alone.join(1, "g", ""), 1);
    assert!(alone.join(2, "g", "").is_empty());
    let answers = alone.join(3, "g", &first);
    let (second, generation) = joined(&answers, 2);
    assert_eq!((&joined(&answers, 3).0, generation), (&first, 2));
    let leaving = Leaving { member: first, instance: None };
    alone.ask(4, Request::Leave { group: "g".into(), members: vec![leaving] });
    alone.elect();
    assert_eq!(alone.phase("g"), Some(Phase::PreparingRebalance), "what the other had is nobody's");
    let beat = alone.ask(5, Request::Heartbeat(who("g", &second, 2)));
    assert!(matches!(beat[0].reply, Reply::Done(ErrorCode::RebalanceInProgress)), "{beat:?}");
    assert_eq!(joined(&alone.join(6, "g", &second), 6), (second, 3));
}

#[test]
fn members_come_and_go_and_the_state_stays_sound() {
    let mut alone = Alone::new();
    alone.room.groups.offsets_check_interval_ms = 24 * 3_600_000;
    alone.elect();
    let mut rng = Rng::stream(7, "members");
    let mut members: Vec<String> = Vec::new();
    for step in 0..4_000u64 {
        let any = match members.len() as u64 {
            0 => String::new(),
            count => members[rng.below(count) as usize].clone(),
        };
        let generation = match alone.groups.group("g").map(|group| &group.state) {
            Some(super::State::Classic(classic)) => classic.generation,
            _ => 0,
        };
        let answers = match rng.below(8) {
            0 => alone.join(step, "g", ""),
            1..3 => alone.join(step, "g", &any),
            3 => alone.ask(step, sync(&any, generation)),
            4 => alone.ask(step, Request::Heartbeat(who("g", &any, generation))),
            5 if rng.below(4) == 0 => {
                let leaving = Leaving { member: any, instance: None };
                alone.ask(step, Request::Leave { group: "g".into(), members: vec![leaving] })
            }
            6 if rng.below(20) == 0 => {
                alone.elect();
                Vec::new()
            }
            _ => {
                alone.drops = rng.below(10) == 0;
                let brought = alone.wait(Duration::from_millis(rng.below(1_000)));
                alone.drops = false;
                brought
            }
        };
        for answer in answers {
            if let Reply::Joined(Ok(joined)) = answer.reply
                && !members.contains(&joined.member)
            {
                members.push(joined.member);
            }
        }
        if members.len() > 12 {
            members.remove(0);
        }
        assert_eq!(alone.groups.fault(), None);
    }
    alone.wait(Duration::from_secs(60));
    assert_eq!(alone.phase("g"), Some(Phase::Empty), "nobody is heard of any more");
    assert!(alone.soft.live.is_empty(), "and nothing is kept of them");
    let Some(super::State::Classic(classic)) = alone.groups.group("g").map(|group| &group.state) else {
        panic!("it is a classic group")
    };
    assert!(classic.generation > 20 && classic.protocol.is_none(), "{classic:?}");
    alone.wait(Duration::from_secs(48 * 3_600));
    assert_eq!(alone.phase("g"), None, "a group that nobody is in and that has committed nothing goes");
}
