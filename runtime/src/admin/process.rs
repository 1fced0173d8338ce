//! What the system says of this process: read from /proc when it is asked for.

use rust_mq_metrics::Process;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What it says now; what cannot be read is 0.
pub(super) fn now(started: Instant) -> Process {
    use rustix::process::{Resource, getrlimit};
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
    let (uptime, time) =
        (started.elapsed(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    Process {
        uptime_seconds: uptime.as_secs_f64(),
        started_seconds: time.saturating_sub(uptime).as_secs_f64(),
        cpu_seconds: cpu_ticks(&stat) as f64 / ticks as f64,
        resident_bytes: pages * rustix::param::page_size() as u64,
        open_files: std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64),
        files_max: getrlimit(Resource::Nofile).current.unwrap_or(0),
    }
}

/// User and system time, in ticks: the 14th and 15th field of `/proc/self/stat`; the second is a name in brackets.
fn cpu_ticks(stat: &str) -> u64 {
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    after.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "4711 (a ) b) S 1 1 1 0 -1 4194304 100 0 0 0 25 17 0 0 20 0 5 0 100 200 300";
        assert_eq!(cpu_ticks(stat), 42);
        assert_eq!(cpu_ticks(""), 0);
    }

    #[test]
    fn this_process_has_memory_and_files() {
        let process = now(Instant::now());
        assert!(
            process.resident_bytes > 1 << 20 && process.open_files > 2 && process.files_max > 2,
            "{process:?}"
        );
    }
}
