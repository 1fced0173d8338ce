//! One running node. What it prints goes to a file beside its data, whose end is shown when it does not start.

use crate::client::Client;
use crate::kernel::Reading;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a node may take to its first answer: three JVMs on a machine that is busy take more than a minute.
const START_MAX: Duration = Duration::from_secs(180);

/// A node. Killed when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
    started: Instant,
    /// Where Kafka clients reach it.
    pub address: String,
}

impl Process {
    /// Starts a node that will serve at `address`.
    pub fn start(mut command: Command, address: String, log: &Path) -> io::Result<Process> {
        let out = File::create(log)?;
        let started = Instant::now();
        let child =
            command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).spawn().map_err(|error| {
                crate::side::artifacts::missing(&command.get_program().to_string_lossy(), &error)
            })?;
        Ok(Process { child, log: log.to_owned(), started, address })
    }

    /// Waits until it answers ApiVersions, and says how long that took from the start.
    pub fn first_answer(&mut self) -> io::Result<Duration> {
        while Client::connect(&self.address).and_then(|mut client| client.api_versions()).is_err() {
            let has_ended = self.child.try_wait()?.is_some();
            if has_ended || self.started.elapsed() > START_MAX {
                return Err(io::Error::other(format!("a node did not start. {}", self.said())));
            }
            thread::sleep(Duration::from_micros(500));
        }
        Ok(self.started.elapsed())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the kernel has counted for it.
    pub fn reading(&self) -> io::Result<Reading> {
        Reading::of(self.child.id())
    }

    /// Ends it as a power cut would end a program.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// The end of its log.
    pub fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!("{}:\n{}", self.log.display(), lines[lines.len().saturating_sub(12)..].join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already; nothing is left to do about it then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
