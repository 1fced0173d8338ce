//! One client program that runs: it is told something, and answers.
//!
//! Invariant: the program and all that it started are dead when its [`Program`] is dropped.

use super::{Outcome, Verdict, wrong};
use crate::node::Log;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A client program.
#[derive(Debug)]
pub struct Program {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    errors: Log,
}

impl Program {
    /// Starts it in a process group of its own, so that it can be killed with what stands between.
    pub fn start(mut command: Command) -> Program {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let (errors, (sender, lines)) = (Log::default(), channel());
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Log::follow(&[&errors], child.stderr.take().expect("stderr is piped"));
        thread::spawn(move || {
            // Nobody listens any more once the program is dropped.
            output.lines().map_while(Result::ok).take_while(|line| sender.send(line.clone()).is_ok()).count()
        });
        let input = child.stdin.take().expect("stdin is piped");
        Program { child, input, lines, errors }
    }

    /// Tells it something.
    pub fn tell(&mut self, words: &str) {
        // That it is dead is seen when its answer is missed.
        let _ = writeln!(self.input, "{words}");
        let _ = self.input.flush();
    }

    /// Tells it something and waits for the answer.
    pub fn ask(&mut self, words: &str, patience: Duration) -> Outcome<Value> {
        self.tell(words);
        self.answer(words, patience)
    }

    /// Waits for the answer to `words`.
    pub fn answer(&mut self, words: &str, patience: Duration) -> Outcome<Value> {
        let deadline = Instant::now() + patience;
        loop {
            match self.line(deadline) {
                Ok(mut said) if said.get("ok").is_some() => return judged(&mut said),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    return wrong(format!("no answer to `{words}` within {patience:?}{}", self.last_words()));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return wrong(format!("it ended instead of answering `{words}`{}", self.last_words()));
                }
            }
        }
    }

    /// The next line of JSON; what else a library prints is passed over.
    pub fn line(&mut self, deadline: Instant) -> Result<Value, RecvTimeoutError> {
        loop {
            let line = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))?;
            if let Ok(value @ Value::Object(_)) = serde_json::from_str(&line) {
                return Ok(value);
            }
        }
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The end of what it wrote to stderr.
    pub fn last_words(&self) -> String {
        let text = self.errors.text();
        let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        // Who tries again and again says so again and again.
        lines.dedup();
        let last = lines.iter().rev().take(5).rev().map(|line| line.chars().take(200).collect::<String>());
        let last: Vec<String> = last.collect();
        if last.is_empty() { String::new() } else { format!("; it wrote: {}", last.join(" / ")) }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

fn judged(said: &mut Value) -> Outcome<Value> {
    let why = said["why"].as_str().unwrap_or("no reason given").to_owned();
    match &said["ok"] {
        Value::Bool(true) => Ok(said["data"].take()),
        Value::Null => Err(Verdict::NotOffered(why)),
        _ => wrong(why),
    }
}
