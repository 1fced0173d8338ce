//! What this node has the registry say of itself, and that a node alone raises the level.
//!
//! Once it is a member and somebody leads the metadata, a node looks whether the registry says of it what is so: which
//! feature levels its build reads, and where it is. If not, as at its first start, after an upgrade or with another
//! configuration, it asks for that to be changed, again and again with a pause. A node that is alone then raises the
//! cluster's level to the newest that it reads: there is nobody to wait for. Where there are others an operator does,
//! once no node is to go back to the older build.
//!
//! Invariant: an answer changes nothing here; the image does, and until it shows what was asked for it is asked again.

use crate::config::Config;
use crate::limits::{REGISTER_AGAIN_AFTER, REGISTER_LOOK_AFTER};
use crate::machine::{Machine, Waiter};
use crate::metadata::{Metadata, Place, Registered, Request};
use crate::now::{Mono, Now};

/// The waiter of what this room asks: nobody waits.
pub(super) const NOBODY: Waiter = Waiter(1 << 62);

/// When to look at what the registry says.
#[derive(Debug, Default)]
pub(super) struct Registering {
    look_at: Option<Mono>,
}

impl Registering {
    /// Looks soon: somebody may lead the metadata by then.
    pub fn look_soon(&mut self, now: Now) {
        self.look_at = Some(now.mono + REGISTER_LOOK_AFTER);
    }

    /// When [`Registering::due`] has something to say.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.look_at
    }

    /// What to ask for now: what the image should say, and does not. It is there where somebody leads.
    pub fn due(&mut self, now: Now, image: Option<&Metadata>, config: &Config) -> Vec<Request> {
        if self.look_at.is_none_or(|at| at > now.mono) {
            return Vec::new();
        }
        let Some(image) = image else {
            self.look_soon(now);
            return Vec::new();
        };
        let unsaid = unsaid(image, config);
        self.look_at = (!unsaid.is_empty()).then_some(now.mono + REGISTER_AGAIN_AFTER);
        unsaid
    }
}

/// What the image lacks.
fn unsaid(image: &Metadata, config: &Config) -> Vec<Request> {
    let (node, levels) = (config.node, config.levels);
    let Some(known) = image.node(node) else { return Vec::new() };
    let own = config.members.iter().find(|member| member.node == node);
    let place = own.map(|own| Place { api: own.api.clone(), rpc: own.rpc.clone(), rack: None, host: None });
    let registered = Registered { disk: known.disk, levels, place };
    let mut unsaid = Vec::new();
    if *known != registered {
        unsaid.push(Request::Register { node, registered });
    }
    if config.is_single() && image.level() < levels.newest {
        unsaid.push(Request::RaiseLevel { to: levels.newest, validate_only: false });
    }
    unsaid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Stamp;
    use crate::ids::{ClusterId, DiskId, NodeId, ReplicaId};
    use crate::level::{Level, Levels};
    use crate::metadata::{Command, Founder};

    #[test]
    fn a_node_alone_registers_and_raises_the_level_and_then_rests() {
        let config = Config { levels: Levels { newest: Level(2), ..Levels::BUILD }, ..Config::default() };
        let founder = Founder { node: NodeId(1), replica: ReplicaId(1), disk: DiskId(7) };
        let mut image = Metadata::founded(ClusterId(5), Level(1), &[founder]);
        let at = |ms: u64| Now { mono: Mono(ms * 1_000_000), ..Now::default() };
        let mut registering = Registering::default();
        assert_eq!(registering.due(at(0), Some(&image), &config), [], "it was not started");
        registering.look_soon(at(0));
        assert_eq!(registering.due(at(100), Some(&image), &config), [], "it is too early");
        assert_eq!(registering.due(at(200), None, &config), [], "nobody leads");
        let asked = registering.due(at(400), Some(&image), &config);
        let [Request::Register { node, registered }, Request::RaiseLevel { to, .. }] = &asked[..] else {
            panic!("it registers and raises: {asked:?}")
        };
        assert_eq!((registered.levels, *to), (config.levels, Level(2)));
        assert_eq!(registering.due(at(9_000), Some(&image), &config), [], "it waits for the answer");
        assert_eq!(registering.due(at(10_400), Some(&image), &config), asked, "there was none");
        for command in [
            Command::NodeRegistered { node: *node, registered: registered.clone() },
            Command::LevelRaised { to: *to },
        ] {
            assert!(image.takes(&command));
            image.apply(Stamp::default(), &command);
        }
        assert_eq!(registering.due(at(30_000), Some(&image), &config), []);
        assert_eq!(registering.next_deadline(), None, "all is said");
    }
}
