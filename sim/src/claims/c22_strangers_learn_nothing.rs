//! C22: who does not know the cluster's secret is told nothing but who is there, and is told that it is turned away.
//!
//! Looked at: each message between a process that has a wrong secret and one that has not, either way. Whatever is not
//! part of opening a link is more than a stranger may be told, or than it may have said to it.

use super::{Claim, Verdict};
use crate::wire::Place;
use bytes::Bytes;
use rust_mq_proto::peer::codec::parse;
use rust_mq_proto::peer::message::{PROTOCOL_NEWEST, PeerBody};
use std::collections::BTreeSet;

/// Processes with a secret that is not the cluster's, by site and life.
#[derive(Debug, Default)]
pub struct Strangers(BTreeSet<(usize, u32)>);

impl Strangers {
    /// One starts.
    pub fn starts(&mut self, site: usize, boot: u32) {
        self.0.insert((site, boot));
    }

    /// One end of a link says something to the other.
    pub fn says(&self, ends: [Option<Place>; 2], parts: &[Bytes], verdict: &mut Verdict) {
        let is_stranger = |end: Option<Place>| match end {
            Some(Place::Site { site, boot }) => self.0.contains(&(site, boot)),
            _ => false,
        };
        if self.0.is_empty() || is_stranger(ends[0]) == is_stranger(ends[1]) {
            return;
        }
        let Ok(body) = parse(Bytes::from(parts.concat()), PROTOCOL_NEWEST + 1) else { return };
        let is_opening = matches!(
            body,
            PeerBody::Hello(_)
                | PeerBody::Proof(_)
                | PeerBody::Refused(_)
                | PeerBody::WhoAreYou(_)
                | PeerBody::IAm(_)
        );
        verdict.hold(is_opening, Claim::C22, || {
            format!("of {ends:?} one does not know the secret, and is told, or tells: {body:?}")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_mq_proto::peer::message::{Alive, Hello};

    #[test]
    fn a_stranger_may_be_greeted_and_no_more() {
        let mut strangers = Strangers::default();
        strangers.starts(1, 2);
        let place = |site, boot| Some(Place::Site { site, boot });
        let is_breach = |other, body: PeerBody| {
            let mut verdict = Verdict::default();
            let parts: Vec<Bytes> = body.into_parts(PROTOCOL_NEWEST);
            strangers.says([place(0, 1), other], &parts, &mut verdict);
            verdict.is_broken()
        };
        assert!(!is_breach(place(1, 2), PeerBody::Hello(Hello::default())));
        assert!(is_breach(place(1, 2), PeerBody::Alive(Alive::default())));
        assert!(!is_breach(place(1, 1), PeerBody::Alive(Alive::default())), "it knew the secret then");
    }
}
