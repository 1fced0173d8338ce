//! The machines' questions, carried to nodes.

use crate::connections::Connections;
use crate::machine::question::{Answer, Answered, Question};
use std::time::Duration;

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
