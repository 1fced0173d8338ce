//! What other threads ask the core, and who gets which answer.
//!
//! Whoever asks gets the receiving end of a channel of one; the core's answer (`Tell`) finds it by the question's number.
//! An asker that has gone, or a core that halts before it answers, costs nothing: the channel is closed.
//!
//! Invariant: a number is given once, and is kept until its answer or the end of the asker, whichever is looked at first.

use crate::mailbox::{Mailbox, Room, Wake};
use rust_mq_core::action::Answer;
use rust_mq_core::event::{Event, Question};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// The questions under way.
#[derive(Debug)]
pub struct Questions {
    mailbox: Mailbox,
    askers: Mutex<Askers>,
}

#[derive(Debug, Default)]
struct Askers {
    last: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
}

impl Questions {
    /// Nobody has asked anything.
    pub fn new(wake: Wake) -> Questions {
        Questions { mailbox: Mailbox::new(wake), askers: Mutex::default() }
    }

    /// Asks, from any thread. The answer comes unless the core halts first.
    pub fn ask(&self, what: Question) -> oneshot::Receiver<Answer> {
        let (asker, answer) = oneshot::channel();
        let mut askers = self.askers.lock().unwrap_or_else(PoisonError::into_inner);
        askers.waiting.retain(|_, asker| !asker.is_closed());
        askers.last += 1;
        let question = askers.last;
        askers.waiting.insert(question, asker);
        drop(askers);
        self.mailbox.put([Event::Asked { question, what }]);
        answer
    }

    /// Takes as many as the turn has room for; says whether some are left.
    pub fn take(&self, into: &mut Vec<Event>, room: &mut Room) -> bool {
        self.mailbox.take(into, room)
    }

    /// The core's answer, to whoever asked.
    pub fn answer(&self, question: u64, answer: Answer) {
        let asker = self.askers.lock().unwrap_or_else(PoisonError::into_inner).waiting.remove(&question);
        if let Some(asker) = asker {
            // Who has gone meanwhile does not want it any more.
            let _ = asker.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn an_answer_goes_to_who_asked_and_to_nobody_else() {
        let questions = Questions::new(Arc::new(|| {}));
        let (mut first, gone) = (questions.ask(Question::Health), questions.ask(Question::Health));
        drop(gone);
        let mut third = questions.ask(Question::Health);
        let mut events = Vec::new();
        assert!(!questions.take(&mut events, &mut Room::of_a_turn()));
        let numbers: Vec<u64> = events
            .iter()
            .filter_map(|event| match event {
                Event::Asked { question, .. } => Some(*question),
                _ => None,
            })
            .collect();
        assert_eq!(numbers.len(), 3);
        questions.answer(numbers[2], Answer::Health { is_serving: true });
        assert!(first.try_recv().is_err(), "its own has not come");
        assert_eq!(third.try_recv(), Ok(Answer::Health { is_serving: true }));
        questions.answer(numbers[1], Answer::Health { is_serving: true });
        questions.answer(numbers[0], Answer::Health { is_serving: false });
        assert_eq!(first.try_recv(), Ok(Answer::Health { is_serving: false }));
        assert!(questions.askers.lock().expect("nobody panicked with it").waiting.is_empty());
    }
}
