//! Where a setting's value comes from. What comes later in the order of [`Layer`] wins.

use super::tree::Place;
use std::fmt;
use std::sync::Arc;

/// Where a value was said.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: it is what holds otherwise.
    Default,
    /// In a file.
    File {
        /// The file.
        text: Arc<Text>,
        /// Where in it.
        place: Place,
    },
    /// In a variable of the environment.
    Environment(String),
    /// On the command line.
    Flag(&'static str),
}

/// A file: its name and its text, which may hold secrets.
#[derive(PartialEq, Eq)]
pub struct Text {
    /// Its name.
    pub name: String,
    /// Its text.
    pub(super) text: String,
}

/// What overrides what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// What holds otherwise.
    Default,
    /// The file.
    File,
    /// The environment.
    Environment,
    /// The command line.
    Flag,
}

impl Source {
    /// The layer that it belongs to.
    pub fn layer(&self) -> Layer {
        match self {
            Source::Default => Layer::Default,
            Source::File { .. } => Layer::File,
            Source::Environment(_) => Layer::Environment,
            Source::Flag(_) => Layer::Flag,
        }
    }
}

impl Layer {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Layer::Default => "default",
            Layer::File => "file",
            Layer::Environment => "env",
            Layer::Flag => "flag",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => out.write_str("default"),
            Source::File { text, place } => write!(out, "{}:{}", text.name, place.line),
            Source::Environment(variable) => out.write_str(variable),
            Source::Flag(flag) => out.write_str(flag),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}
