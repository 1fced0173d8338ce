//! What a client is for: one of the roles, and which of its doings is called when. Each role says for itself what it does
//! then; here stands only who is meant.

use super::admin::Admin;
use super::chance::Chance;
use super::clerk::Clerk;
use super::connection::Connections;
use super::consumer::Consumer;
use super::eraser::Eraser;
use super::guest::Guest;
use super::hoarder::Hoarder;
use super::map::Map;
use super::member::Member;
use super::plan::{ClientPlan, Role, TopicPlan};
use super::producer::Producer;
use super::purpose::Answered;
use super::remaker::Remaker;
use super::rough::{Glutton, Mute, Vandal};
use super::sharer::Sharer;
use super::watcher::Watcher;
use super::{Place, Street};
use rust_mq_client::machine::mutant::Mutant;
use rust_mq_proto::kafka::api::ApiKey;

/// What it is for.
#[derive(Debug)]
pub enum Job {
    Admin(Admin),
    Producer(Producer),
    Consumer(Consumer),
    Mute(Mute),
    Vandal(Vandal),
    Watcher(Watcher),
    Eraser(Eraser),
    Remaker(Remaker),
    Hoarder(Hoarder),
    Glutton(Glutton),
    Member(Member),
    Sharer(Sharer),
    Clerk(Clerk),
    Guest(Guest),
}

impl Job {
    /// The one of that plan, for the client at that place, whose connections speak what they speak. The `mutant` is for
    /// those that are a machine of the client crate.
    pub fn new(
        place: Place,
        plan: &ClientPlan,
        topics: &[TopicPlan],
        connections: &Connections,
        mutant: Option<Mutant>,
    ) -> Job {
        let speaks_ids =
            |key, from| connections.version(ApiKey::Metadata) >= 10 && connections.version(key) >= from;
        let topics = |is_of_ids: bool| -> Vec<TopicPlan> {
            topics.iter().filter(|topic| is_of_ids || !topic.is_remade).cloned().collect()
        };
        let (writes, reads) = (speaks_ids(ApiKey::Produce, 13), speaks_ids(ApiKey::Fetch, 13));
        match plan.role.clone() {
            Role::Founder => Job::Admin(Admin::founder(topics(true))),
            Role::Admin => Job::Admin(Admin::restless(place.number, plan.operations, place.sites)),
            Role::Producer(habits) => Job::Producer(Producer::new(habits, topics(writes), plan.operations)),
            Role::Consumer(habits) => Job::Consumer(Consumer::new(habits, topics(reads))),
            Role::Auditor => Job::Consumer(Consumer::auditor(topics(true))),
            Role::Mute => Job::Mute(Mute::new(topics(false), plan.operations)),
            Role::Vandal => Job::Vandal(Vandal::new(topics(false), plan.operations)),
            Role::Watcher => Job::Watcher(Watcher::new(topics(false), plan.operations)),
            Role::Eraser => Job::Eraser(Eraser::new(topics(false), plan.operations)),
            Role::Remaker => Job::Remaker(Remaker::new(topics(true), plan.operations)),
            Role::Hoarder => Job::Hoarder(Hoarder::new(plan.operations)),
            Role::Glutton => Job::Glutton(Glutton::new(topics(false), plan.operations)),
            Role::Sharer { group, has_pattern } => {
                // Version 0 knows no patterns.
                let has_pattern = has_pattern && connections.version(ApiKey::ConsumerGroupHeartbeat) >= 1;
                let known = topics(has_pattern);
                Job::Sharer(Sharer::new(
                    (place.number, place.sites),
                    group,
                    has_pattern,
                    known,
                    plan.operations,
                ))
            }
            Role::Member { group, instance } => {
                let instance = instance.filter(|_| Member::may_be_static(connections));
                Job::Member(Member::new(group, instance, topics(false), plan.operations))
            }
            Role::Guest(habits) => {
                Job::Guest(Guest::writer(place, habits, topics(false), plan.operations, mutant))
            }
            Role::Reader(habits) => Job::Guest(Guest::reader(place, habits, topics(false), mutant)),
            Role::Clerk => Job::Clerk(Clerk::new(place.number, topics(false), plan.operations)),
        }
    }

    /// Faults are over: it finishes what is open, and starts one probe.
    pub fn calm(&mut self) {
        match self {
            Job::Admin(admin) => admin.calm(),
            Job::Producer(producer) => producer.calm(),
            Job::Consumer(consumer) => consumer.calm(),
            Job::Mute(mute) => mute.calm(),
            Job::Vandal(vandal) => vandal.calm(),
            Job::Watcher(watcher) => watcher.calm(),
            Job::Eraser(eraser) => eraser.calm(),
            Job::Remaker(remaker) => remaker.calm(),
            Job::Hoarder(hoarder) => hoarder.calm(),
            Job::Glutton(glutton) => glutton.calm(),
            Job::Member(member) => member.calm(),
            Job::Sharer(sharer) => sharer.calm(),
            Job::Clerk(clerk) => clerk.calm(),
            Job::Guest(guest) => guest.calm(),
        }
    }

