//! SIGTERM and SIGINT: the first asks the core to stop, a second one ends the process at once. SIGHUP has the
//! configuration read again (`reload`).
//!
//! What comes within a moment of the first is the same wish: coreutils' `timeout` signals the process and then its
//! group, and a terminal's Ctrl-C reaches a process and the one that started it, which may pass it on.

use crate::limits::SECOND_SIGNAL_AFTER;
use crate::log_levels::NODE;
use crate::questions::Questions;
use crate::reload::Reload;
use rust_mq_core::event::Question;
use std::io;
use std::sync::Arc;
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};

/// Waits for signals for ever.
pub async fn watch(questions: Arc<Questions>, reload: Arc<Reload>) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut asked: Option<Instant> = None;
    loop {
        let number = tokio::select! {
            _ = terminate.recv() => 15,
            _ = interrupt.recv() => 2,
            _ = hangup.recv() => 1,
        };
        if number == 1 && !reload.is_farewell() {
            reload.begin();
            continue;
        }
        if let Some(asked) = asked {
            if asked.elapsed() < SECOND_SIGNAL_AFTER {
                continue;
            }
            tracing::warn!(target: NODE, "stopping at once");
            std::process::exit(128 + number);
        }
        asked = Some(Instant::now());
        tracing::info!(target: NODE, "stopping; a second signal stops at once");
        // The end of the process is the answer.
        drop(questions.ask(Question::Stop));
    }
}
