//! Something that is asked for until it is known: leaders, an identity, a coordinator. One question at a time, and after
//! each that failed a pause, longer each time.

use super::backoff::Pauses;
use super::chance::Chance;
use super::moment::Moment;
use super::question::Ticket;

/// Where the asking is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nobody wants to know.
    #[default]
    Idle,
    /// To be asked from then on.
    Due(Moment),
    /// Asked.
    Asked(Ticket),
}

/// Something to be found out.
#[derive(Clone, Debug, Default)]
pub struct Lookup {
    state: State,
    failures: u32,
}

impl Lookup {
    /// Somebody wants to know: it is asked at once, unless that is on its way or a pause is being kept.
    pub fn want(&mut self, now: Moment) {
        if self.state == State::Idle {
            self.state = State::Due(now);
        }
    }

    /// Whether it is to be asked now.
    pub fn is_due(&self, now: Moment) -> bool {
        matches!(self.state, State::Due(at) if at <= now)
    }

    /// It was asked.
    pub fn asked(&mut self, ticket: Ticket) {
        self.state = State::Asked(ticket);
    }

    /// Whether that is its question.
    pub fn is(&self, ticket: Ticket) -> bool {
        self.state == State::Asked(ticket)
    }

    /// It is known.
    pub fn found(&mut self) {
        *self = Lookup::default();
    }

    /// It is not known: nobody asks again before a pause is over, whoever wants it.
    pub fn failed(&mut self, now: Moment, pauses: &Pauses, chance: &mut Chance) {
        self.failures += 1;
        self.state = State::Due(now.after(pauses.after(self.failures, chance)));
    }

    /// When there is something to do.
    pub fn deadline(&self) -> Option<Moment> {
        match self.state {
            State::Due(at) => Some(at),
            State::Idle | State::Asked(_) => None,
        }
    }
}
