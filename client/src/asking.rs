//! What the machines' drivers share: questions, carried to nodes, and the rest between two turns.

use crate::connections::Connections;
use crate::machine::question::{Answer, Answered, Question};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// As good as never: something happens before.
const LONG: Duration = Duration::from_secs(3_600);

/// Asks one node, once.
pub(crate) async fn ask(
    connections: &Connections,
    address: &str,
    question: Question,
    within: Duration,
) -> Answered {
    // Boxed: the futures of all these calls beside each other would be one large one.
    macro_rules! carry {
        ($($name:ident)*) => {
            match question {
                $(Question::$name(asked) => {
                    Box::pin(connections.ask(address, asked, within)).await.map(Answer::$name)
                })*
            }
        };
    }
    carry! { Topics Identity Offsets Fetch Coordinator Join Sync Heartbeat Leave Commit Committed }
}

/// Rests until there is news, a task is done, or that time has passed, if there is one.
pub(crate) async fn rest(news: &Notify, wait: Option<Duration>, tasks: &mut JoinSet<()>) {
    tokio::select! {
        () = news.notified() => {}
        () = sleep(wait.unwrap_or(LONG)) => {}
        Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
    }
}