    /// What is open, in a few words.
    pub fn open_work(&self, connections: &Connections, map: &Map) -> Option<String> {
        match self {
            Job::Admin(admin) => admin.open_work(),
            Job::Producer(producer) => producer.open_work(map),
            Job::Consumer(consumer) => consumer.open_work(connections, map),
            Job::Remaker(remaker) => remaker.open_work(),
            Job::Member(member) => member.open_work(map),
            Job::Sharer(sharer) => sharer.open_work(map),
            Job::Guest(guest) => guest.open_work(map),
            Job::Mute(_)
            | Job::Vandal(_)
            | Job::Watcher(_)
            | Job::Eraser(_)
            | Job::Hoarder(_)
            | Job::Glutton(_)
            | Job::Clerk(_) => None,
        }
    }

    /// How far it is with what is open: grows with every step that brings its end nearer.
    pub fn done(&self, connections: &Connections) -> u64 {
        match self {
            Job::Admin(admin) => admin.answers(),
            Job::Producer(producer) => producer.settled(),
            Job::Consumer(consumer) => consumer.done(connections),
            Job::Remaker(remaker) => remaker.steps(),
            Job::Member(member) => member.steps(),
            Job::Sharer(sharer) => sharer.steps(),
            Job::Guest(guest) => guest.done(),
            Job::Mute(_)
            | Job::Vandal(_)
            | Job::Watcher(_)
            | Job::Eraser(_)
            | Job::Hoarder(_)
            | Job::Glutton(_)
            | Job::Clerk(_) => 0,
        }
    }

    /// It acts.
    pub fn act(
        &mut self,
        connections: &mut Connections,
        map: &Map,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        match self {
            Job::Admin(admin) => admin.act(connections, chance, street),
            Job::Producer(producer) => producer.act(connections, map, chance, street),
            Job::Consumer(consumer) => consumer.act(connections, map, chance, street),
            Job::Mute(mute) => mute.act(connections, map, chance, street),
            Job::Vandal(vandal) => vandal.act(connections, chance, street),
            Job::Watcher(watcher) => watcher.act(connections, map, chance, street),
            Job::Eraser(eraser) => eraser.act(connections, map, chance, street),
            Job::Remaker(remaker) => remaker.act(connections, chance, street),
            Job::Hoarder(hoarder) => hoarder.act(connections, chance, street),
            Job::Glutton(glutton) => glutton.act(connections, chance, street),
            Job::Member(member) => member.act(connections, map, chance, street),
            Job::Sharer(sharer) => sharer.act(connections, map, chance, street),
            Job::Clerk(clerk) => clerk.act(connections, chance, street),
            Job::Guest(guest) => guest.act(map, chance, street),
        }
    }

    /// An answer, or the loss of one.
    pub fn settle(
        &mut self,
        answered: Answered,
        map: &mut Map,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        match self {
            Job::Admin(admin) => admin.settle(answered, street),
            Job::Producer(producer) => producer.settle(answered, map, chance, street),
            Job::Consumer(consumer) => consumer.settle(answered, map, street),
            Job::Watcher(watcher) => watcher.settle(answered, map, street),
            Job::Eraser(eraser) => eraser.settle(answered, map, street),
            Job::Remaker(remaker) => remaker.settle(answered, street),
            Job::Hoarder(hoarder) => hoarder.settle(&answered, street),
            Job::Member(member) => member.settle(answered, map, street),
            Job::Sharer(sharer) => sharer.settle(answered, street),
            Job::Clerk(clerk) => clerk.settle(&answered, street),
            // What its machine asks is told as its own lines tell it.
            Job::Mute(_) | Job::Vandal(_) | Job::Glutton(_) | Job::Guest(_) => {}
        }
    }

    /// The topics that it needs a map of, if it needs one.
    pub fn topics(&self) -> Option<&[TopicPlan]> {
        Some(match self {
            Job::Producer(producer) => producer.topics(),
            Job::Consumer(consumer) => consumer.topics(),
            Job::Mute(mute) => mute.topics(),
            Job::Watcher(watcher) => watcher.topics(),
            Job::Member(member) => member.topics(),
            Job::Eraser(eraser) => eraser.topics(),
            Job::Sharer(sharer) => sharer.topics(),
            Job::Guest(guest) => guest.topics(),
            Job::Admin(_)
            | Job::Vandal(_)
            | Job::Remaker(_)
            | Job::Hoarder(_)
            | Job::Glutton(_)
            | Job::Clerk(_) => return None,
        })
    }
}
