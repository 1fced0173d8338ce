//! Draws what goes wrong beyond the single troubles of `weather`: links that are not like the others, what disks lose,
//! power that fails at the worst moments, disks that are worn out, cuts that flap, everybody standing still, streams with
//! holes, doors that lead elsewhere; each in some of the runs, from a stream of its own.
//!
//! The atlas: disks lose more than they may fail to keep only on sites of the drawn minority, the first of those
//! outside the core, and `claims::atlas` says what of that may happen. One run in sixteen demands only detection: there
//! any disk may lose anything.

use crate::claims::Demands;
use crate::clock::{MICRO, MILLI};
use crate::dice::{Dice, Root};
use crate::network::{LinkWeather, Spot, Weather};
use crate::plan::Fault;
use crate::trouble::{Astray, Decay, FileKind, Moment, Trouble};
use rust_mq_core::link::LaneKind;

/// How long lasts what stays for ever.
pub const FOR_EVER_MS: u64 = u64::MAX >> 24;
/// How many times as long work takes that comes to no end.
const STUCK: u64 = 100_000_000;

/// What a storm may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Sites.
    pub sites: usize,
    /// Clients.
    pub clients: usize,
    /// How long faults come, milliseconds.
    pub chaos_ms: u64,
    /// Shortest election timeout, milliseconds.
    pub election_min_ms: u64,
}

/// What the run demands.
pub fn demands(dice: &mut Dice, sites: usize) -> Demands {
    if sites > 1 && dice.below(16) == 0 { Demands::Detection } else { Demands::Safety }
}

/// In a third of the runs one link or two are slow or lossy among good ones, in one direction or both, on one lane or all.
pub fn links(dice: &mut Dice, sites: usize, usual: Weather) -> Vec<LinkWeather> {
    if sites < 2 || dice.below(3) > 0 {
        return Vec::new();
    }
    let mut links = Vec::new();
    for _ in 0..dice.between(1, 2) {
        let from = dice.index(sites);
        let to = (from + 1 + dice.index(sites - 1)) % sites;
        let weather = match dice.below(3) {
            0 => Weather { latency_mean_ns: dice.log_uniform(5 * MILLI, 40 * MILLI), ..usual },
            1 => Weather { late_ppm: dice.log_uniform(10_000, 200_000), ..usual },
            _ => Weather { latency_min_ns: 10 * MICRO, latency_mean_ns: 20 * MICRO, late_ppm: 0, ..usual },
        };
        let lane = *dice.pick(&[None, None, Some(LaneKind::Raft), Some(LaneKind::Bulk)]);
        let (from, to) = (Spot::Site(from), Spot::Site(to));
        links.push(LinkWeather { from, to, lane, weather });
        if dice.coin() {
            links.push(LinkWeather { from: to, to: from, lane, weather });
        }
    }
    links
}

/// Adds the storms of a run.
pub fn faults(root: Root, area: Area, core: &[usize], demands: Demands, faults: &mut Vec<Fault>) {
    let is_calm = faults.is_empty();
    let outside = (0..area.sites).find(|site| !core.contains(site));
    if demands == Demands::Detection {
        ruin(&mut root.stream("ruin", &[]), area, faults);
    } else if is_calm {
        return;
    }
    if let Some(site) = outside {
        losses(&mut root.stream("losses", &[]), area, site, faults);
        worn_out(&mut root.stream("worn out", &[]), area, site, faults);
        unheard(&mut root.stream("unheard", &[]), area, (site, core), faults);
    }
    network(&mut root.stream("network storms", &[]), area, faults);
    power(&mut root.stream("power storms", &[]), area, faults);
    rest(&mut root.stream("other storms", &[]), area, faults);
    strangers(&mut root.stream("strangers", &[]), area, faults);
}

fn push(faults: &mut Vec<Fault>, at_ms: u64, lasts_ms: u64, what: Trouble) {
    faults.push(Fault { at_ms, lasts_ms, what });
}

/// Some moment of the run that leaves it time to be felt.
fn moment(dice: &mut Dice, area: Area) -> u64 {
    dice.between(2_000, area.chaos_ms - 3_000)
}

fn decay(dice: &mut Dice) -> Decay {
    *dice.pick(&[Decay::Flip, Decay::FlipNewest, Decay::Blank, Decay::CutOff, Decay::Gone])
}

fn astray(dice: &mut Dice) -> Astray {
    *dice.pick(&[Astray::Lost, Astray::Elsewhere, Astray::Short])
}

