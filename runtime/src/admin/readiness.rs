//! `/readyz`: why a node is not to be asked for anything, or not for everything, as codes for programs and words for people.

use super::{Admin, asked, each_partition};
use rust_mq_core::action::Answer;
use rust_mq_core::event::Question;
use rust_mq_core::watched::Unready;

/// Every code there is.
pub(super) const CODES: [&str; 11] = [
    "no_answer",
    "recovering",
    "no_member",
    "turned_away",
    "no_controller",
    "not_serving",
    "starting",
    "leaderless",
    "disk_full",
    "disk_slow",
    "stopping",
];

/// A reason.
#[derive(Clone, Debug)]
pub(super) struct Reason {
    pub code: &'static str,
    pub words: String,
}

/// All reasons there are now.
pub(super) async fn asked_for(admin: &Admin) -> Vec<Reason> {
    let no_answer = || vec![reason("no_answer", "the core does not answer")];
    let Some(Answer::Readiness(unready)) = asked(admin, Question::Readiness).await else {
        return no_answer();
    };
    let mut leaderless = 0;
    match each_partition(admin, |partition| leaderless += u64::from(partition.leader.is_none())).await {
        Some(()) => reasons(&unready, leaderless),
        None => no_answer(),
    }
}

/// What the core says, in words, and how many of the partitions here have no leader.
pub(super) fn reasons(unready: &[Unready], leaderless: u64) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = unready.iter().map(of).collect();
    if leaderless > 0 {
        let words =
            format!("of {leaderless} partitions with a replica here no leader is known that is there");
        reasons.push(reason("leaderless", &words));
    }
    reasons
}

fn of(unready: &Unready) -> Reason {
    match unready {
        Unready::Recovering => reason("recovering", "the disk is being read"),
        Unready::NoMember => reason(
            "no_member",
            "the cluster is not founded yet, or has not told this node: are all members up?",
        ),
        Unready::TurnedAway => {
            reason("turned_away", "members of the cluster turn this node away; the log says why")
        }
        Unready::NoController => reason(
            "no_controller",
            "nobody leads the cluster's metadata, as far as this node knows: is a majority up?",
        ),
        Unready::NotServing => reason("not_serving", "no client has been served since the start"),
        Unready::Starting { replicas } => {
            reason("starting", &format!("{replicas} replicas have not started yet"))
        }
        Unready::DiskFull => {
            reason("disk_full", "the disk has no space for records; reads and deletes go on")
        }
        Unready::DiskSlow => reason("disk_slow", "the disk does not keep up: others had better lead"),
        Unready::Stopping => reason("stopping", "the node was asked to stop"),
    }
}

fn reason(code: &'static str, words: &str) -> Reason {
    Reason { code, words: words.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_code_of_its_own_and_all_are_known() {
        let all = [
            Unready::Recovering,
            Unready::NoMember,
            Unready::TurnedAway,
            Unready::NoController,
            Unready::NotServing,
            Unready::Starting { replicas: 3 },
            Unready::DiskFull,
            Unready::DiskSlow,
            Unready::Stopping,
        ];
        let told = reasons(&all, 2);
        let mut codes: Vec<&str> = told.iter().map(|reason| reason.code).collect();
        codes.push("no_answer");
        codes.sort_unstable();
        let mut known = CODES;
        known.sort_unstable();
        assert_eq!(codes, known);
        assert!(told.iter().all(|reason| !reason.words.is_empty()));
        assert!(reasons(&[], 0).is_empty());
    }
}
