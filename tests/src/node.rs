//! One running broker: started with arguments, watched, asked, killed, started again on the same address.
//!
//! Invariants: a [`Node`] has answered ApiVersions once before anyone gets it; its process is dead when it is
//! dropped; a test that fails prints what the broker wrote.

use crate::binary::binary;
use crate::client::Client;
use kafka_protocol::messages::ApiVersionsRequest;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a start may take before the test fails: generous, since a machine may be busy with other tests.
const START_MAX: Duration = Duration::from_secs(30);
/// How long an orderly stop may take.
const STOP_MAX: Duration = Duration::from_secs(15);
/// Between two looks at something that is about to happen.
const LOOK: Duration = Duration::from_millis(10);

/// What a process wrote, line by line, both of its streams together.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

/// A broker that serves.
#[derive(Debug)]
pub struct Node {
    process: Process,
    /// How it was started, without what it was started under.
    arguments: Vec<String>,
    address: SocketAddr,
    /// Spawn to first answer.
    start_time: Duration,
}

/// A broker that did not serve: how it ended, and what it wrote.
#[derive(Debug)]
pub struct Refusal {
    /// How the process ended.
    pub status: ExitStatus,
    /// Everything it wrote.
    pub log: String,
    /// What of that was on standard error. The two streams have no order between them.
    pub errors: String,
}

#[derive(Debug)]
struct Process {
    child: Child,
    log: Log,
    /// What it wrote to standard error alone.
    errors: Log,
    /// They read what it writes, and end with it.
    readers: Vec<JoinHandle<()>>,
}

impl Node {
    /// Starts a broker in memory on a free port.
    pub fn in_memory() -> Node {
        Node::start(&["--listen", "127.0.0.1:0"])
    }

    /// Starts a broker with its data in `data`, on a free port.
    pub fn on_disk(data: &str) -> Node {
        Node::start(&["--listen", "127.0.0.1:0", "--data", data])
    }

    /// Starts a broker with these arguments and waits until it answers.
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Node {
        Node::try_start(arguments)
            .unwrap_or_else(|refusal| panic!("the broker ended with {}:\n{}", refusal.status, refusal.log))
    }

    /// Like [`Node::start`], by a command that becomes the broker or watches it without standing between: the
    /// limits of `prlimit`, the faults of `strace -D`. A restart is without it.
    #[track_caller]
    pub fn start_under(above: &[&str], arguments: &[&str]) -> Node {
        Node::try_start_under(above, arguments)
            .unwrap_or_else(|refusal| panic!("the broker ended with {}:\n{}", refusal.status, refusal.log))
    }

    /// Like [`Node::start`], for a broker that may refuse.
    pub fn try_start(arguments: &[&str]) -> Result<Node, Refusal> {
        Node::try_start_under(&[], arguments)
    }

    /// Like [`Node::start_under`], for a broker that may refuse.
    pub fn try_start_under(above: &[&str], arguments: &[&str]) -> Result<Node, Refusal> {
        let binary = binary();
        let started = Instant::now();
        let mut process = Process::spawn(above, binary, arguments);
        let address = loop {
            if let Some(address) = process.log.address() {
                break address;
            }
            process.still_runs(started)?;
            thread::sleep(LOOK);
        };
        Node::answering(process, arguments, address, started)
    }

    /// Like [`Node::try_start`], for a broker whose configuration says where it listens.
    pub fn start_at(arguments: &[&str], address: SocketAddr) -> Result<Node, Refusal> {
        let binary = binary();
        let started = Instant::now();
        Node::answering(Process::spawn(&[], binary, arguments), arguments, address, started)
    }

    fn answering(
        mut process: Process,
        arguments: &[&str],
        address: SocketAddr,
        started: Instant,
    ) -> Result<Node, Refusal> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        while !answers(address) {
            process.still_runs(started)?;
            thread::sleep(LOOK);
        }
        Ok(Node { process, arguments, address, start_time: started.elapsed() })
    }

    /// Where clients reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same, as a client's bootstrap address.
    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }

    /// Where those who watch it reach it, if it was started with an `admin_addr`.
    #[track_caller]
    pub fn admin_address(&self) -> SocketAddr {
        let log = self.log();
        let said = log.split_once("\"admin\":\"").and_then(|(_, rest)| rest.split('"').next());
        said.and_then(|said| said.parse().ok()).unwrap_or_else(|| panic!("it says no admin address:\n{log}"))
    }

    /// Spawn to first ApiVersions answer.
    pub fn start_time(&self) -> Duration {
        self.start_time
    }

    /// A new connection to it.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Whether it answers a new connection now.
    pub fn serves(&self) -> bool {
        answers(self.address)
    }

    /// Everything it wrote since its last start.
    pub fn log(&self) -> String {
        self.process.log.text()
    }

    /// The most memory it ever held, in bytes (the kernel's high water mark of resident pages).
    pub fn peak_memory_bytes(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// The memory that it holds now, in bytes (the kernel's resident pages).
    pub fn memory_bytes(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// How many files and sockets it has open.
    pub fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.process.child.id());
        std::fs::read_dir(path).expect("our own child's descriptors can be listed").count()
    }

    /// How many files and sockets it may have open from now on.
    pub fn limit_descriptors(&self, most: usize) {
        let status = Command::new("prlimit")
            .args(["--pid", &self.process.child.id().to_string(), &format!("--nofile={most}:")])
            .status();
        let is_set = status.expect("prlimit is part of util-linux, which every system has").success();
        assert!(is_set, "our own child's limits can be changed");
    }

    /// Processor time of its core thread (the kernel's schedstat).
    pub fn core_time(&self) -> Duration {
        let path = format!("/proc/{}/schedstat", self.process.child.id());
        let text = std::fs::read_to_string(path).expect("a running process has a schedstat");
        let nanoseconds = text.split_whitespace().next().and_then(|first| first.parse().ok());
        Duration::from_nanos(nanoseconds.expect("schedstat begins with nanoseconds"))
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.end();
    }

    /// Stops it in its tracks; its sockets stay open.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to stop, as service managers do.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to read its configuration again.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// A line of its status that says how much, in bytes.
    fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.process.child.id());
        let status = std::fs::read_to_string(path).expect("a running process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux states it");
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("it is a number of kB");
        kibibytes * 1024
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.child), signal).expect("our own child can be signalled");
    }

    /// Asks it to stop, and waits for that.
    pub fn terminate(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.end()
    }

    /// Waits until it has ended by itself.
    pub fn end(&mut self) -> ExitStatus {
        self.end_within(STOP_MAX)
    }

    /// Waits so long until it has ended by itself.
    pub fn end_within(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.process.child.try_wait().expect("our own child can be waited for") {
                self.process.read_to_end();
                return status;
            }
            assert!(Instant::now() < deadline, "the broker did not end within {patience:?}:\n{}", self.log());
            thread::sleep(LOOK);
        }
    }

    /// Kills it if it still runs, and starts it again with the same arguments on the same address.
    pub fn restart(&mut self) {
        self.process.end();
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let address = self.address.to_string();
        if let Some(at) = arguments.iter().position(|argument| *argument == "--listen") {
            arguments[at + 1] = &address;
        }
        let again = Node::start_at(&arguments, self.address);
        *self = again.unwrap_or_else(|refusal| {
            panic!("the broker did not start again, {}:\n{}", refusal.status, refusal.log)
        });
    }
}

