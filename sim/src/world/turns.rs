//! Turns: a node's core is entered with a batch of what happened, and what it asks is performed.
//!
//! How many events a turn takes is drawn each time, for bugs hide in the boundaries of batches. Actions start in
//! the order they were asked; what they lead to comes in any order that the driver's laws allow, because each has
//! a latency of its own.

use super::World;
use super::rehearsals::Notable;
use crate::claims::c03_durable_promises::Ack;
use crate::claims::c05_watched::{self, WATCHED_EVERY};
use crate::claims::ledger::Shelf;
use crate::claims::watch::NodeClaims;
use crate::claims::{
    Claim, Verdict, c07_acked_is_there, c17_everything_completes, c19_all_is_bounded, c20_never_panics,
};
use crate::client::plan::TopicPlan;
use crate::clock::MICRO;
use crate::network::Spot;
use crate::node::{Node, Process};
use crate::schedule::Happening;
use crate::shell;
use crate::wire::{Place, WireId, WireKind};
use bytes::Bytes;
use rust_mq_core::action::{Action, Answer, HaltReason, Notice};
use rust_mq_core::broker::Broker;
use rust_mq_core::event::{Event, Question};
use rust_mq_core::ids::{LinkId, TopicPartition};
use rust_mq_core::now::{Mono, Now};
use rust_mq_core::watched::Metrics;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Time that entering a core takes, besides its events.
const TURN_NS: u64 = 5 * MICRO;
/// Events of the first turn after a pause: all that came meanwhile is there at once.
const TURN_EVENTS_AFTER_SLEEP: usize = 1_024;
/// Time that an event takes.
const EVENT_NS: u64 = 2 * MICRO;

/// The number of the question of those who watch.
const WATCHING: u64 = 4_000;

/// Turns between two looks at all parked fetches.
const UNWOKEN_EVERY: u64 = 8;

impl World {
    /// Has a turn come, soon.
    pub(super) fn want_turn(&mut self, site: usize) {
        let node = &mut self.nodes[site];
        if !node.is_awake() {
            return;
        }
        let boot = node.boot;
        let wait = TURN_NS + node.dice.below(self.plan.knobs.turn_wait_ns);
        let Some(process) = &mut node.process else { return };
        if process.has_news() && !process.is_turn_due {
            process.is_turn_due = true;
            self.schedule.after(wait, Happening::Turn { site, boot });
        }
    }

