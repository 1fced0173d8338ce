//! SIGTERM and SIGINT: the first asks the core to stop, the second ends the process at once.

use crate::mailbox::Mailbox;
use rust_mq_core::event::{Event, Question};
use std::io;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// Waits for signals for ever.
pub async fn watch(questions: Arc<Mailbox>) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut count = 0;
    loop {
        let number = tokio::select! {
            _ = terminate.recv() => 15,
            _ = interrupt.recv() => 2,
        };
        count += 1;
        if count > 1 {
            tracing::warn!("stopping at once");
            std::process::exit(128 + number);
        }
        tracing::info!("stopping; a second signal stops at once");
        questions.put([Event::Asked { question: 0, what: Question::Stop }]);
    }
}
