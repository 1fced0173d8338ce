//! Who of a group gets which partitions: pure functions of the members and of the topics, the same ones by the same names as
//! Kafka's (`RangeAssignor`, `RoundRobinAssignor`), so that any member may be the one that shares out.
//!
//! Law: every partition of a topic that anybody subscribes to is given once, to one who subscribes to it.

use super::Place;
use std::collections::BTreeMap;

/// A way to share out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Each topic's partitions in equal runs: partition 3 of two topics of equal size goes to the same member.
    Range,
    /// All partitions in turn: as even as can be.
    RoundRobin,
}

/// A member, as it is shared out to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Its own name for itself, or empty.
    pub instance: String,
    /// What it subscribes to.
    pub topics: Vec<String>,
}

impl Assignor {
    /// Its name in the protocol.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Range => "range",
            Assignor::RoundRobin => "roundrobin",
        }
    }

    /// The one of that name.
    pub fn of_name(name: &str) -> Option<Assignor> {
        [Assignor::Range, Assignor::RoundRobin].into_iter().find(|assignor| assignor.name() == name)
    }

    /// What each member gets, by its id, of topics with so many partitions.
    pub fn share_out(
        self,
        members: &[Member],
        topics: &BTreeMap<String, i32>,
    ) -> BTreeMap<String, Vec<Place>> {
        let mut members: Vec<&Member> = members.iter().collect();
        // Those with a name of their own come first, by that name: they keep their place when their ids change.
        members.sort_by(|one, other| {
            let key =
                |member: &Member| (member.instance.is_empty(), member.instance.clone(), member.id.clone());
            key(one).cmp(&key(other))
        });
        let mut given: BTreeMap<String, Vec<Place>> =
            members.iter().map(|member| (member.id.clone(), Vec::new())).collect();
        match self {
            Assignor::Range => range(&members, topics, &mut given),
            Assignor::RoundRobin => round_robin(&members, topics, &mut given),
        }
        given
    }
}

fn range(members: &[&Member], topics: &BTreeMap<String, i32>, given: &mut BTreeMap<String, Vec<Place>>) {
    for (topic, count) in topics {
        let takers: Vec<&&Member> = members.iter().filter(|member| member.topics.contains(topic)).collect();
        let Ok(many) = i32::try_from(takers.len()) else { continue };
        let mut next = 0;
        for (number, taker) in (0..many).zip(takers) {
            let share = count / many + i32::from(number < count % many);
            let own = given.entry(taker.id.clone()).or_default();
            own.extend((next..next + share).map(|partition| (topic.clone(), partition)));
            next += share;
        }
    }
}

fn round_robin(
    members: &[&Member],
    topics: &BTreeMap<String, i32>,
    given: &mut BTreeMap<String, Vec<Place>>,
) {
    let mut turn = members.iter().cycle();
    for (topic, count) in topics {
        if !members.iter().any(|member| member.topics.contains(topic)) {
            continue;
        }
        for partition in 0..*count {
            if let Some(taker) = turn.by_ref().find(|member| member.topics.contains(topic)) {
                given.entry(taker.id.clone()).or_default().push((topic.clone(), partition));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::chance::Chance;

    fn member(id: &str, topics: &[&str]) -> Member {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        Member { id: id.into(), instance: String::new(), topics }
    }

    fn sizes(given: &BTreeMap<String, Vec<Place>>) -> Vec<usize> {
        given.values().map(Vec::len).collect()
    }

    #[test]
    fn a_range_is_a_run_and_the_first_have_one_more() {
        let topics = BTreeMap::from([("a".to_owned(), 5), ("b".to_owned(), 2)]);
        let members = [member("m2", &["a", "b"]), member("m1", &["a", "b"])];
        let given = Assignor::Range.share_out(&members, &topics);
        let of = |id: &str| given[id].iter().map(|(t, p)| format!("{t}{p}")).collect::<Vec<_>>();
        assert_eq!(of("m1"), ["a0", "a1", "a2", "b0"]);
        assert_eq!(of("m2"), ["a3", "a4", "b1"]);
    }

    #[test]
    fn in_turn_is_even_over_topics() {
        let topics = BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 3)]);
        let members = [member("m1", &["a", "b"]), member("m2", &["a", "b"])];
        assert_eq!(sizes(&Assignor::RoundRobin.share_out(&members, &topics)), [3, 3]);
        assert_eq!(sizes(&Assignor::Range.share_out(&members, &topics)), [4, 2]);
    }

    #[test]
    fn a_member_with_a_name_of_its_own_comes_first() {
        let topics = BTreeMap::from([("a".to_owned(), 1)]);
        let named = Member { instance: "z".into(), ..member("m9", &["a"]) };
        let given = Assignor::Range.share_out(&[member("m1", &["a"]), named], &topics);
        assert_eq!(given["m9"].len(), 1);
    }

    #[test]
    fn every_partition_is_given_once_to_one_who_wants_it() {
        let mut chance = Chance::new(5);
        for _ in 0..500 {
            let names = ["a", "b", "c"];
            let topics: BTreeMap<String, i32> =
                names.iter().map(|name| ((*name).to_owned(), chance.below(7) as i32)).collect();
            let members: Vec<Member> = (0..1 + chance.below(4))
                .map(|number| {
                    let wanted: Vec<&str> = names.iter().filter(|_| chance.below(3) > 0).copied().collect();
                    member(&format!("m{number}"), &wanted)
                })
                .collect();
            for assignor in [Assignor::Range, Assignor::RoundRobin] {
                let given = assignor.share_out(&members, &topics);
                let mut all: Vec<&Place> = given.values().flatten().collect();
                all.sort();
                let wanted = |topic: &String| members.iter().any(|member| member.topics.contains(topic));
                let expected: Vec<Place> = topics
                    .iter()
                    .filter(|(topic, _)| wanted(topic))
                    .flat_map(|(topic, count)| (0..*count).map(|partition| (topic.clone(), partition)))
                    .collect();
                assert_eq!(all, expected.iter().collect::<Vec<_>>());
                for member in &members {
                    assert!(given[&member.id].iter().all(|(topic, _)| member.topics.contains(topic)));
                }
            }
        }
    }
}
