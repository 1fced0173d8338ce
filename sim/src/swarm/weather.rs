//! Draws the sites, the network, and what goes wrong.
//!
//! Each kind of trouble is on with probability one half, then its rate is drawn log-uniformly; one run in ten has
//! none, one in ten exactly one kind.
//!
//! The atlas: bit rot comes only to sites of one drawn minority, so that no record loses the copies of a
//! majority; and the core that is healed in the end holds none of them.

use super::storms::FOR_EVER_MS;
use crate::clock::{MICRO, MILLI};
use crate::dice::{Dice, Root};
use crate::network::{Spot, Weather};
use crate::plan::{Fault, SitePlan};
use crate::trouble::{Trouble, TroubleKind};

/// A site of a cluster of so many.
pub fn site(dice: &mut Dice, sites: usize) -> SitePlan {
    let is_hostile = sites > 1 && dice.below(10) == 0;
    let drift = if is_hostile { 100_000 } else { 200 };
    SitePlan {
        offset_ns: dice.below(1 << 40),
        drift_ppm: dice.between(0, 2 * drift) as i64 - drift as i64,
        skew_ms: if dice.below(3) == 0 { dice.below(2_400_000) as i64 - 1_200_000 } else { 0 },
        capacity: 1 << 30,
        touch_ns: dice.log_uniform(5 * MICRO, 200 * MICRO),
        sync_ns: dice.log_uniform(100 * MICRO, 10 * MILLI),
        byte_ps: dice.log_uniform(100, 4_000),
        newer_from: None,
    }
}

/// The network.
pub fn network(dice: &mut Dice) -> Weather {
    Weather {
        latency_min_ns: dice.log_uniform(10 * MICRO, MILLI),
        latency_mean_ns: dice.log_uniform(20 * MICRO, 20 * MILLI),
        late_ppm: if dice.below(3) == 0 { dice.log_uniform(100, 20_000) } else { 0 },
        byte_ps: dice.log_uniform(80, 8_000),
        window_bytes: *dice.pick(&[4 << 10, 64 << 10, 64 << 10, 1 << 20]),
        cut_max: *dice.pick(&[1 << 30, 1 << 30, 1 << 30, 1_000, 100, 7]),
    }
}

