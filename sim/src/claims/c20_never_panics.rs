//! C20: nothing from outside makes the core panic, and it keeps the laws of the door.
//!
//! Looked at: every turn, whatever vandals sent, disks failed and networks tore before it: no panic, all events taken;
//! every action: links are named that exist, dialled ones are odd and new, no ticket is used twice at a time; every
//! answer to a client: it is in order, and decodes as the version that was asked in.

use super::{Claim, Verdict};
use rust_mq_core::ids::{LinkId, Ticket};

/// A turn ended in a panic.
pub fn panicked(site: usize, words: &str, verdict: &mut Verdict) {
    verdict.breach(Claim::C20, format!("n{} panicked: {words}", site + 1));
}

/// A turn ended with that many of its events left.
pub fn check_taken(site: usize, left: usize, verdict: &mut Verdict) {
    verdict.hold(left == 0, Claim::C20, || format!("n{} left {left} events of its turn", site + 1));
}

/// A link is dialled.
pub fn check_dial(link: LinkId, is_new: bool, verdict: &mut Verdict) {
    verdict.hold(is_new && link.0 % 2 == 1, Claim::C20, || {
        format!("{link} was dialled, which is even or used before")
    });
}

/// A link is named.
pub fn check_link(link: LinkId, was_there: bool, verdict: &mut Verdict) {
    verdict.hold(was_there, Claim::C20, || format!("{link} is named and was never there"));
}

/// A ticket is given out.
pub fn check_ticket(ticket: Ticket, is_new: bool, verdict: &mut Verdict) {
    verdict.hold(is_new, Claim::C20, || format!("{ticket} is used twice at a time"));
}

/// A client got an answer that cannot be.
pub fn strange_answer(words: String, verdict: &mut Verdict) {
    verdict.breach(Claim::C20, words);
}
