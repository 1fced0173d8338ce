//! What is logged: a level for all, and other levels for some modules, as in `info,peers=debug`.
//!
//! A module is a part of the node as a user knows it, not a file: who moves code does not change what people have written
//! into their configurations. What other libraries log goes by their own names.
//!
//! Invariant: every line of ours has the target of a module of [`MODULES`], or of none, and then only the level for all.

use crate::foreign_text::escaped;
use std::fmt;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// Target of what the process as a whole has to say: start, stop, configuration.
pub const NODE: &str = "rust_mq::node";
/// Target of what is said of clients' connections.
pub const CLIENTS: &str = "rust_mq::clients";
/// Target of what is said of connections between nodes.
pub const PEERS: &str = "rust_mq::peers";
/// Target of what is said of files, space and damage.
pub const DISK: &str = "rust_mq::disk";
/// Target of what is said of replication and of the cluster.
pub const REPLICAS: &str = "rust_mq::replicas";
/// Target of what is said of topics.
pub const TOPICS: &str = "rust_mq::topics";

/// The parts of a node that have a level of their own, and the target of their lines.
pub const MODULES: [(&str, &str); 6] = [
    ("node", NODE),
    ("clients", CLIENTS),
    ("peers", PEERS),
    ("disk", DISK),
    ("replicas", REPLICAS),
    ("topics", TOPICS),
];

/// Libraries whose lines can be had.
const LIBRARIES: [&str; 4] = ["h2", "hyper", "tonic", "tower"];

/// Which lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevels {
    all: LevelFilter,
    /// By target, as they were said; the last of the same counts.
    modules: Vec<(String, LevelFilter)>,
}

/// What is no such thing; what stands in it is escaped already.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLevels {
    /// A word that is no level.
    #[error("`{0}` is no level; off, error, warn, info, debug and trace are")]
    Level(String),
    /// A name that is no module.
    #[error("`{0}` is no module; {modules} are", modules = modules())]
    Module(String),
}

impl LogLevels {
    /// As it is written: a level, or `module=level`, or several with commas between.
    pub fn parse(text: &str) -> Result<LogLevels, BadLevels> {
        let mut levels = LogLevels::default();
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                None => levels.all = level(part)?,
                Some((module, said)) => {
                    let target = target(module.trim())?;
                    levels.modules.push((target, level(said.trim())?));
                }
            }
        }
        Ok(levels)
    }

    /// What `RUST_LOG` says, which other programs read too: what is not known here is left out.
    pub fn parse_rust_log(text: &str) -> LogLevels {
        let mut levels = LogLevels::default();
        for part in text.split(',').map(str::trim) {
            let (target, said) = part.split_once('=').unwrap_or(("", part));
            let Ok(said) = level(said) else { continue };
            match target {
                "" => levels.all = said,
                target => levels.modules.push((known(target).unwrap_or(target).to_owned(), said)),
            }
        }
        levels
    }

    /// The filter that lets these lines through.
    pub fn filter(&self) -> Targets {
        Targets::new().with_default(self.all).with_targets(self.modules.iter().cloned())
    }
}

impl Default for LogLevels {
    fn default() -> LogLevels {
        LogLevels { all: LevelFilter::INFO, modules: Vec::new() }
    }
}

fn level(text: &str) -> Result<LevelFilter, BadLevels> {
    let levels = [
        ("off", LevelFilter::OFF),
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ];
    let found = levels.into_iter().find(|(word, _)| text.eq_ignore_ascii_case(word));
    found.map(|(_, level)| level).ok_or_else(|| BadLevels::Level(escaped(text)))
}

fn modules() -> String {
    let names: Vec<&str> = MODULES.into_iter().map(|(name, _)| name).chain(LIBRARIES).collect();
    names.join(", ")
}

fn known(module: &str) -> Option<&'static str> {
    MODULES.into_iter().find(|(name, _)| *name == module).map(|(_, target)| target)
}

fn target(module: &str) -> Result<String, BadLevels> {
    let is_library = LIBRARIES.contains(&module.split("::").next().unwrap_or_default());
    match known(module) {
        Some(target) => Ok(target.to_owned()),
        None if is_library || MODULES.iter().any(|(_, target)| *target == module) => Ok(module.to_owned()),
        None => Err(BadLevels::Module(escaped(module))),
    }
}

impl fmt::Display for LogLevels {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.all)?;
        for (target, level) in &self.modules {
            let name = MODULES
                .into_iter()
                .find(|(_, known)| known == target)
                .map_or(target.as_str(), |(name, _)| name);
            write!(out, ",{name}={level}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn a_level_is_for_all_or_for_a_module() {
        let filter = LogLevels::parse("warn, peers=debug,h2::codec=TRACE,disk=off")
            .expect("it is well written")
            .filter();
        for (target, level, is_logged) in [
            ("rust_mq::node", Level::WARN, true),
            ("rust_mq::node", Level::INFO, false),
            ("rust_mq::peers", Level::DEBUG, true),
            ("rust_mq::peers", Level::TRACE, false),
            ("rust_mq::disk", Level::ERROR, false),
            ("h2::codec::framed_read", Level::TRACE, true),
            ("h2", Level::INFO, false),
        ] {
            assert_eq!(filter.would_enable(target, &level), is_logged, "{target} {level}");
        }
    }

    #[test]
    fn what_is_no_level_and_no_module_is_refused_by_name() {
        for (text, word) in [
            ("", "`` is no level"),
            ("loud", "`loud` is no level; off, error, warn, info, debug and trace are"),
            ("peer=debug", "`peer` is no module; node, clients, peers"),
            ("peers=", "`` is no level"),
            ("info,", "`` is no level"),
        ] {
            let wrong = LogLevels::parse(text).expect_err("it is not well written").to_string();
            assert!(wrong.contains(word), "{text}: {wrong}");
        }
    }

    #[test]
    fn what_is_shown_says_the_same_again() {
        for text in ["info", "off", "warn,peers=debug,hyper=info"] {
            let levels = LogLevels::parse(text).expect("it is well written");
            assert_eq!(levels.to_string(), text);
            assert_eq!(LogLevels::parse(&levels.to_string()), Ok(levels));
        }
    }

    #[test]
    fn of_rust_log_counts_what_is_known_here() {
        let levels = LogLevels::parse_rust_log("debug,my_app[span{x=1}]=trace,peers=warn,nonsense");
        assert_eq!(
            levels.to_string(),
            "debug,my_app[span{x=1}]=trace,peers=warn".replace("my_app[span{x=1}]=trace,", "")
        );
    }
}
