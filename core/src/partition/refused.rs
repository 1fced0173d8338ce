//! Producers of which the leader has refused a batch, and that the log does not know: what they send next may not
//! overtake what was refused (decision 0006).
//!
//! Of each the lowest sequence that was refused: a client sends again from its first batch that is not acknowledged, so
//! that a batch which comes again while none below it has come has none before it that could still enter the log.
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
    ids: Vec<(ProducerId, i32)>,
    has_more: bool,
}

/// What refusals tell of a batch of a producer that the log does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing below it was refused, nor was it: one before it may still be under way, or have been refused elsewhere.
    Unheard,
    /// It was refused, and nothing below it.
    Lowest,
    /// Something below it was refused, or may have been.
    Behind,
}

impl Refused {
    /// A batch of that producer that begins at that sequence was refused.
    pub fn note(&mut self, id: ProducerId, sequence: i32) {
        if self.has_more {
            return;
        }
        let is_full = self.ids.len() == PRODUCERS_REFUSED_MAX;
        match self.ids.iter_mut().find(|(known, _)| *known == id) {
            Some((_, lowest)) if is_below(sequence, *lowest) => *lowest = sequence,
            Some(_) => {}
            None if is_full => *self = Refused { ids: Vec::new(), has_more: true },
            None => self.ids.push((id, sequence)),
        }
    }

    /// How a batch of that producer stands to those that were refused.
    pub fn standing(&self, id: ProducerId, sequence: i32) -> Standing {
        match self.ids.iter().find(|(known, _)| *known == id) {
            _ if self.has_more => Standing::Behind,
            None => Standing::Unheard,
            Some((_, lowest)) if *lowest == sequence => Standing::Lowest,
            Some((_, lowest)) if is_below(sequence, *lowest) => Standing::Unheard,
            Some(_) => Standing::Behind,
        }
    }
}

/// Whether one sequence comes before another: they wrap, and no two of one producer that matter are far apart.
fn is_below(one: i32, other: i32) -> bool {
    let ahead = (i64::from(other) - i64::from(one)).rem_euclid(1 << 31);
    ahead > 0 && ahead < 1 << 30
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_its_bound_everybody_may_have_been_refused() {
        let mut refused = Refused::default();
        for id in 0..PRODUCERS_REFUSED_MAX as i64 {
            refused.note(ProducerId(id), 3);
            refused.note(ProducerId(id), 3);
        }
        assert_eq!(refused.standing(ProducerId(0), 3), Standing::Lowest);
        assert_eq!(refused.standing(ProducerId(-5), 3), Standing::Unheard);
        refused.note(ProducerId(1_000_000), 3);
        assert_eq!(refused.standing(ProducerId(-5), 3), Standing::Behind);
        refused.note(ProducerId(-5), 3);
        assert_eq!(refused.standing(ProducerId(-5), 3), Standing::Behind);
    }

    #[test]
    fn the_lowest_that_was_refused_is_the_one_to_begin_with() {
        let mut refused = Refused::default();
        let id = ProducerId(7);
        for sequence in [i32::MAX, 4, i32::MAX - 1, 0] {
            refused.note(id, sequence);
        }
        let standing = |sequence| refused.standing(id, sequence);
        assert_eq!(standing(i32::MAX - 1), Standing::Lowest);
        assert_eq!(standing(i32::MAX - 2), Standing::Unheard, "it may be the first of all");
        assert_eq!([standing(i32::MAX), standing(0), standing(4), standing(9)], [Standing::Behind; 4]);
    }
}
