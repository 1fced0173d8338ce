//! The driver contract suite on the two disks of the node binary, and on the simulator's.

use rust_mq::disk::{MemoryDisk, RealDisk};
use rust_mq::mailbox::Room;
use rust_mq_core::action::Action;
use rust_mq_core::event::Event;
use sim::dice::Root;
use sim::disk::inode::Loss;
use sim::disk::{Disk, Pace};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tests::contract::{CLAIMS, DiskUnderTest, check_all};
use tests::folder::Folder;

struct Memory(MemoryDisk);

impl DiskUnderTest for Memory {
    fn perform(&mut self, actions: Vec<Action>) {
        actions.into_iter().for_each(|action| self.0.perform(action));
    }

    fn settle(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while self.0.has_done() {
            self.0.take_done(&mut events, &mut Room::of_a_turn());
        }
        events
    }

    fn restart(self: Box<Self>) -> Option<Box<dyn DiskUnderTest>> {
        None
    }
}

struct Real {
    disk: RealDisk,
    outstanding: usize,
    woken: Receiver<()>,
    folder: Folder,
}

impl Real {
    fn open(folder: Folder) -> Real {
        let (wake, woken) = channel();
        let wake = Arc::new(move || wake.send(()).unwrap_or(()));
        let disk = RealDisk::open(folder.path(), wake, 8).expect("a fresh directory can be used");
        Real { disk, outstanding: 0, woken, folder }
    }
}

impl DiskUnderTest for Real {
    fn perform(&mut self, actions: Vec<Action>) {
        self.outstanding += actions.iter().filter(|action| !matches!(action, Action::Forget { .. })).count();
        actions.into_iter().for_each(|action| self.disk.perform(action));
        self.disk.end_turn();
    }

    fn settle(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < self.outstanding {
            self.woken.recv_timeout(Duration::from_secs(30)).expect("a lane answers in time");
            self.disk.take_done(&mut events, &mut Room::of_a_turn());
        }
        self.outstanding = 0;
        events
    }

    fn restart(self: Box<Self>) -> Option<Box<dyn DiskUnderTest>> {
        let Real { disk, folder, .. } = *self;
        drop(disk);
        Some(Box::new(Real::open(folder)))
    }
}

#[test]
fn the_memory_disk_keeps_the_contract() {
    check_all(&mut |capacity| Some(Box::new(Memory(MemoryDisk::new(capacity.unwrap_or(1 << 30))))));
}

#[test]
fn the_real_disk_keeps_the_contract() {
    check_all(&mut |capacity| {
        // A small volume cannot be had without privileges.
        if capacity.is_some() {
            return None;
        }
        Some(Box::new(Real::open(Folder::new())))
    });
}

struct Simulated(Disk);

impl Simulated {
    fn new(capacity: u64) -> Simulated {
        let pace = Pace { touch_ns: 10_000, sync_ns: 1_000_000, byte_ps: 1_000, read_factor: 1 };
        Simulated(Disk::new(capacity, pace, Root(1).key("disk", &[])))
    }
}

impl DiskUnderTest for Simulated {
    fn perform(&mut self, actions: Vec<Action>) {
        actions.into_iter().for_each(|action| self.0.issue(action));
    }

    fn settle(&mut self) -> Vec<Event> {
        // Works end by the time they take, as the world's queue has it: across files in any order.
        let mut running: Vec<(u64, u64)> = Vec::new();
        let mut now = 0;
        let mut events = Vec::new();
        loop {
            running.extend(
                self.0.take_started().into_iter().map(|started| (now + started.takes_ns, started.work)),
            );
            running.sort_unstable();
            if running.is_empty() {
                return events;
            }
            let (at, work) = running.remove(0);
            now = at;
            events.extend(self.0.finish(work).map(|(ticket, result)| Event::Done { ticket, result }));
        }
    }

    fn restart(mut self: Box<Self>) -> Option<Box<dyn DiskUnderTest>> {
        // A loss of power that keeps nothing unsynced.
        self.0.crash(Loss::Sectors { kept_ppm: 0 }, &mut Root(1).stream("crash", &[]));
        Some(self)
    }
}

#[test]
fn the_simulated_disk_keeps_the_contract() {
    for (name, claim) in CLAIMS {
        // On a disk, zeros are how space is reserved: they take it.
        if *name != "zeros take no memory" {
            println!("{name}");
            claim(&mut |capacity| Some(Box::new(Simulated::new(capacity.unwrap_or(1 << 30)))));
        }
    }
}
