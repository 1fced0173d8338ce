//! The laws of the assignors, for any group.

use super::assignor::Assignor;
use super::candidate::{Candidate, Targets};
use super::partitions::Partitions;
use crate::ids::TopicId;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn topic(number: u8) -> TopicId {
    TopicId([number; 16])
}

/// Assigns, in pieces of so many steps.
fn assigned(
    assignor: Assignor,
    candidates: &[Candidate],
    sizes: &BTreeMap<TopicId, i32>,
    piece: usize,
) -> Targets {
    let mut task = assignor.begin(candidates.to_vec(), sizes);
    for _ in 0..1_000_000 {
        if let Some(targets) = task.go_on(&mut { piece }) {
            return targets;
        }
    }
    panic!("it never ends");
}

/// Members that each subscribe to some of the topics, with what they had; all to all if `is_even`.
fn groups(is_even: bool) -> impl Strategy<Value = (Vec<Candidate>, BTreeMap<TopicId, i32>)> {
    let sizes = proptest::collection::vec(0..12i32, 1..6);
    (sizes, 1..9usize).prop_flat_map(move |(sizes, members)| {
        let topics = sizes.len();
        let subscriptions =
            proptest::collection::vec(proptest::collection::vec(any::<bool>(), topics), members);
        let had =
            proptest::collection::vec(proptest::option::of(0..members), sizes.iter().sum::<i32>() as usize);
        let instances = proptest::collection::vec(any::<bool>(), members);
        (Just(sizes), subscriptions, had, instances).prop_map(
            move |(sizes, subscriptions, had, instances)| {
                let everything: Vec<(TopicId, i32)> = sizes
                    .iter()
                    .enumerate()
                    .flat_map(|(number, size)| {
                        (0..*size).map(move |partition| (topic(number as u8), partition))
                    })
                    .collect();
                let candidates = subscriptions.iter().enumerate().map(|(number, subscription)| {
                    let topics: Vec<TopicId> = (0..sizes.len())
                        .filter(|topic| is_even || subscription[*topic])
                        .map(|number| topic(number as u8))
                        .collect();
                    let owned = everything.iter().zip(&had).filter(|(_, owner)| **owner == Some(number));
                    let instance = instances[number].then(|| format!("i{}", 9 - number));
                    let had = owned.map(|(partition, _)| *partition).collect();
                    Candidate { id: format!("m{number}"), instance, topics: topics.into(), had }
                });
                let candidates: Vec<Candidate> = candidates.collect();
                let wanted: BTreeSet<TopicId> =
                    candidates.iter().flat_map(|candidate| candidate.topics.iter().copied()).collect();
                let sizes = sizes.iter().enumerate().map(|(number, size)| (topic(number as u8), *size));
                let sizes = sizes.filter(|(id, _)| wanted.contains(id)).collect();
                (candidates, sizes)
            },
        )
    })
}

fn assert_each_once(targets: &Targets, candidates: &[Candidate], sizes: &BTreeMap<TopicId, i32>) {
    let mut given = BTreeSet::new();
    for candidate in candidates {
        for (id, partition) in targets[&candidate.id].iter() {
            assert!(candidate.topics.contains(&id), "{} does not subscribe to it", candidate.id);
            assert!(given.insert((id, partition)), "it is given twice");
        }
    }
    let all = sizes.iter().flat_map(|(id, size)| (0..*size).map(|partition| (*id, partition)));
    assert!(given.into_iter().eq(all), "all are given");
    assert_eq!(targets.len(), candidates.len());
}