    /// One turn.
    pub(super) fn turn(&mut self, site: usize, boot: u32) {
        let node = &mut self.nodes[site];
        if node.boot != boot || node.process.is_none() {
            return;
        }
        let process = node.process.as_mut().expect("checked above");
        process.is_turn_due = false;
        if node.pauses > 0 {
            // Its events wait; the turn is wanted again when it goes on.
            return;
        }
        let drawn = node.dice.between(1, self.plan.knobs.turn_events_max) as usize;
        let has_slept = std::mem::take(&mut node.has_slept);
        let most = if has_slept { TURN_EVENTS_AFTER_SLEEP.max(drawn) } else { drawn };
        let mut events = Vec::with_capacity(most);
        process.fill(&mut events, most, &mut self.network, &mut self.schedule, site);
        if events.is_empty() {
            return;
        }
        for event in &events {
            self.trace.event(site, event);
        }
        self.events += events.len() as u64;
        self.turns += 1;
        let is_only_time = events.iter().all(|event| matches!(event, Event::Woke));
        let now = node.clock.now(self.schedule.now());
        self.walls[site] = self.walls[site].max(now.wall.0);
        let is_awake = events.iter().any(|event| matches!(event, Event::Woke));
        let is_watched = self.turns.is_multiple_of(WATCHED_EVERY);
        let Some((actions, told)) = entered(process, now, &mut events, is_watched) else {
            c20_never_panics::panicked(site, &shell::last_panic(), &mut self.verdict);
            return;
        };
        c20_never_panics::check_taken(site, events.len(), &mut self.verdict);
        let looks = is_awake || self.turns.is_multiple_of(UNWOKEN_EVERY);
        let share = self.plan.knobs.turn_work_bytes;
        c19_all_is_bounded::check_turn(site, process.broker.observe_work(), share, &mut self.verdict);
        look_at_fetches(site, &process.broker, is_awake.then_some(now.mono), looks, &mut self.verdict);
        if let Some(told) = told {
            watched((site, boot), told, process, &self.claims, &mut self.verdict);
        }
        self.claims.noted(&actions);
        self.claims.turned(site, boot, self.turns, &process.broker, &mut self.verdict);
        let dead = process.broker.observe_dead();
        let is_damaged = self.stages.disk_is_damaged(site);
        self.claims.are_dead(site, &dead, is_damaged, &mut self.verdict);
        let asks_at_once = |action: &Action| matches!(action, Action::WakeAt { mono } if *mono <= now.mono);
        let is_spin = is_only_time && !actions.is_empty() && actions.iter().all(asks_at_once);
        process.spins = if is_spin { process.spins + 1 } else { 0 };
        c19_all_is_bounded::check_spins(site, process.spins, &mut self.verdict);
        for action in actions {
            self.trace.action(site, &action);
            self.perform(site, action);
            if self.nodes[site].process.is_none() {
                return;
            }
        }
        self.start_disk_works(site);
        self.route_signals();
        self.check_taken();
        let busy = EVENT_NS * most as u64;
        let node = &mut self.nodes[site];
        if let Some(process) = &mut node.process
            && process.has_news()
            && !process.is_turn_due
        {
            process.is_turn_due = true;
            self.schedule.after(TURN_NS + busy, Happening::Turn { site, boot });
        }
    }

    /// What logs lost at their starts might go, by the settings of the plan (C7).
    fn check_taken(&mut self) {
        for (group, from, to) in self.claims.take_raised() {
            let shelf = Shelf { topic: group.0, partition: group.1 };
            let name = self.ids.name_of(shelf.topic);
            if let Some(topic) = self.plan.topics.iter().find(|topic| Some(topic.name.as_str()) == name) {
                // Retention is a leader's decision, by its own clock.
                let leaders = self.claims.have_led(group);
                let retention = topic.retention(self.wall_max(|site| leaders.contains(&site)));
                let verdict = &mut self.verdict;
                c07_acked_is_there::check_taken(&self.ledger, shelf, (from, to), retention, verdict);
            }
        }
    }

    /// A deadline comes: the last one only.
    pub(super) fn wake(&mut self, site: usize, boot: u32, armed: u64) {
        let node = &mut self.nodes[site];
        if node.boot == boot
            && let Some(process) = &mut node.process
            && process.wakes_armed == armed
        {
            process.woke();
            self.want_turn(site);
        }
    }

    /// A work of the disk is over.
    pub(super) fn disk_done(&mut self, site: usize, boot: u32, work: u64) {
        let node = &mut self.nodes[site];
        if node.boot != boot {
            return;
        }
        let finished = node.disk.finish(work);
        node.disk.take_effects().into_iter().for_each(|effect| self.marks.hit(effect));
        self.marks.add("disk.rot_was_written_over", node.disk.take_written_over() as u64);
        let synced = node.disk.take_synced();
        if !synced.is_empty() {
            let items = self.claims.synced(site, &node.disk, &synced, &mut self.verdict);
            let notable = Notable::among(&items);
            for item in items {
                self.trace.remark(|| format!("n{} durable: {item:?}", site + 1));
            }
            self.rehearse(site);
            notable.into_iter().for_each(|what| self.rehearse_notable(site, what));
        }
        if let Some(what) = finished.as_ref().and_then(|(_, result)| Notable::within(result)) {
            self.rehearse_notable(site, what);
        }
        let node = &mut self.nodes[site];
        if let (Some((ticket, result)), Some(process)) = (finished, &mut node.process) {
            process.done(ticket, result);
        }
        self.start_disk_works(site);
        self.want_turn(site);
    }

