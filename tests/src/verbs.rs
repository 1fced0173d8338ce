//! The verbs of the binary, as a person or a script runs them: with a broker to ask, what they print on each of the two
//! streams, and how they end.

use crate::binary::binary;
use crate::node::Node;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

/// A person at a terminal of one broker.
#[derive(Debug)]
pub struct Person {
    brokers: String,
}

/// How a verb ended, and what it said.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub errors: String,
}

impl Person {
    /// Who asks that broker.
    pub fn at(node: &Node) -> Person {
        Person::of(&node.bootstrap())
    }

    /// Who asks these brokers.
    pub fn of(brokers: &str) -> Person {
        Person { brokers: brokers.to_owned() }
    }

    /// Runs a verb to its end.
    pub fn says(&self, arguments: &[&str]) -> Said {
        self.says_with(arguments, b"")
    }

    /// Runs a verb that must end well; what it prints.
    #[track_caller]
    pub fn sees(&self, arguments: &[&str]) -> String {
        let said = self.says(arguments);
        assert_eq!((said.code, said.errors.as_str()), (Some(0), ""), "{arguments:?}: {said:?}");
        said.out
    }

    /// Runs a verb that must end well; what it prints, without the blanks between columns.
    #[track_caller]
    pub fn sees_cells(&self, arguments: &[&str]) -> Vec<String> {
        let lines = self.sees(arguments);
        lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    /// Runs a verb that must end well; what it prints as JSON.
    #[track_caller]
    pub fn sees_json(&self, arguments: &[&str]) -> String {
        let mut all = arguments.to_vec();
        all.extend(["--format", "json"]);
        self.sees(&all)
    }

    /// Runs a verb that is given that on standard input.
    pub fn says_with(&self, arguments: &[&str], input: &[u8]) -> Said {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the built binary can be started");
        let mut stdin = child.stdin.take().expect("standard input is piped");
        let input = input.to_vec();
        // Whoever does not read its input closes it early, which is as well.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().expect("our own child can be waited for");
        writer.join().expect("the writer does not panic");
        Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The command of a verb, with nothing of what a developer's own environment says.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        let of_ours = |name: &std::ffi::OsString| {
            let name = name.to_string_lossy();
            name.starts_with("RUST_MQ_") || name == "NO_COLOR" || name.starts_with("XDG_")
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| of_ours(name)) {
            command.env_remove(name);
        }
        command.env("RUST_MQ_BROKERS", &self.brokers).args(arguments);
        command
    }
}