/// How many partitions were with somebody who subscribes to them, and are now with somebody else.
fn moved(targets: &Targets, candidates: &[Candidate], sizes: &BTreeMap<TopicId, i32>) -> usize {
    let kept = |candidate: &Candidate, id: TopicId, partition: i32| {
        !sizes.contains_key(&id)
            || !candidate.topics.contains(&id)
            || targets[&candidate.id].contains(id, partition)
    };
    candidates.iter().flat_map(|one| one.had.iter().filter(|(id, number)| !kept(one, *id, *number))).count()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn uniform_gives_each_once_evenly_and_takes_only_what_is_above_a_share(
        (candidates, sizes) in groups(true), piece in 1..40usize,
    ) {
        let targets = assigned(Assignor::Uniform, &candidates, &sizes, piece);
        assert_each_once(&targets, &candidates, &sizes);
        let loads: Vec<usize> = targets.values().map(Partitions::len).collect();
        let (least, most) = (loads.iter().min().expect("there are members"), loads.iter().max().expect("there are members"));
        prop_assert!(most - least <= 1, "{loads:?}");
        // The fewest that can move: what is above the shares, the larger ones given to who has most.
        let total: usize = loads.iter().sum();
        let (share, longer) = (total / loads.len(), total % loads.len());
        let above = candidates.iter().filter(|one| one.had.len() > share);
        let mut excess: Vec<usize> = above.map(|one| one.had.len() - share).collect();
        let spared = excess.len().min(longer);
        excess.iter_mut().take(spared).for_each(|excess| *excess -= 1);
        prop_assert_eq!(moved(&targets, &candidates, &sizes), excess.iter().sum::<usize>());
        prop_assert_eq!(assigned(Assignor::Uniform, &candidates, &sizes, usize::MAX), targets);
    }

    #[test]
    fn uniform_ends_where_no_move_brings_two_closer((candidates, sizes) in groups(false), piece in 1..40usize) {
        let targets = assigned(Assignor::Uniform, &candidates, &sizes, piece);
        assert_each_once(&targets, &candidates, &sizes);
        for owner in &candidates {
            for (id, _) in targets[&owner.id].iter() {
                for other in candidates.iter().filter(|other| other.topics.contains(&id)) {
                    prop_assert!(targets[&owner.id].len() <= targets[&other.id].len() + 1);
                }
            }
        }
        prop_assert_eq!(assigned(Assignor::Uniform, &candidates, &sizes, usize::MAX), targets);
    }

    #[test]
    fn uniform_assigned_again_moves_nothing((mut candidates, sizes) in groups(false)) {
        let targets = assigned(Assignor::Uniform, &candidates, &sizes, usize::MAX);
        candidates.iter_mut().for_each(|one| one.had = targets[&one.id].clone());
        prop_assert_eq!(assigned(Assignor::Uniform, &candidates, &sizes, usize::MAX), targets);
    }

    #[test]
    fn range_gives_neighbours_in_the_order_of_instances_and_ids((candidates, sizes) in groups(false), piece in 1..40usize) {
        let targets = assigned(Assignor::Range, &candidates, &sizes, piece);
        assert_each_once(&targets, &candidates, &sizes);
        let mut order: Vec<&Candidate> = candidates.iter().collect();
        order.sort_by_key(|one| (one.instance.is_none(), one.instance.clone().unwrap_or(one.id.clone())));
        for (id, size) in &sizes {
            let dealt: Vec<i32> = order
                .iter()
                .flat_map(|one| targets[&one.id].iter().filter(|(topic, _)| topic == id).map(|(_, number)| number))
                .collect();
            prop_assert!(dealt.into_iter().eq(0..*size));
        }
    }
}

/// A group of so many that all had their share, and one more.
fn large(members: usize, partitions: i32) -> (Vec<Candidate>, BTreeMap<TopicId, i32>) {
    let topics: Arc<[TopicId]> = (0..10).map(topic).collect();
    let sizes: BTreeMap<TopicId, i32> = topics.iter().map(|id| (*id, partitions)).collect();
    let id = |number: usize| format!("member-{number:05}");
    let candidate = |number| {
        let topics = topics.clone();
        Candidate { id: id(number), instance: None, topics, had: Partitions::default() }
    };
    let mut candidates: Vec<Candidate> = (0..members).map(candidate).collect();
    let targets = assigned(Assignor::Uniform, &candidates, &sizes, usize::MAX);
    candidates.iter_mut().for_each(|one| one.had = targets[&one.id].clone());
    candidates.push(candidate(members));
    (candidates, sizes)
}

#[test]
fn one_more_among_a_thousand_takes_only_its_share() {
    let (candidates, sizes) = large(1000, 1000);
    let targets = assigned(Assignor::Uniform, &candidates, &sizes, usize::MAX);
    assert_each_once(&targets, &candidates, &sizes);
    assert_eq!(targets["member-01000"].len(), 9, "10,000 among 1,001");
    assert_eq!(moved(&targets, &candidates, &sizes), 9);
}

#[test]
fn steps_grow_with_members_and_partitions_and_not_with_their_product() {
    let steps = |members, partitions| {
        let (candidates, sizes) = large(members, partitions);
        let mut task = Assignor::Uniform.begin(candidates, &sizes);
        (1..).find(|_| task.go_on(&mut 100).is_some()).unwrap_or(usize::MAX)
    };
    let (small, large) = (steps(250, 250), steps(1000, 1000));
    assert!(large <= small * 5, "{small} and {large} pieces of 100 steps");
}