/// Runs the binary to its end: for `--help` and for mistakes.
pub fn run_to_end(arguments: &[&str]) -> Refusal {
    run_to_end_under(&[], arguments)
}

/// Like [`run_to_end`], by a command that becomes the binary: `env`, for what an environment says.
pub fn run_to_end_under(above: &[&str], arguments: &[&str]) -> Refusal {
    // Building it takes time of its own.
    let binary = binary();
    let started = Instant::now();
    let mut process = Process::spawn(above, binary, arguments);
    loop {
        match process.still_runs(started) {
            Ok(()) => thread::sleep(LOOK),
            Err(refusal) => return refusal,
        }
    }
}

impl Process {
    fn spawn(above: &[&str], binary: &Path, arguments: &[&str]) -> Process {
        let mut command = match above {
            [] => Command::new(binary),
            [program, before @ ..] => {
                let mut command = Command::new(program);
                command.args(before).arg(binary);
                command
            }
        };
        // What a developer's own broker is told is not for this one.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RUST_MQ_"))
        {
            command.env_remove(name);
        }
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the built binary can be started");
        let (log, errors) = (Log::default(), Log::default());
        let readers = vec![
            Log::follow(&[&log], child.stdout.take().expect("stdout is piped")),
            Log::follow(&[&log, &errors], child.stderr.take().expect("stderr is piped")),
        ];
        Process { child, log, errors, readers }
    }

    /// It has ended: waits for its last lines, which may still be on their way through the pipes. Whoever it has started
    /// might hold them open for longer than it lived.
    fn read_to_end(&self) {
        let deadline = Instant::now() + STOP_MAX;
        while !self.readers.iter().all(JoinHandle::is_finished) && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
    }

    /// Fails with its last words once it has ended; panics once it has taken too long.
    fn still_runs(&mut self, since: Instant) -> Result<(), Refusal> {
        if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
            self.read_to_end();
            return Err(Refusal { status, log: self.log.text(), errors: self.errors.text() });
        }
        assert!(
            since.elapsed() < START_MAX,
            "no answer within {START_MAX:?}; it wrote:\n{}",
            self.log.text()
        );
        Ok(())
    }

    fn end(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        if thread::panicking() {
            eprintln!("--- the broker wrote:\n{}---", self.log.text());
        }
    }
}

impl Log {
    /// Adds what comes out of `stream` to each of them, until it ends.
    pub fn follow(logs: &[&Log], stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let logs: Vec<Log> = logs.iter().map(|log| (*log).clone()).collect();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                for log in &logs {
                    log.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
                }
            }
        })
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|line| format!("{line}\n")).collect()
    }

    /// The first address with a port in it: the start lines say where clients are served.
    fn address(&self) -> Option<SocketAddr> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().find_map(|line| address_in(line))
    }
}

/// The first `1.2.3.4:5` of a line whose port is not 0.
fn address_in(line: &str) -> Option<SocketAddr> {
    let words = line.split(|letter: char| !(letter.is_ascii_digit() || matches!(letter, '.' | ':')));
    words.filter_map(|word| word.parse::<SocketAddr>().ok()).find(|address| address.port() != 0)
}

fn answers(address: SocketAddr) -> bool {
    let Ok(mut client) = Client::try_connect(address) else { return false };
    client.try_ask(0, &ApiVersionsRequest::default()).is_some_and(|answer| answer.error_code == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_plain_and_in_json_lines() {
        let expected = "127.0.0.1:4711".parse().ok();
        assert_eq!(address_in("rust-mq 0.1.0 in memory"), None);
        assert_eq!(address_in("asked for 127.0.0.1:0"), None);
        assert_eq!(address_in("Kafka clients: 127.0.0.1:4711, go on"), expected);
        assert_eq!(address_in(r#"{"fields":{"kafka":"127.0.0.1:4711"}}"#), expected);
    }
}