    pub(super) fn start_disk_works(&mut self, site: usize) {
        let node = &mut self.nodes[site];
        for started in node.disk.take_started() {
            let happening = Happening::Disk { site, boot: node.boot, work: started.work };
            self.schedule.after(started.takes_ns, happening);
        }
    }

    fn perform(&mut self, site: usize, action: Action) {
        match action {
            Action::Dial { link, address, lane } => self.dial(site, link, &address, WireKind::Peer(lane)),
            Action::Send { link, .. }
            | Action::Allow { link, .. }
            | Action::Close { link }
            | Action::Abort { link } => self.perform_on_link(site, link, action),
            Action::Write { ticket, .. }
            | Action::Sync { ticket, .. }
            | Action::Read { ticket, .. }
            | Action::Truncate { ticket, .. }
            | Action::Remove { ticket, .. }
            | Action::List { ticket } => {
                let node = &mut self.nodes[site];
                if let Some(process) = &mut node.process {
                    process.issues(ticket, &mut self.verdict);
                }
                node.disk.issue(action);
            }
            Action::Forget { .. } => self.nodes[site].disk.issue(action),
            Action::WakeAt { mono } => {
                let node = &mut self.nodes[site];
                let at = node.clock.moment_of(mono, self.schedule.now());
                let Some(process) = &mut node.process else { return };
                process.wakes_armed += 1;
                let happening = Happening::Wake { site, boot: node.boot, armed: process.wakes_armed };
                self.schedule.at(at, happening);
            }
            Action::Tell { .. } => {}
            Action::Note(notice) => self.noticed(site, &notice),
            Action::Halt(reason) => self.halted(site, &reason),
        }
    }

    fn dial(&mut self, site: usize, link: LinkId, address: &rust_mq_core::link::Address, kind: WireKind) {
        let boot = self.nodes[site].boot;
        let from = Place::Site { site, boot };
        let target = Node::site_of(address, self.plan.sites.len());
        let to = Spot::Site(target.unwrap_or(site));
        let accepter = target.and_then(|target| self.doors[target]);
        let wire = self.network.dial(&mut self.schedule, kind, from, to, accepter);
        if let Some(process) = &mut self.nodes[site].process {
            process.dials(link, wire, kind, &mut self.verdict);
            if let (Some(target), WireKind::Peer(lane)) = (target, kind) {
                process.dials_again(target, lane, self.schedule.now(), &mut self.verdict);
            }
        }
    }

    fn perform_on_link(&mut self, site: usize, link: LinkId, action: Action) {
        let Some(process) = &self.nodes[site].process else { return };
        // A link that closed a moment ago may still be named: the core was not told yet.
        let Some((wire, side, kind)) = process.wire_of(link, &mut self.verdict) else { return };
        match action {
            Action::Send { parts, .. } => {
                match kind {
                    WireKind::Peer(_) => {
                        self.claims.says(site, &parts, &mut self.verdict);
                        let ends = [self.network.dialler(wire), self.network.accepter(wire)];
                        self.claims.strangers.says(ends, &parts, &mut self.verdict);
                        self.trace.remark(|| format!("n{} {link} {}", site + 1, said(&parts)));
                    }
                    WireKind::Kafka => self.check_promises(site, wire, &parts),
                }
                self.network.send(&mut self.schedule, wire, side, &parts);
                let unsent = self.network.unsent_bytes(wire, side);
                c19_all_is_bounded::check_unsent(site, kind, unsent, &mut self.verdict);
            }
            Action::Allow { bytes, .. } => self.network.allow(wire, side, bytes),
            Action::Close { .. } => self.network.close(&mut self.schedule, wire, side),
            Action::Abort { .. } => self.network.abort(&mut self.schedule, wire, side, &mut self.marks),
            _ => unreachable!("only actions on links come here"),
        }
    }

