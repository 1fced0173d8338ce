//! The verbs of stories, a file each (opposites share one).
//!
//! ```text
//! cluster nodes=3 start=1,2 ...    nodes, and which start at once (all); prints until the cluster serves
//! start 3, stop 2, kill 2          processes; crash 2 loses what is not synced too, wipe 2 the whole disk
//! topic t partitions=1 on=1,2,3    creates a topic (at node 1, or at=2); delete t
//! produce 1 t-0 a b acks=all       to node 1; pid= epoch= seq= make it an idempotent producer's; txn=; t-0,t-1 both;
//!                                  k:v has a key, k: is its tombstone
//! fetch 1 t-0 from=0 wait=0ms      min= max= bytes; epoch= what the client thinks; last= epoch it read
//! list 1 t-0 latest                earliest, latest, max or ms since the start
//! epoch 1 t-0 2                    where leader epoch 2 ended
//! producer 1                       a producer id; txn= with a transactional id
//! metadata 1 t, leaders, log t-0   what a client is told; what nodes know; what replicas hold
//! coordinator 1 g                  which node coordinates a group
//! join 1 g topics=t, sync 1 g 1 member=m1 give=m1:t-0, heartbeat 1 g 1 member=m1, leave 1 g member=m1
//! beat 1 g a 0 topics=t, consumers 1 g   a member of a consumer group; what such groups are like
//! commit 1 g t-0 5, committed 1 g t-0, forget 1 g t-0      offsets
//! groups 1, group 1 g, delete_group 1 g                    what groups there are
//! widen t 4, pages 1 t limit=2     a topic has more partitions; a page of partitions
//! erase 1 t-0 5                    what lies below an offset goes (all)
//! dirs 1, producers 1 t-0          what a node's disk holds; who is remembered
//! settings 1 topic t x, set 1 topic t x=5 -y z+=a z-=a check=yes, reset 1 topic t x=5   one's settings; `broker 1`,
//!                                  `broker default` and `group g` have some too; holders 1: who has
//! versions 1, brokers 1            which APIs a node serves; which nodes it says there are
//! raise 1 2                        the cluster's feature level is to be 2
//! holds 1                          what clients make a node keep
//! watch 1                          what a node tells those who watch it
//! cut 1 | 2 3, heal                nothing passes between the two sides; everything does again
//! stall 1, resume 1, fill 1, free 1   the disk does nothing (after=2 syncs); has no space
//! fail 1                           its syncs fail
//! copy 1, roll_back 1              the disk is remembered; it is again what it was then
//! rot 1 t-0 5, lose 1 t-0 5        the batch there changes on the disk; its segment is gone from it
//! flip 1 journal/0000 4200         so does the byte there of any file
//! clock 1 by=-3600s                the node's wall clock jumps
//! wait 500ms, elect t-0 not=1      time passes: so long; until someone (else) leads
//! raw 1 HEX client=c, close c      any bytes; a client goes away
//! ```
//! A request is sent on a connection of its own, or on that of `client=NAME`, where requests follow each other.

mod beat;
mod brokers;
mod clock;
mod close;
mod cluster;
mod commit;
mod committed;
mod consumers;
mod coordinator;
mod cut;
mod delete;
mod describe;
mod elect;
mod epoch;
mod erase;
mod failing_disk;
mod fetch;
mod forget;
mod full_disk;
mod group;
mod groups;
mod heartbeat;
mod holds;
mod join;
mod leaders;
mod leave;
mod list;
mod log;
mod metadata;
mod process;
mod produce;
mod producer;
mod raise;
mod raw;
mod rolled_back_disk;
mod rot;
mod settings;
mod stalled_disk;
mod sync;
mod topic;
mod versions;
mod wait;
mod watch;
mod widen;

use super::command::Command;
use super::world::World;

/// Runs one command. The error says why it makes no sense.
pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    match command.verb.as_str() {
        "beat" => beat::run(world, command),
        "brokers" => brokers::run(world, command),
        "clock" => clock::run(world, command),
        "close" => close::run(world, command),
        "cluster" => cluster::run(world, command),
        "commit" => commit::run(world, command),
        "committed" => committed::run(world, command),
        "consumers" => consumers::run(world, command),
        "coordinator" => coordinator::run(world, command),
        "cut" => cut::cut(world, command),
        "heal" => cut::heal(world, command),
        "delete" => delete::run(world, command),
        "delete_group" => group::delete(world, command),
        "dirs" => describe::dirs(world, command),
        "elect" => elect::run(world, command),
        "erase" => erase::run(world, command),
        "epoch" => epoch::run(world, command),
        "fetch" => fetch::run(world, command),
        "forget" => forget::run(world, command),
        "group" => group::describe(world, command),
        "groups" => groups::run(world, command),
        "heartbeat" => heartbeat::run(world, command),
        "join" => join::run(world, command),
        "leave" => leave::run(world, command),
        "sync" => sync::run(world, command),
        "fail" => failing_disk::run(world, command),
        "copy" => rolled_back_disk::copy(world, command),
        "roll_back" => rolled_back_disk::roll_back(world, command),
        "flip" => rot::flip(world, command),
        "fill" => full_disk::fill(world, command),
        "free" => full_disk::free(world, command),
        "holds" => holds::run(world, command),
        "leaders" => leaders::run(world, command),
        "list" => list::run(world, command),
        "log" => log::run(world, command),
        "metadata" => metadata::run(world, command),
        "start" => process::start(world, command),
        "stop" => process::stop(world, command),
        "crash" => process::crash(world, command),
        "wipe" => process::wipe(world, command),
        "kill" => process::kill(world, command),
        "pages" => describe::pages(world, command),
        "produce" => produce::run(world, command),
        "producer" => producer::run(world, command),
        "raise" => raise::run(world, command),
        "producers" => describe::producers(world, command),
        "raw" => raw::run(world, command),
        "rot" => rot::rot(world, command),
        "lose" => rot::lose(world, command),
        "holders" => settings::holders(world, command),
        "reset" => settings::reset(world, command),
        "set" => settings::set(world, command),
        "settings" => settings::settings(world, command),
        "stall" => stalled_disk::stall(world, command),
        "resume" => stalled_disk::resume(world, command),
        "topic" => topic::run(world, command),
        "versions" => versions::run(world, command),
        "wait" => wait::run(world, command),
        "watch" => watch::run(world, command),
        "widen" => widen::run(world, command),
        verb => Err(format!("there is no verb `{verb}`")),
    }
}
