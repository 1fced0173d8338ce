//! A bar on standard error, where that is a terminal: how much of something is done.

use crate::terminal::{Colours, Tone};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between two pictures. Source: chosen, as often as an eye follows.
const EVERY: Duration = Duration::from_millis(200);
/// Letters of the bar.
const WIDTH: u64 = 30;

/// A bar.
#[derive(Debug)]
pub(super) struct Progress {
    of: u64,
    start: Instant,
    shown: Option<Instant>,
    is_terminal: bool,
}

impl Progress {
    /// Nothing of so much is done.
    pub(super) fn new(of: u64) -> Progress {
        Progress { of, start: Instant::now(), shown: None, is_terminal: io::stderr().is_terminal() }
    }

    /// So much is done.
    pub(super) fn is_at(&mut self, done: u64) {
        if !self.is_terminal || self.shown.is_some_and(|shown| shown.elapsed() < EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        // Nobody can be told that nobody is told.
        let _ =
            write!(io::stderr(), "\r{}", picture(done, self.of, self.start.elapsed(), Colours::of_errors()));
    }
}

impl Drop for Progress {
    /// Nothing of it stays.
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}

fn picture(done: u64, of: u64, elapsed: Duration, colours: Colours) -> String {
    let of = of.max(1);
    let filled = (WIDTH * done.min(of) / of) as usize;
    let bar = colours.paint(Tone::Green, &"#".repeat(filled));
    let rate = done as f64 / elapsed.as_secs_f64().max(1e-3);
    format!("[{bar}{}] {:3} %  {rate:.0}/s ", " ".repeat(WIDTH as usize - filled), 100 * done.min(of) / of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_how_much_and_how_fast() {
        let half = picture(50, 100, Duration::from_secs(2), Colours::NONE);
        assert_eq!(half, "[###############               ]  50 %  25/s ");
        assert!(picture(300, 100, Duration::ZERO, Colours::NONE).contains("] 100 %"));
    }
}