    /// Acknowledgments that leave now are looked up in the durable journals (C3), topics that are said to be made in what
    /// the node has shown (C7); and who is told of a log is told as it stands now at the latest (C9).
    fn check_promises(&mut self, site: usize, wire: WireId, parts: &[Bytes]) {
        let Some(Place::Client(client)) = self.network.dialler(wire) else { return };
        let boot = self.nodes[site].boot;
        let stand = |shelf: Shelf| self.claims.stand(site, boot, (shelf.topic, shelf.partition));
        let overheard = self.clients[client].overhear(wire, parts, stand);
        for topic in overheard.made {
            self.claims.made(site, topic, &mut self.verdict);
        }
        for promise in overheard.promises {
            let base_offset = promise.base_offset;
            if promise.append_time >= 0 {
                self.ledger.stamped(promise.batch, promise.append_time);
            }
            let batch = self.ledger.batch(promise.batch);
            let group = (batch.shelf.topic, batch.shelf.partition);
            let name = self.ids.name_of(batch.shelf.topic);
            let topic = self.plan.topics.iter().find(|topic| Some(topic.name.as_str()) == name);
            let voters = topic.map_or(1, |topic| topic.replicas as usize);
            let wanted = topic.filter(|_| promise.wants_all).map_or(1, TopicPlan::min_in_sync);
            let ack = Ack { group, base_offset, crc: batch.crc, voters, wanted };
            self.claims.acks(&ack, &mut self.verdict);
        }
    }

    fn noticed(&mut self, site: usize, notice: &Notice) {
        match notice {
            Notice::Damaged { file, what } => {
                self.marks.hit("core.found_damage");
                if matches!(file, rust_mq_core::file::File::Journal(_)) {
                    self.claims.found_damage(site, self.nodes[site].boot);
                }
                let may_be = self.stages.disk_is_unreadable(site);
                self.verdict.hold(may_be, Claim::C7, || {
                    format!("n{} finds {file} damaged on a sound disk: {what}", site + 1)
                });
            }
            Notice::ReplicaDead { .. } => self.marks.hit("core.declared_a_replica_dead"),
            Notice::Mended { .. } => {
                self.marks.hit("core.mended_a_segment");
                self.compare_segments(site);
            }
            Notice::DiskFull => self.marks.hit("core.noticed_a_full_disk"),
            Notice::CaughtUp { .. } => {
                self.marks.hit("core.caught_up_by_snapshot");
                self.stages.catches_up(site, self.schedule.now());
            }
            Notice::SpaceAgain => self.marks.hit("core.noticed_space_again"),
            Notice::DiskSlow => self.marks.hit("core.noticed_a_slow_disk"),
            Notice::DiskSound => self.marks.hit("core.noticed_a_sound_disk"),
            Notice::Rejected { .. } => self.marks.hit("core.rejected_a_link"),
            Notice::LeftInPlace { .. } => self.marks.hit("core.left_a_file_in_place"),
            Notice::Serving { .. } => self.marks.hit("core.served"),
            Notice::LevelRaised { .. } => self.marks.hit("core.raised_the_level"),
            _ => {}
        }
    }

    /// What that site's node has in segments must be what others have (C6).
    pub(super) fn compare_segments(&mut self, site: usize) {
        let node = &self.nodes[site];
        if let Some(process) = &node.process {
            self.claims.compare_segments(site, &process.broker, &node.disk, &mut self.verdict);
        }
    }

