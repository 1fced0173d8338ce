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
    match question {
        Question::Topics(asked) => connections.ask(address, asked, within).await.map(Answer::Topics),
        Question::Identity(asked) => connections.ask(address, asked, within).await.map(Answer::Identity),
    }
}
