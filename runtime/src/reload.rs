//! SIGHUP: the configuration is read again, and what can change while a node runs changes: the levels of the log.
//!
//! It is read as at the start, from the same file with the same variables and flags, so that a flag still wins over the
//! file. A mistake in it changes nothing. Of everything else that is said differently now, it is said that it holds from
//! the next start on.
//!
//! A node without a file has nothing to read. If a terminal started it, the signal is the terminal's, which is gone, and
//! the node stops as for any other; a service goes on.

use crate::configuration::Configuration;
use crate::configuration::mistake::Mistake;
use crate::foreign_text::escaped;
use crate::log::SetLevels;
use crate::log_levels::NODE;
use std::fmt;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::{Level, info, warn};

/// The setting that can change.
const CHANGEABLE: &str = "log_level";

/// What it takes to read a configuration again.
pub struct Reload {
    read: Box<dyn Fn() -> Result<Configuration, Mistake> + Send + Sync>,
    set_levels: SetLevels,
    /// What was said at the start.
    started_with: Configuration,
    /// Held while it is read: what was read later counts.
    reading: Mutex<()>,
}

impl Reload {
    /// `started_with` is what holds; `read` reads it again, `set_levels` puts levels in force.
    pub fn new(
        started_with: Configuration,
        set_levels: SetLevels,
        read: impl Fn() -> Result<Configuration, Mistake> + Send + Sync + 'static,
    ) -> Reload {
        Reload { read: Box::new(read), set_levels, started_with, reading: Mutex::default() }
    }

    /// Whether the signal can only mean that the terminal is gone.
    pub fn is_farewell(&self) -> bool {
        self.started_with.file.is_none() && std::io::stdin().is_terminal()
    }

    /// Reads it again, on a thread of its own: a file may lie on a disk that does not answer.
    pub fn begin(self: &Arc<Self>) {
        if self.started_with.file.is_none() {
            info!(target: NODE, "there is no configuration file to read again: none was named by --config");
            return;
        }
        let reload = Arc::clone(self);
        if let Err(error) = std::thread::Builder::new().name("reload".into()).spawn(move || reload.run()) {
            warn!(target: NODE, "the configuration was not read again: {error}");
        }
    }

    fn run(&self) {
        let _alone = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.read)() {
            Ok(configuration) => self.adopt(&configuration),
            Err(mistake) => {
                let words = mistake.to_string();
                let words = words.lines().map(str::trim).collect::<Vec<_>>().join(" ");
                warn!(target: NODE, "the configuration was not read again, what held before does: {words}");
            }
        }
    }

    fn adopt(&self, configuration: &Configuration) {
        let later: Vec<String> = configuration
            .differs_in(&self.started_with)
            .into_iter()
            .filter(|path| path != CHANGEABLE)
            .collect();
        if !later.is_empty() {
            let later = escaped(&later.join(", "));
            warn!(target: NODE, "changed, and in force from the next start on: {later}");
        }
        let levels = &configuration.log_levels;
        let source =
            configuration.layers.said(CHANGEABLE).map_or("default".into(), |said| said.source.to_string());
        let was_heard = tracing::enabled!(target: NODE, Level::INFO);
        let say = || info!(target: NODE, log_level = %levels, source, "the configuration was read again");
        // Whoever wants less is told before, whoever wants more afterwards.
        if was_heard {
            say();
        }
        (self.set_levels)(levels);
        if !was_heard {
            say();
        }
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Reload")
    }
}