/// What goes wrong, by rising time.
pub fn faults(
    root: Root,
    (sites, chaos_ms, election_min_ms): (usize, u64, u64),
    clients: usize,
    core: &[usize],
) -> Vec<Fault> {
    let mut dice = root.stream("swarm", &[]);
    let kinds: Vec<TroubleKind> = match dice.below(10) {
        0 => Vec::new(),
        1 => vec![*dice.pick(&TroubleKind::ALL)],
        _ => TroubleKind::ALL.into_iter().filter(|_| dice.coin()).collect(),
    };
    let outside: Vec<usize> = (0..sites).filter(|site| !core.contains(site)).collect();
    let mut faults = Vec::new();
    if kinds.len() > 1 {
        extras(root, (sites, chaos_ms, election_min_ms), &outside, &mut faults);
    }
    for kind in kinds {
        let mut dice = root.stream("trouble", &[kind as u64]);
        let mean_gap_ms = dice.log_uniform(1_500, 20_000);
        let mut at_ms = 500 + dice.exponential(mean_gap_ms);
        while at_ms < chaos_ms {
            if let Some((what, lasts_ms)) = trouble(kind, sites, clients, &outside, &mut dice) {
                faults.push(Fault { at_ms, lasts_ms, what });
            }
            at_ms += 50 + dice.exponential(mean_gap_ms);
        }
    }
    if let Some(site) = outside.first().filter(|_| dice.coin()) {
        // Something outside the core stays wrong for ever, a one-way cut included.
        let to = *dice.pick(core);
        let what = match dice.below(4) {
            0 => Trouble::Isolate { site: *site },
            1 => Trouble::Kill { site: *site },
            2 => Trouble::Cut { from: Spot::Site(*site), to: Spot::Site(to) },
            _ => Trouble::Cut { from: Spot::Site(to), to: Spot::Site(*site) },
        };
        faults.push(Fault { at_ms: chaos_ms - 1 - dice.below(10_000), lasts_ms: FOR_EVER_MS, what });
    }
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

/// Four patterns that single troubles seldom make, each in some of the runs. A carousel cuts one site after the
/// other off from its peers, not from clients, just long enough for another to be elected: leadership goes round and
/// comes back to where it was. The power fails again and again in the midst of a write. A sync fails as the process is
/// killed, and the power fails in the next life. And a journal rots in a site that the others can do without.
fn extras(
    root: Root,
    (sites, chaos_ms, election_min_ms): (usize, u64, u64),
    outside: &[usize],
    faults: &mut Vec<Fault>,
) {
    let mut dice = root.stream("carousel", &[]);
    if sites >= 3 && dice.below(4) == 0 {
        let mut at_ms = dice.between(2_000, chaos_ms / 2);
        for turn in 0..dice.between(4, 12) as usize {
            // A peer is given up after the shortest election timeout, and whose turn it is stands then.
            let lasts_ms = election_min_ms + dice.between(100, 600);
            faults.push(Fault { at_ms, lasts_ms, what: Trouble::Halves { left: vec![turn % sites] } });
            at_ms += lasts_ms + dice.below(100);
            if at_ms >= chaos_ms {
                break;
            }
        }
    }
    let mut dice = root.stream("torn writes", &[]);
    if dice.below(3) == 0 {
        for _ in 0..dice.between(3, 8) {
            let is_checkpoint = dice.coin();
            let kept_ppm = *dice.pick(&[300_000, 600_000, 900_000]);
            let what = Trouble::PowerLossAtWrite { site: dice.index(sites), is_checkpoint, kept_ppm };
            let at_ms = dice.between(1_000, chaos_ms - 3_000);
            faults.push(Fault { at_ms, lasts_ms: dice.log_uniform(20, 1_000), what });
        }
    }
    let mut dice = root.stream("killed while syncing", &[]);
    if dice.below(4) == 0 {
        for _ in 0..dice.between(1, 3) {
            let site = dice.index(sites);
            let at_ms = dice.between(1_000, chaos_ms - 6_000);
            faults.push(Fault {
                at_ms,
                lasts_ms: dice.log_uniform(20, 300),
                what: Trouble::KillAtSync { site },
            });
            let at_ms = at_ms + dice.between(500, 3_000);
            let what = Trouble::PowerLoss { site, kept_ppm: *dice.pick(&[0, 500_000]) };
            faults.push(Fault { at_ms, lasts_ms: dice.log_uniform(20, 1_000), what });
        }
    }
    let mut dice = root.stream("rot of a journal", &[]);
    if let Some(site) = outside.first().filter(|_| dice.below(4) == 0) {
        let at_ms = dice.between(3_000, chaos_ms - 3_000);
        let lasts_ms = dice.log_uniform(50, 2_000);
        faults.push(Fault { at_ms, lasts_ms, what: Trouble::RotJournal { site: *site } });
    }
}

fn trouble(
    kind: TroubleKind,
    sites: usize,
    clients: usize,
    outside: &[usize],
    dice: &mut Dice,
) -> Option<(Trouble, u64)> {
    let site = dice.index(sites);
    let kept_ppm = *dice.pick(&[0, 100_000, 500_000, 900_000]);
    // Most are short; some outlast the window of the log, so that catch-up is needed.
    let lasts_ms =
        if dice.below(4) == 0 { dice.log_uniform(2_000, 20_000) } else { dice.log_uniform(20, 2_000) };
    let left = || (0..sites).filter(|other| *other != site).take(sites / 2).collect::<Vec<_>>();
    let what = match kind {
        TroubleKind::Process if dice.below(4) == 0 => Trouble::Stop { site },
        TroubleKind::Process => Trouble::Kill { site },
        TroubleKind::PowerLoss => Trouble::PowerLoss { site, kept_ppm },
        TroubleKind::Blackout => return Some((Trouble::Blackout { kept_ppm }, dice.log_uniform(20, 3_000))),
        TroubleKind::Pause => Trouble::Pause { site },
        TroubleKind::Cut => {
            let spots = sites + clients;
            let spot = |number: usize| {
                if number < sites { Spot::Site(number) } else { Spot::Client(number - sites) }
            };
            let other = spot(dice.index(spots));
            let (from, to) = if dice.coin() { (Spot::Site(site), other) } else { (other, Spot::Site(site)) };
            if from == to {
                return None;
            }
            Trouble::Cut { from, to }
        }
        TroubleKind::Isolate => Trouble::Isolate { site },
        TroubleKind::Partition if sites < 3 => return None,
        TroubleKind::Partition if dice.coin() => Trouble::Bridge { left: left(), site },
        TroubleKind::Partition => Trouble::Halves { left: left() },
        TroubleKind::Clock if dice.coin() => {
            Trouble::Drift { site, ppm: dice.below(100_000) as i64 - 50_000 }
        }
        TroubleKind::Clock => {
            // Minutes are what clocks are wrong by that nobody has set; hours, what somebody sets them wrong by.
            let unit_ms = *dice.pick(&[60_000, 3_600_000]);
            let units = dice.below(49) as i64 - 24;
            Trouble::Jump { site, by_ms: units * unit_ms + dice.below(1000) as i64 }
        }
        TroubleKind::DiskError => match dice.below(3) {
            0 => Trouble::WriteFails { site },
            1 => Trouble::SyncFails { site },
            _ => Trouble::ReadFails { site },
        },
        TroubleKind::DiskFull => Trouble::Full { site },
        TroubleKind::DiskSlow => Trouble::Slow { site, factor: dice.log_uniform(5, 2_000) },
        TroubleKind::Rot => Trouble::Rot { site: *outside.first()? },
        TroubleKind::Hangup => Trouble::Hangup { client: dice.index(clients) },
        // Those are drawn in `storms`.
        TroubleKind::Decay
        | TroubleKind::Astray
        | TroubleKind::OtherDisk
        | TroubleKind::SlowReads
        | TroubleKind::Dark
        | TroubleKind::PauseAll
        | TroubleKind::Swallow
        | TroubleKind::Misroute
        | TroubleKind::Stranger => return None,
    };
    Some((what, lasts_ms))
}
