//! `rust-mq config example`: a file with every setting of the table, what it means, and what holds without it.
//!
//! What has a default is written with it. What has none is commented out, without a blank behind the `#`, so that it is told
//! from prose and can be put in force by removing one letter.

use super::keys::{KEYS, Key};
use std::fmt::Write;

/// Longest line of prose, columns.
const WIDTH: usize = 100;

const HEAD: &str = "\
# Settings of a Rust-MQ node. `rust-mq --config FILE` starts one with it, `--check` looks whether it would start, and
# `rust-mq config show --config FILE` says what holds and where it was said.
#
# Each of them can be said by a variable of the environment instead, which wins: RUST_MQ_ and the name in capitals, with
# two underscores where the file goes a level deeper (RUST_MQ_RAFT__HEARTBEAT_INTERVAL_MS). Most have a flag, which wins
# over both. What is commented out without a blank has no default; remove the `#` to say it.
";

/// The file.
pub fn text() -> String {
    let mut text = HEAD.to_owned();
    let mut open: Vec<&str> = Vec::new();
    for key in KEYS {
        let segments: Vec<&str> = key.path.split('.').collect();
        let above = &segments[..segments.len() - 1];
        let shared = open.iter().zip(above).take_while(|(one, other)| one == other).count();
        let opens_list = above.iter().position(|segment| *segment == "#").is_some_and(|at| at >= shared);
        text.push('\n');
        let hidden = if is_said(key) { "" } else { "#" };
        for (depth, segment) in above.iter().enumerate().skip(shared).filter(|(_, segment)| **segment != "#")
        {
            let _ = writeln!(text, "{}{hidden}{}:", "  ".repeat(depth), named(segment));
        }
        comment(&mut text, key, above.iter().filter(|segment| **segment != "#").count());
        let dash = if opens_list { "- " } else { "" };
        let indent = "  ".repeat(above.len() - usize::from(opens_list));
        let value = quoted(key.default.filter(|_| is_said(key)).unwrap_or(key.example));
        let _ = writeln!(text, "{indent}{hidden}{dash}{}: {value}", named(key.name()));
        open = above.to_vec();
    }
    text
}

/// A name that the user gives, as somebody might give it.
fn named(segment: &str) -> &str {
    if segment == "*" { "outer" } else { segment }
}

/// A cluster is said as a whole or not at all.
fn is_said(key: &Key) -> bool {
    key.default.is_some() && !key.path.starts_with("cluster.")
}

fn comment(text: &mut String, key: &Key, depth: usize) {
    let flag = key.flag.map(|flag| format!(" ({flag})")).unwrap_or_default();
    let indent = "  ".repeat(depth);
    let mut line = format!("{indent}#");
    for word in format!("{}{flag}", key.about).split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = format!("{indent}#");
        }
        line = format!("{line} {word}");
    }
    let _ = writeln!(text, "{line}");
}

fn quoted(value: &str) -> String {
    if value.contains([':', ' ']) { format!("\"{value}\"") } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::Configuration;

    #[test]
    fn it_is_a_good_configuration_as_it_stands_and_with_all_of_it_in_force() {
        let text = text();
        let node =
            Configuration::parse("example.yaml", &text).unwrap_or_else(|mistake| panic!("{mistake}\n{text}"));
        assert!(node.cluster.is_none() && node.storage_path.is_none());
        let is_prose = |line: &&str| line.trim_start().starts_with("# ");
        // Of two ways to say a thing one is left out.
        let is_other = |line: &&str| line.contains("#secret:") || line.contains("#advertise:");
        let lines = text.lines().filter(|line| !is_prose(line) && !is_other(line));
        let whole: Vec<String> = lines.map(|line| line.replacen('#', "", 1)).collect();
        let whole = whole.join("\n");
        let node = Configuration::parse("example.yaml", &whole)
            .unwrap_or_else(|mistake| panic!("{mistake}\n{whole}"));
        let config = node.config();
        assert!(config.bootstrap && config.members.len() == 1 && config.by_listener.len() == 2, "{config:?}");
    }

    #[test]
    fn every_setting_is_in_it() {
        let text = text();
        for key in KEYS {
            assert!(text.contains(&format!("{}:", named(key.name()))), "{}", key.path);
        }
        assert!(text.lines().all(|line| line.len() <= 125), "a line is too long:\n{text}");
    }
}
