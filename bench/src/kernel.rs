//! What the kernel counted: for a process, and for the thread that asks. Processor time comes from every task's
//! `schedstat`, which is exact to the nanosecond; the usual clock ticks are 10 ms each.
//!
//! System calls and flushes are counted by `perf stat` on tracepoints, for a while of their own, because counting
//! costs the broker processor time that is not its own.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::fs;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Counts of one process, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Processor time of all tasks, nanoseconds.
    pub cpu_ns: u64,
    /// Context switches of all tasks, wanted and forced.
    pub switches: u64,
    /// Bytes sent towards the disk.
    pub written_bytes: u64,
    /// Memory now, bytes.
    pub memory: u64,
    /// The most memory there ever was, bytes.
    pub memory_peak: u64,
}

/// System calls within a while.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Calls {
    /// All of them.
    pub all: u64,
    /// fsync, fdatasync and msync.
    pub flushes: u64,
}

impl Reading {
    /// Of one process.
    pub fn of(process: u32) -> io::Result<Reading> {
        let mut reading = Reading::default();
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            let task = task?.path();
            // A task may end between being listed and being read.
            let schedstat = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
            let status = fs::read_to_string(task.join("status")).unwrap_or_default();
            reading.cpu_ns += processor_time(&schedstat);
            reading.switches +=
                field(&status, "voluntary_ctxt_switches:") + field(&status, "nonvoluntary_ctxt_switches:");
        }
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        reading.memory = field(&status, "VmRSS:") * 1024;
        reading.memory_peak = field(&status, "VmHWM:") * 1024;
        reading.written_bytes = field(&fs::read_to_string(format!("/proc/{process}/io"))?, "write_bytes:");
        Ok(reading)
    }

    /// Several processes as one.
    pub fn add(self, other: Reading) -> Reading {
        Reading {
            cpu_ns: self.cpu_ns + other.cpu_ns,
            switches: self.switches + other.switches,
            written_bytes: self.written_bytes + other.written_bytes,
            memory: self.memory + other.memory,
            memory_peak: self.memory_peak + other.memory_peak,
        }
    }

    /// What was counted since `earlier`; memory is as it is now.
    pub fn since(self, earlier: Reading) -> Reading {
        Reading {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            switches: self.switches.saturating_sub(earlier.switches),
            written_bytes: self.written_bytes.saturating_sub(earlier.written_bytes),
            ..self
        }
    }
}

/// Processor time that the calling thread has had, nanoseconds.
pub fn own_processor_time() -> io::Result<u64> {
    Ok(processor_time(&fs::read_to_string("/proc/thread-self/schedstat")?))
}

/// Waits until a process has ended, and says what processor time it has had in all, in nanoseconds: exact to a tick of the
/// system's clock, 10 ms. It is still to be waited for.
pub fn whole_processor_time(child: &Child) -> io::Result<u64> {
    const TICK_NS: u64 = 10_000_000;
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let id = id.ok_or_else(|| io::Error::other("a process without an id"))?;
    waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    // Behind the name, which may hold anything: the state is the third field, user and system time are 14 and 15.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Ok(ticks.sum::<u64>() * TICK_NS)
}

/// The first field of a `schedstat`.
fn processor_time(schedstat: &str) -> u64 {
    schedstat.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Counts the system calls of some processes from now on, until `stop`.
pub struct CallCount(Child);

impl CallCount {
    /// Starts counting. An error where `perf` is not here or not allowed.
    pub fn start(processes: &[u32]) -> io::Result<CallCount> {
        let processes: Vec<String> = processes.iter().map(u32::to_string).collect();
        let flushes = ["fsync", "fdatasync", "msync"].map(|call| format!("syscalls:sys_enter_{call}"));
        let events = format!("raw_syscalls:sys_enter,{}", flushes.join(","));
        let child = Command::new("perf")
            .args(["stat", "-x", ",", "-e", &events, "-p", &processes.join(",")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        // It says nothing when it has attached to all tasks; a JVM has about a hundred.
        thread::sleep(Duration::from_millis(400));
        Ok(CallCount(child))
    }

    /// Stops, and says what was counted.
    pub fn stop(mut self) -> io::Result<Calls> {
        kill_process(Pid::from_child(&self.0), Signal::INT)?;
        let mut said = String::new();
        if let Some(mut stderr) = self.0.stderr.take() {
            stderr.read_to_string(&mut said)?;
        }
        self.0.wait()?;
        calls(&said).ok_or_else(|| io::Error::other(format!("perf stat said: {said}")))
    }
}

fn calls(said: &str) -> Option<Calls> {
    let mut calls = Calls::default();
    let mut is_counted = false;
    for line in said.lines() {
        let mut fields = line.split(',');
        let (Some(Ok(count)), Some(event)) = (fields.next().map(str::parse::<u64>), fields.nth(1)) else {
            continue;
        };
        if event == "raw_syscalls:sys_enter" {
            calls.all = count;
            is_counted = true;
        } else {
            calls.flushes += count;
        }
    }
    is_counted.then_some(calls)
}

/// The number behind a name at the start of a line; 0 where there is none.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_at_the_start_of_its_line_only() {
        let status = "VmHWM:\t  120 kB\nnonvoluntary_ctxt_switches:\t3\nvoluntary_ctxt_switches:\t8\n";
        assert_eq!(field(status, "VmHWM:"), 120);
        assert_eq!(field(status, "voluntary_ctxt_switches:"), 8);
        assert_eq!(field(status, "VmRSS:"), 0);
    }

    #[test]
    fn flushes_of_three_kinds_are_one_count() {
        let said = "900,,raw_syscalls:sys_enter,1,100.00,,\n5,,syscalls:sys_enter_fsync,1,100.00,,\n\
                    7,,syscalls:sys_enter_fdatasync,1,100.00,,\n1,,syscalls:sys_enter_msync,1,100.00,,\n";
        assert_eq!(calls(said), Some(Calls { all: 900, flushes: 13 }));
        assert_eq!(calls("<not supported>,,raw_syscalls:sys_enter,0,100.00,,"), None);
    }

    #[test]
    fn this_process_has_used_some_processor_time_and_memory() {
        let reading = Reading::of(std::process::id()).expect("a process can read of itself");
        assert!(reading.cpu_ns > 0 && reading.memory > 0 && reading.memory_peak >= reading.memory);
    }
}
