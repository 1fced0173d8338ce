//! The members of a group, each a process of the client's own: three share a topic of six partitions, one takes its
//! leave, one dies without a word, and the last has all.
//!
//! Invariant: what is produced while nobody comes or goes is read once. A record is read twice only around a
//! rebalance, which at-least-once allows.

use super::play::Play;
use super::program::Program;
use super::records::{Seen, agree, read_twice, seen};
use super::{Outcome, Verdict, demand, wrong};
use std::collections::BTreeSet;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

/// Partitions of the topic that is shared.
const PARTITIONS: i32 = 6;
/// Records of a round: so many that each partition gets some.
const ROUND: i64 = 60;
/// How long a group may take to settle or to read what is there, beyond a session.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a member is listened to before it is the next one's turn.
const GLANCE: Duration = Duration::from_millis(3);

/// A group and what it read.
#[derive(Debug)]
pub struct Company {
    topic: String,
    group: String,
    members: Vec<Program>,
    read: Vec<(usize, Seen)>,
    fed: i64,
}

/// The step of that name.
pub fn one_leaves_and_one_dies(play: &mut Play<'_>) -> Outcome<String> {
    let mut company = Company::gather(play, 3)?;
    company.leave(0)?;
    company.round(play)?;
    // Dropping it kills it.
    company.members.pop();
    company.round(play)?;
    company.end(play)
}

impl Company {
    /// So many members, each of which has its part.
    pub fn gather(play: &mut Play<'_>, count: usize) -> Outcome<Company> {
        let (topic, group) = (play.topic("shared", PARTITIONS)?, play.name("sharers"));
        let mut company = Company { topic, group, members: Vec::new(), read: Vec::new(), fed: 0 };
        for _ in 0..count {
            let mut member = play.another();
            member.tell(&format!("member {} {}", company.group, company.topic));
            company.members.push(member);
        }
        company.settle(play)?;
        let (before, started) = (company.read.len(), company.fed);
        company.round(play)?;
        // What is late from before is of the settling.
        let new = company.read[before..].iter().map(|(_, seen)| *seen);
        let steady: Vec<Seen> = new.filter(|seen| seen.number >= started).collect();
        let twice = read_twice(&steady, started..company.fed)?;
        demand(twice == 0, || format!("{twice} records were read twice although nobody came or went"))?;
        Ok(company)
    }

    /// The group's name.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Has a round of records produced, and waits until somebody has read each.
    pub fn round(&mut self, play: &mut Play<'_>) -> Outcome<()> {
        play.produce(&self.topic, "none plain", self.fed, ROUND)?;
        self.fed += ROUND;
        let deadline = Instant::now() + PATIENCE + play.entry.session;
        let mut found: BTreeSet<i64> = self.read.iter().map(|(_, seen)| seen.number).collect();
        while found.len() < usize::try_from(self.fed).expect("it is positive") {
            if Instant::now() > deadline {
                let words: Vec<String> = self.members.iter().map(Program::last_words).collect();
                return wrong(format!("{} of {} records were read{}", found.len(), self.fed, words.concat()));
            }
            let before = self.read.len();
            self.listen()?;
            found.extend(self.read[before..].iter().map(|(_, seen)| seen.number));
        }
        Ok(())
    }

    /// Rounds, until each member reads its part of the partitions and no other.
    fn settle(&mut self, play: &mut Play<'_>) -> Outcome<()> {
        let part = usize::try_from(PARTITIONS).expect("it is positive") / self.members.len();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let before = self.read.len();
            self.round(play)?;
            let parts: Vec<BTreeSet<i64>> =
                (0..self.members.len()).map(|member| self.partitions_of(member, before)).collect();
            if parts.iter().all(|partitions| partitions.len() == part) {
                return Ok(());
            }
            demand(Instant::now() < deadline, || format!("not settled within {PATIENCE:?}: {parts:?}"))?;
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn partitions_of(&self, member: usize, from: usize) -> BTreeSet<i64> {
        let read = self.read[from..].iter().filter(|(reader, _)| *reader == member);
        read.map(|(_, seen)| seen.partition).collect()
    }

    /// Takes what each member says now.
    fn listen(&mut self) -> Outcome<()> {
        for number in 0..self.members.len() {
            let member = &mut self.members[number];
            let mut wait = GLANCE;
            loop {
                match member.line(Instant::now() + wait) {
                    Ok(said) if said.get("record").is_some() => {
                        self.read.push((number, seen(&said["record"])?))
                    }
                    // It is a member now.
                    Ok(said) if said["ok"] == true => {}
                    Ok(said) if said["ok"] == false => {
                        return wrong(format!("member {}: {}", number + 1, said["why"]));
                    }
                    Ok(said) => {
                        return Err(Verdict::NotOffered(said["why"].as_str().unwrap_or("").to_owned()));
                    }
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => {
                        return wrong(format!("member {} ended{}", number + 1, member.last_words()));
                    }
                }
                wait = Duration::ZERO;
            }
        }
        Ok(())
    }

    /// A member says that it goes, and goes. What it read meanwhile counts.
    fn leave(&mut self, number: usize) -> Outcome<()> {
        let mut member = self.members.remove(number);
        member.tell("leave");
        let deadline = Instant::now() + PATIENCE;
        loop {
            match member.line(deadline) {
                Ok(said) if said.get("record").is_some() => {
                    self.read.push((usize::MAX, seen(&said["record"])?))
                }
                Ok(said) if said["ok"] == true => return Ok(()),
                Ok(said) => return wrong(format!("it was to leave: {said}")),
                Err(_) => return wrong(format!("it did not leave{}", member.last_words())),
            }
        }
    }

    /// All leave; nothing was lost, and everything is committed.
    pub fn end(mut self, play: &mut Play<'_>) -> Outcome<String> {
        while !self.members.is_empty() {
            self.leave(0)?;
        }
        let read: Vec<Seen> = self.read.iter().map(|(_, seen)| *seen).collect();
        let twice = read_twice(&read, 0..self.fed)?;
        agree(&read)?;
        let ends = play.scene.ends(&self.topic, PARTITIONS)?;
        let committed = play.scene.committed(&self.group, &self.topic, PARTITIONS)?;
        demand(ends == committed, || format!("{committed:?} is committed, the ends are {ends:?}"))?;
        let note = format!("{twice} of {} read twice around a rebalance", self.fed);
        Ok(if twice == 0 { String::new() } else { note })
    }
}
