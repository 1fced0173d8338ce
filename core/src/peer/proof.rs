//! What shows that a node knows the cluster's secret: a MAC over who opened this link, both ways.
//!
//! ```text
//! HMAC-SHA256(secret, "rust-mq peers" role lane dialler acceptor)
//! role, lane      one byte each: what one side shows is of no use to the other, nor on the other lane
//! dialler and     all of their hellos, in fixed places: the versions and levels that they offer, members, node, disk, boot, cluster, and
//! acceptor        the nonce, which makes what was overheard useless
//! ```
//! A node that holds several secrets shows one MAC for each, and believes a peer that shows one it knows: so a secret
//! is replaced node by node while the cluster runs.
//!
//! It proves who opened a link, not that later bytes on it are theirs: whoever can change bytes between two nodes
//! still can. Keeping those out is the network's business until links have TLS.
//!
//! Invariant: comparing takes the same time wherever two MACs differ (`hmac` does it).
//! Sources: RFC 2104; the reflection and relay attacks that role, lane and ids are for: Bird et al. 1991.

use super::hello::{Greeting, Said, id_bytes};
use crate::config::{SECRETS_MAX, Secret, Secrets};
use crate::link::LaneKind;
use bytes::{BufMut, Bytes, BytesMut};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Who shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Who dialled.
    Dialler = 1,
    /// Who accepted.
    Acceptor = 2,
}

/// What both said on one link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Talk {
    pub lane: LaneKind,
    pub dialler: Said,
    pub acceptor: Said,
}

/// A MAC for each secret: what that side shows.
pub(super) fn show(secrets: &Secrets, role: Role, talk: &Talk) -> Vec<Bytes> {
    let tag = |secret| Bytes::copy_from_slice(&mac(secret, role, talk).finalize().into_bytes());
    secrets.iter().map(tag).collect()
}

/// Whether what that side has shown proves that it knows one of the secrets.
pub(super) fn is_shown(secrets: &Secrets, role: Role, talk: &Talk, shown: &[Bytes]) -> bool {
    let knows = |secret| shown.iter().any(|tag| mac(secret, role, talk).verify_slice(tag).is_ok());
    shown.len() <= SECRETS_MAX && secrets.iter().any(knows)
}

fn mac(secret: &Secret, role: Role, talk: &Talk) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.key()).expect("HMAC takes a key of any length");
    let lane = match talk.lane {
        LaneKind::Raft => 1,
        LaneKind::Bulk => 2,
    };
    let mut said = BytesMut::new();
    said.put_slice(b"rust-mq peers");
    said.put_u8(role as u8);
    said.put_u8(lane);
    for side in [&talk.dialler, &talk.acceptor] {
        let Greeting { node, disk, boot, cluster, levels, protocol } = side.greeting;
        let numbers = [protocol.oldest, protocol.newest, levels.oldest.0, levels.newest.0];
        numbers.into_iter().for_each(|number| said.put_u32(number));
        said.put_i32(node.0);
        said.put_slice(&id_bytes(disk.0));
        said.put_u64(boot.0);
        said.put_u8(u8::from(cluster.is_some()));
        said.put_slice(&id_bytes(cluster.map_or(0, |cluster| cluster.0)));
        said.put_u64(side.members_checksum);
        said.put_slice(&side.nonce.0);
    }
    mac.update(&said);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Nonce;
    use crate::ids::{BootId, ClusterId, DiskId, NodeId};
    use crate::level::Levels;
    use crate::peer::hello::Protocol;

    fn said(node: i32) -> Said {
        let greeting = Greeting {
            node: NodeId(node),
            disk: DiskId(7),
            boot: BootId(8),
            cluster: Some(ClusterId(9)),
            levels: Levels::BUILD,
            protocol: Protocol { oldest: 3, newest: 3 },
        };
        Said { greeting, members_checksum: 3, nonce: Nonce([u8::try_from(node).expect("small"); 32]) }
    }

    fn secrets(texts: &[&str]) -> Secrets {
        let secret = |text: &&str| Secret::new(text.repeat(16).as_bytes()).expect("long enough");
        Secrets::new(texts.iter().map(secret).collect()).expect("few")
    }

    #[test]
    fn a_proof_is_of_one_secret_one_side_and_one_talk() {
        let talk = Talk { lane: LaneKind::Raft, dialler: said(1), acceptor: said(2) };
        let shown = show(&secrets(&["new", "old"]), Role::Dialler, &talk);
        for known in [&["new"][..], &["old"], &["other", "old"]] {
            assert!(is_shown(&secrets(known), Role::Dialler, &talk, &shown));
        }
        assert!(!is_shown(&secrets(&["other"]), Role::Dialler, &talk, &shown));
        assert!(!is_shown(&secrets(&["new"]), Role::Dialler, &talk, &[]));
        assert!(!is_shown(&secrets(&["new"]), Role::Acceptor, &talk, &shown), "reflected");
        let change = |change: fn(&mut Talk)| {
            let mut other = talk;
            change(&mut other);
            other
        };
        let others = [
            change(|talk| talk.lane = LaneKind::Bulk),
            change(|talk| std::mem::swap(&mut talk.dialler, &mut talk.acceptor)),
            change(|talk| talk.dialler.nonce.0[31] ^= 1),
            change(|talk| talk.acceptor.nonce.0[0] ^= 1),
            change(|talk| talk.dialler.greeting.node = NodeId(3)),
            change(|talk| talk.acceptor.greeting.disk = DiskId(1)),
            change(|talk| talk.dialler.greeting.boot = BootId(1)),
            change(|talk| talk.acceptor.greeting.cluster = None),
            change(|talk| talk.dialler.greeting.levels.newest.0 = 9),
            change(|talk| talk.acceptor.greeting.protocol.newest = 2),
            change(|talk| talk.dialler.members_checksum = 4),
        ];
        for other in others {
            assert!(!is_shown(&secrets(&["new", "old"]), Role::Dialler, &other, &shown), "{other:?}");
        }
    }
}
