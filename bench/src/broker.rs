//! A broker under measurement: the release binary as a process, and what the kernel says of it.

use crate::client::Client;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running broker. Killed when dropped.
pub struct Broker {
    child: Child,
    /// Where it serves.
    pub address: String,
    /// From starting the process to its first answer to ApiVersions.
    pub start_time: Duration,
}

/// What the kernel has counted for a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// Processor time of all its threads.
    pub cpu: Duration,
}

impl Broker {
    /// Starts the release binary with these arguments on a free port.
    pub fn start(arguments: &[&str]) -> io::Result<Broker> {
        let started = Instant::now();
        let mut child = Command::new(binary()?)
            .args(["--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let log = child.stdout.take().ok_or_else(|| io::Error::other("the broker has no stdout"))?;
        let mut lines = BufReader::new(log).lines();
        let address = loop {
            let line = lines.next().ok_or_else(|| io::Error::other("the broker ended at its start"))??;
            if let Some((_, rest)) = line.split_once("\"kafka\":\"") {
                break rest.split('"').next().unwrap_or_default().to_owned();
            }
        };
        // Someone must read the log, or the broker would wait for its reader.
        std::thread::spawn(move || lines.for_each(drop));
        while Client::connect(&address).and_then(|mut client| client.api_versions()).is_err() {
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(Broker { child, address, start_time: started.elapsed() })
    }

    /// What was counted so far.
    pub fn counted(&self) -> io::Result<Counted> {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let mut cpu = 0;
        for task in std::fs::read_dir(process.join("task"))? {
            let schedstat = std::fs::read_to_string(task?.path().join("schedstat"))?;
            cpu += schedstat.split(' ').next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Counted { cpu: Duration::from_nanos(cpu) })
    }

    /// How many system calls the process makes while `work` runs, counted by `perf stat`.
    pub fn calls_during<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<(u64, T)> {
        let process = self.child.id().to_string();
        let mut perf = Command::new("perf")
            .args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", &process])
            .stderr(Stdio::piped())
            .spawn()?;
        std::thread::sleep(Duration::from_millis(300));
        let worked = work();
        let pid = rustix::process::Pid::from_child(&perf);
        rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
        let mut said = String::new();
        if let Some(mut stderr) = perf.stderr.take() {
            stderr.read_to_string(&mut said)?;
        }
        perf.wait()?;
        let counted = said.lines().find_map(|line| line.split(',').next()?.parse().ok());
        let counted = counted.ok_or_else(|| io::Error::other(format!("perf stat said: {said}")))?;
        Ok((counted, worked?))
    }

    /// Memory in use, bytes.
    pub fn memory(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        Ok(field(&status, "VmRSS:") * 1024)
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may be gone already; nothing is left to do about it then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Counted {
    /// What was counted since `earlier`.
    pub fn since(self, earlier: Counted) -> Counted {
        Counted { cpu: self.cpu.saturating_sub(earlier.cpu) }
    }
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The release binary, built if it is not there.
pub fn binary() -> io::Result<PathBuf> {
    let target = std::env::current_exe()?;
    let path = target.parent().unwrap_or(Path::new(".")).join("rust-mq");
    if !path.exists() {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let status = Command::new(cargo).args(["build", "--release", "-p", "rust-mq"]).status()?;
        if !status.success() {
            return Err(io::Error::other("the broker could not be built"));
        }
    }
    Ok(path)
}
