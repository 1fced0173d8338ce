//! Pipelining with order: requests that were taken up get slots in the order they came, answers may be given
//! in any order, and leave in slot order, because clients match them by position (Kafka's protocol guide).
//!
//! Invariants: `first <= every open slot < first + open.len()`; the front slot is always unanswered, because an
//! answer at the front leaves at once and takes with it all that wait right behind.

use super::writers::Writers;
use bytes::Bytes;
use rust_mq_proto::kafka::Writer;
use std::collections::VecDeque;

/// The place of a request in its connection's order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(u64);

/// The slots of one connection that have not left.
#[derive(Debug, Default)]
pub(super) struct Slots {
    first: u64,
    open: VecDeque<State>,
    request_bytes: usize,
    answer_bytes: usize,
}

#[derive(Debug)]
enum State {
    /// Bytes of the request, its length included.
    Unanswered(usize),
    /// Empty for a request that gets no answer.
    Answered(Vec<Bytes>),
}

impl Slots {
    /// Opens the next slot for a request of so many bytes.
    pub fn open(&mut self, request_bytes: usize) -> Slot {
        let slot = self.next();
        self.open.push_back(State::Unanswered(request_bytes));
        self.request_bytes += request_bytes;
        slot
    }

    /// Answers a slot with what `fill` writes: straight into `out` if everything earlier has left, and then
    /// takes along what waited behind. Returns the bytes of the request.
    pub fn answer(
        &mut self,
        slot: Slot,
        out: &mut Option<Writer>,
        writers: &mut Writers,
        fill: impl FnOnce(&mut Writer),
    ) -> usize {
        let place = slot.0.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        let state = place.and_then(|place| self.open.get_mut(place));
        let Some(state @ &mut State::Unanswered(bytes)) = state else {
            panic!("slot {} is answered twice or was never opened", slot.0);
        };
        self.request_bytes -= bytes;
        if slot.0 == self.first {
            let out = out.get_or_insert_with(|| writers.lend());
            fill(out);
            self.leave();
            self.leave_answered(out);
        } else {
            let mut writer = writers.lend();
            fill(&mut writer);
            self.answer_bytes += writer.len();
            *state = State::Answered(writer.take());
            writers.take_back(writer);
        }
        bytes
    }

    /// How many requests wait for an answer, or for an earlier one's.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// The slot that the next request will get.
    pub fn next(&self) -> Slot {
        Slot(self.first + self.open.len() as u64)
    }

    /// Bytes of the requests that are not answered.
    pub fn request_bytes(&self) -> usize {
        self.request_bytes
    }

    /// Bytes of the answers that wait for an earlier one.
    pub fn answer_bytes(&self) -> usize {
        self.answer_bytes
    }

    /// Whether all earlier answers have left.
    pub fn is_front(&self, slot: Slot) -> bool {
        slot.0 == self.first && !self.open.is_empty()
    }

    fn leave(&mut self) {
        self.open.pop_front();
        self.first += 1;
    }

    fn leave_answered(&mut self, out: &mut Writer) {
        while let Some(State::Answered(parts)) = self.open.front() {
            self.answer_bytes -= parts.iter().map(Bytes::len).sum::<usize>();
            parts.iter().for_each(|part| out.shared(part));
            self.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn answers_in_any_order_leave_in_slot_order(
            order in Just((0u64..40).collect::<Vec<_>>()).prop_shuffle(),
            silent in prop::collection::vec(any::<bool>(), 40),
        ) {
            let mut slots = Slots::default();
            for number in 0..40 {
                prop_assert_eq!(slots.open(10), Slot(number));
            }
            let (mut out, mut writers) = (None, Writers::default());
            for number in order {
                let number = u8::try_from(number).expect("below 40");
                let bytes = slots.answer(Slot(number.into()), &mut out, &mut writers, |out| {
                    if !silent[usize::from(number)] {
                        out.bytes(&[number]);
                    }
                });
                prop_assert_eq!(bytes, 10);
            }
            let left: Vec<u8> = out.as_mut().map(Writer::take).unwrap_or_default().concat();
            let spoken: Vec<u8> = (0..40).filter(|number| !silent[usize::from(*number)]).collect();
            prop_assert_eq!(left, spoken);
            prop_assert_eq!((slots.len(), slots.request_bytes(), slots.answer_bytes()), (0, 0, 0));
        }
    }

    #[test]
    #[should_panic(expected = "answered twice")]
    fn a_second_answer_is_a_bug() {
        let mut slots = Slots::default();
        let (_, second) = (slots.open(1), slots.open(1));
        let (mut out, mut writers) = (None, Writers::default());
        slots.answer(second, &mut out, &mut writers, |_| {});
        slots.answer(second, &mut out, &mut writers, |_| {});
    }
}