/// What the disk of the one site loses that the others can do without.
fn losses(dice: &mut Dice, area: Area, site: usize, faults: &mut Vec<Fault>) {
    match dice.below(6) {
        0 => {
            for _ in 0..dice.between(1, 3) {
                let what = Trouble::Decay { site, of: *dice.pick(&FileKind::ALL), how: decay(dice) };
                push(faults, moment(dice, area), dice.log_uniform(20, 2_000), what);
            }
        }
        1 => {
            // The disk is found out when the process starts again, or when somebody reads.
            for _ in 0..dice.between(1, 6) {
                let what = Trouble::Astray { site, of: *dice.pick(&FileKind::ALL), how: astray(dice) };
                push(faults, moment(dice, area), 0, what);
            }
            push(faults, moment(dice, area), 100, Trouble::PowerLoss { site, kept_ppm: 500_000 });
        }
        2 => {
            for _ in 0..dice.between(1, 4) {
                let of = if dice.coin() { None } else { Some(*dice.pick(&FileKind::ALL)) };
                let lasts_ms = dice.log_uniform(5, 4_000);
                push(faults, moment(dice, area), lasts_ms, Trouble::Rollback { site, of });
            }
        }
        3 if dice.coin() => {
            push(faults, moment(dice, area), dice.log_uniform(50, 2_000), Trouble::Wipe { site });
        }
        _ => {}
    }
    let mut other = dice.index(area.sites);
    if other == site {
        other = (other + 1) % area.sites;
    }
    if area.sites > 1 && dice.below(12) == 0 {
        let what = Trouble::Swap { site, with: other };
        push(faults, moment(dice, area), dice.log_uniform(200, 3_000), what);
    }
}

/// In half of the runs a disk that the others can do without takes nothing any more, from late in the run for ever, or
/// gives nothing: it is full, or does not come to an end with anything, or with no read. Nothing else lasts for ever
/// then: its node hears and is heard, and may lead.
fn worn_out(dice: &mut Dice, area: Area, site: usize, faults: &mut Vec<Fault>) {
    if dice.coin() {
        return;
    }
    let what = match dice.below(3) {
        0 => Trouble::Full { site },
        1 => Trouble::Slow { site, factor: STUCK },
        _ => Trouble::SlowReads { site, factor: STUCK },
    };
    faults.retain(|fault| fault.lasts_ms < FOR_EVER_MS);
    for_ever_in_the_lead(dice, area, site, what, faults);
}

/// In a fifth of the runs one of the core never hears one of the others again, which may lead: a majority hears it, and so
/// it goes on. Nothing else lasts for ever then.
fn unheard(dice: &mut Dice, area: Area, (site, core): (usize, &[usize]), faults: &mut Vec<Fault>) {
    let to = Spot::Site(*dice.pick(core));
    if dice.below(5) == 0 {
        faults.retain(|fault| fault.lasts_ms < FOR_EVER_MS);
        let what = Trouble::Cut { from: Spot::Site(site), to };
        for_ever_in_the_lead(dice, area, site, what, faults);
    }
}

/// From late in the run on something lasts for ever, which shows where that site leads, and only there. So in most runs
/// each of the others is cut off from its peers just before, long enough to lose what it leads, and nothing else comes in
/// between; in the rest it comes as it may.
fn for_ever_in_the_lead(dice: &mut Dice, area: Area, site: usize, what: Trouble, faults: &mut Vec<Fault>) {
    let at_ms = area.chaos_ms - 1 - dice.below(10_000);
    if dice.below(4) > 0 {
        let away_ms = area.election_min_ms + dice.between(100, 600);
        let others: Vec<usize> = (0..area.sites).filter(|other| *other != site).collect();
        let gap_ms = away_ms + 200;
        let from_ms = at_ms.saturating_sub(gap_ms * others.len() as u64);
        faults.retain(|fault| fault.at_ms < from_ms && fault.at_ms.saturating_add(fault.lasts_ms) < from_ms);
        for (turn, other) in (0..).zip(others) {
            push(faults, from_ms + turn * gap_ms, away_ms, Trouble::Halves { left: vec![other] });
        }
    }
    push(faults, at_ms, FOR_EVER_MS, what);
}

