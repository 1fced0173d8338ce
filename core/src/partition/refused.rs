//! Producers of which the leader has refused a batch, and that the log does not know: what they send next may not
//! overtake what was refused (decision 0006).
//!
//! Soft state of the log's first leader. A few are remembered by name; beyond that every producer may be one of them,
//! so that forged ids cost nothing but the favour.
//!
//! Invariant: at most `limits::PRODUCERS_REFUSED_MAX` ids.

use crate::ids::ProducerId;
use crate::limits::PRODUCERS_REFUSED_MAX;

/// Who was refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Refused {
    ids: Vec<ProducerId>,
    has_more: bool,
}

impl Refused {
    /// A batch of that producer was refused.
    pub fn note(&mut self, id: ProducerId) {
        if self.may_hold(id) {
            return;
        }
        if self.ids.len() == PRODUCERS_REFUSED_MAX {
            *self = Refused { ids: Vec::new(), has_more: true };
        } else {
            self.ids.push(id);
        }
    }

    /// Whether a batch of that producer may have been refused.
    pub fn may_hold(&self, id: ProducerId) -> bool {
        self.has_more || self.ids.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_its_bound_everybody_may_have_been_refused() {
        let mut refused = Refused::default();
        for id in 0..PRODUCERS_REFUSED_MAX as i64 {
            refused.note(ProducerId(id));
            refused.note(ProducerId(id));
        }
        assert!(refused.may_hold(ProducerId(0)) && !refused.may_hold(ProducerId(-5)));
        refused.note(ProducerId(1_000_000));
        assert!(refused.may_hold(ProducerId(-5)));
    }
}