    /// The core ends its process: legal when it was asked to, or when its disk failed.
    fn halted(&mut self, site: usize, reason: &HaltReason) {
        let is_asked = self.nodes[site].process.as_ref().is_some_and(|process| process.is_stopping);
        let (did_fail, is_spoilt) = (self.stages.disk_may_fail(site), self.stages.disk_is_spoilt(site));
        c17_everything_completes::check_halt(site, reason, is_asked, did_fail, is_spoilt, &mut self.verdict);
        match reason {
            HaltReason::Stopped => self.marks.hit("core.stopped_when_asked"),
            HaltReason::StoppedUnclean => self.marks.hit("core.stopped_without_a_clean_disk"),
            HaltReason::DiskFailed { .. } => self.marks.hit("core.stopped_on_a_disk_failure"),
            HaltReason::CannotStart { .. } => self.marks.hit("core.refused_to_start"),
            // The metadata replica that has lost its tail is retired, and its node with it.
            HaltReason::Undecodable { .. } if self.stages.disk_is_damaged(site) => {
                self.marks.hit("core.stopped_on_what_its_disk_lost");
            }
            HaltReason::Undecodable { reason } => {
                c07_acked_is_there::undecodable(site, reason, &mut self.verdict);
            }
        }
        // A disk that failed a sync is not trusted before its site was switched off: until then the page
        // cache shows what the disk never got.
        let is_rebooted = matches!(reason, HaltReason::DiskFailed { .. });
        self.end_process(site, is_rebooted);
        // Whoever watches over the process starts it again.
        let wait = 500 * crate::clock::MILLI + self.nodes[site].dice.below(2_000 * crate::clock::MILLI);
        self.schedule.after(wait, Happening::Start { site });
    }
}

/// Parked fetches: none is overdue after a wake-up at `woke`, and none waits for what is there, where one `looks`.
fn look_at_fetches(site: usize, broker: &Broker, woke: Option<Mono>, looks: bool, verdict: &mut Verdict) {
    if let Some(now) = woke {
        let overdue = broker.observe_overdue(now);
        verdict.hold(overdue == 0, Claim::C17, || {
            format!("n{} woke, and {overdue} fetches are overdue all the same", site + 1)
        });
    }
    if looks {
        let unwoken = broker.observe_unwoken();
        verdict.hold(unwoken == 0, Claim::C17, || {
            format!("n{}: {unwoken} fetches wait for what is there", site + 1)
        });
    }
}

/// What a node says to a peer, for whoever watches.
fn said(parts: &[Bytes]) -> String {
    let body = rust_mq_proto::peer::codec::parse(
        Bytes::from(parts.concat()),
        rust_mq_proto::peer::message::PROTOCOL_NEWEST + 1,
    );
    let mut words = match body {
        Ok(rust_mq_proto::peer::message::PeerBody::Raft(packed)) => {
            let messages = packed.parse().unwrap_or_default();
            let line = |message: &rust_mq_proto::peer::raft::RaftMessage| {
                format!(
                    "{:?} {}->{} term {} index {} commit {} +{}{}",
                    message.kind(),
                    message.from,
                    message.to,
                    message.term,
                    message.index,
                    message.commit,
                    message.entries.len(),
                    if message.reject { " REJECT" } else { "" }
                )
            };
            messages.iter().map(line).collect::<Vec<_>>().join("; ")
        }
        other => format!("{other:?}"),
    };
    words.truncate(words.floor_char_boundary(400));
    words
}

/// One call of a core: its actions, and what it has told those who watch. They ask behind all that has happened: a look,
/// and no happening of the world. Nothing where it panicked.
fn entered(
    process: &mut Process,
    now: Now,
    events: &mut Vec<Event>,
    is_watched: bool,
) -> Option<(Vec<Action>, Option<Metrics>)> {
    if is_watched {
        let what = Question::Metrics(c05_watched::next(process.told.as_ref()));
        events.push(Event::Asked { question: WATCHING, what });
    }
    let mut actions = Vec::new();
    let broker = &mut process.broker;
    catch_unwind(AssertUnwindSafe(|| broker.handle(now, events, &mut actions))).ok()?;
    let is_it = |action: &mut Action| matches!(action, Action::Tell { question: WATCHING, .. });
    let told = match actions.extract_if(.., is_it).last() {
        Some(Action::Tell { answer: Answer::Metrics(metrics), .. }) => Some(metrics),
        _ => None,
    };
    Some((actions, told))
}

/// A node has told those who watch something.
fn watched(
    (site, boot): (usize, u32),
    told: Metrics,
    process: &mut Process,
    claims: &NodeClaims,
    verdict: &mut Verdict,
) {
    let stood = |of: TopicPartition| claims.stand(site, boot, (of.topic.0, of.partition.0));
    c05_watched::check(site, &told, stood, &process.broker, verdict);
    process.told = Some(told);
}