/// Disks lose whatever they have, anywhere, several at a time.
fn ruin(dice: &mut Dice, area: Area, faults: &mut Vec<Fault>) {
    for _ in 0..dice.between(2, 10) {
        let site = dice.index(area.sites);
        let of = *dice.pick(&FileKind::ALL);
        let (what, lasts_ms) = match dice.below(5) {
            0 => (Trouble::Rollback { site, of: None }, dice.log_uniform(5, 10_000)),
            1 => (Trouble::Rollback { site, of: Some(of) }, dice.log_uniform(5, 10_000)),
            2 => (Trouble::Astray { site, of, how: astray(dice) }, 0),
            3 if dice.below(4) == 0 => (Trouble::Wipe { site }, dice.log_uniform(20, 2_000)),
            _ => (Trouble::Decay { site, of, how: decay(dice) }, dice.log_uniform(20, 2_000)),
        };
        push(faults, moment(dice, area), lasts_ms, what);
        if dice.coin() {
            push(faults, moment(dice, area), 50, Trouble::PowerLoss { site, kept_ppm: 500_000 });
        }
    }
}

/// One-way cuts that flap; streams with holes; a door that leads elsewhere.
fn network(dice: &mut Dice, area: Area, faults: &mut Vec<Fault>) {
    if area.sites < 2 {
        return;
    }
    let from = dice.index(area.sites);
    let to = (from + 1 + dice.index(area.sites - 1)) % area.sites;
    if dice.below(6) == 0 {
        let mut at_ms = moment(dice, area);
        let lasts_ms = dice.log_uniform(20, area.election_min_ms);
        for _ in 0..dice.between(5, 30) {
            let (from, to) = (Spot::Site(from), Spot::Site(to));
            push(faults, at_ms, lasts_ms, Trouble::Cut { from, to });
            at_ms += lasts_ms + 1 + dice.below(lasts_ms);
        }
        faults.retain(|fault| fault.at_ms < area.chaos_ms);
    }
    if dice.below(3) == 0 {
        for _ in 0..dice.between(1, 8) {
            let (one, site) = (dice.index(area.sites + area.clients), Spot::Site(dice.index(area.sites)));
            let one = if one < area.sites { Spot::Site(one) } else { Spot::Client(one - area.sites) };
            let (from, to) = if dice.coin() { (one, site) } else { (site, one) };
            if from != to {
                push(faults, moment(dice, area), 0, Trouble::Swallow { from, to });
            }
        }
    }
    if dice.below(8) == 0 {
        let what = Trouble::Misroute { site: from, answers: to };
        push(faults, moment(dice, area), dice.log_uniform(200, 8_000), what);
    }
}

/// Power that fails at the worst moments, often everywhere, and again while the nodes recover.
fn power(dice: &mut Dice, area: Area, faults: &mut Vec<Fault>) {
    if dice.below(3) > 0 {
        return;
    }
    for _ in 0..dice.between(1, 4) {
        let when = *dice.pick(&[
            Moment::Checkpoint,
            Moment::Frame,
            Moment::Mend,
            Moment::CaughtUp,
            Moment::CaughtUp,
        ]);
        let site = if dice.below(3) == 0 { Some(dice.index(area.sites)) } else { None };
        let kept_ppm = *dice.pick(&[0, 300_000, 700_000]);
        let at_ms = moment(dice, area);
        let lasts_ms = dice.log_uniform(20, 1_000);
        push(faults, at_ms, lasts_ms, Trouble::Dark { site, when, kept_ppm });
        if dice.coin() {
            let what = Trouble::Dark { site, when: Moment::Recovery, kept_ppm };
            push(faults, at_ms + lasts_ms, dice.log_uniform(20, 500), what);
        }
    }
}

/// In half of the clusters somebody starts a node with the secret of another, sees it, and starts it again.
fn strangers(dice: &mut Dice, area: Area, faults: &mut Vec<Fault>) {
    if area.sites > 1 && dice.coin() {
        let what = Trouble::Stranger { site: dice.index(area.sites) };
        push(faults, moment(dice, area), dice.log_uniform(500, 4_000), what);
    }
}

/// Slow and stuck reads; everybody standing still, as long as an election or a session takes.
fn rest(dice: &mut Dice, area: Area, faults: &mut Vec<Fault>) {
    if dice.below(4) == 0 {
        for _ in 0..dice.between(1, 3) {
            let what =
                Trouble::SlowReads { site: dice.index(area.sites), factor: *dice.pick(&[10, 1_000, STUCK]) };
            push(faults, moment(dice, area), dice.log_uniform(100, 6_000), what);
        }
    }
    if dice.below(6) == 0 {
        for _ in 0..dice.between(1, 3) {
            let lasts_ms = *dice.pick(&[area.election_min_ms, 2 * area.election_min_ms + 100, 10_500, 300]);
            push(faults, moment(dice, area), lasts_ms, Trouble::PauseAll);
        }
    }
}
