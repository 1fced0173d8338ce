//! A story's text, without what was recorded in it.

use super::command::Command;

/// A story.
pub struct Script {
    /// Its lines in order; recorded output is dropped.
    pub lines: Vec<Line>,
}

/// A line at the margin.
pub enum Line {
    /// Empty, or a comment.
    Prose(String),
    /// The line as it stands, and its commands.
    Commands(String, Vec<Command>),
}

impl Script {
    /// Reads a story. Indented lines are what was recorded.
    pub fn parse(text: &str) -> Script {
        let lines = text.lines().filter(|line| !line.starts_with("    ")).map(|line| {
            let code = line.split('#').next().unwrap_or_default();
            if code.trim().is_empty() {
                return Line::Prose(line.to_owned());
            }
            let commands = code.split(';').filter(|part| !part.trim().is_empty()).map(Command::parse);
            Line::Commands(line.to_owned(), commands.collect())
        });
        Script { lines: lines.collect() }
    }
}
