//! A broker under measurement: the release binary as a process, and what the kernel says of it.

use crate::client::Client;
use crate::kernel::{CallCount, Reading};
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
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

impl Broker {
    /// Starts the release binary with these arguments on a free port.
    pub fn start(arguments: &[&str]) -> io::Result<Broker> {
        let program = binary()?;
        let started = Instant::now();
        let mut child = Command::new(program)
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

    /// What the kernel has counted so far.
    pub fn counted(&self) -> io::Result<Reading> {
        Reading::of(self.child.id())
    }

    /// How many system calls the process makes while `work` runs.
    pub fn calls_during<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<(u64, T)> {
        let count = CallCount::start(&[self.child.id()])?;
        let worked = work();
        let counted = count.stop()?.all;
        Ok((counted, worked?))
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

/// Brings the release binary beside this program up to date.
pub fn build() -> io::Result<PathBuf> {
    if std::env::var_os("RUST_MQ_BENCH_NO_BUILD").is_none() {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let status = Command::new(cargo).args(["build", "--release", "-p", "rust-mq"]).status()?;
        if !status.success() {
            return Err(io::Error::other("the broker could not be built"));
        }
    }
    binary()
}

/// Where the release binary is: beside this program.
pub fn binary() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("rust-mq");
    if path.exists() { Ok(path) } else { Err(io::Error::other("run this with `cargo run --release`")) }
}
