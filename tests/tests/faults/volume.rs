//! A volume that is really small: a tmpfs, mounted in a namespace of the broker's own, which needs no privilege
//! where the system grants user namespaces. Where it does not (many containers), this says so, and the full disk
//! of `disk.rs` stands for it.

use super::{KAFKA_STORAGE_ERROR, TOPIC, eventually, put};
use std::process::Command;
use tests::batch::Batch;
use tests::dialogue::{create_topic, delete_topic, fetch, produce};
use tests::folder::Folder;
use tests::node::Node;

/// Mounts the first argument and becomes what follows it.
const MOUNT: &str = "mount -t tmpfs -o size=96m,mode=700 tmpfs \"$0\" && exec \"$@\"";

fn may_mount() -> bool {
    let tried = Command::new("unshare").args(["--mount", "--map-root-user", "true"]).status();
    let may = tried.is_ok_and(|status| status.success());
    if !may {
        println!("NOT RUN: this system grants no user namespaces; see disk.rs for the full disk");
    }
    may
}

#[test]
fn a_volume_too_small_to_start_on_is_said_at_once() {
    for size in ["100k", "300k", "1m"] {
        if !may_mount() {
            return;
        }
        let folder = Folder::new();
        let data = folder.join("data");
        std::fs::create_dir(&data).expect("a temporary folder can be made");
        let mount = MOUNT.replace("96m", size);
        let mut command = Command::new("timeout");
        command.args(["5", "unshare", "--mount", "--map-root-user", "sh", "-c", &mount, &data]);
        command.arg(tests::binary::binary()).args(["--listen", "127.0.0.1:0", "--data", &data]);
        let output = command.output().expect("timeout is part of the system");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(
            said.contains("the disk is full: there is no room for what a start writes"),
            "{size}: {said}"
        );
        assert!(!said.contains("ready"), "{size}: {said}");
    }
}

#[test]
fn a_small_volume_fills_up_and_is_written_again_once_a_topic_is_deleted() {
    if !may_mount() {
        return;
    }
    let folder = Folder::new();
    let data = folder.join("data");
    std::fs::create_dir(&data).expect("a temporary folder can be made");
    let above = ["unshare", "--mount", "--map-root-user", "sh", "-c", MOUNT, &data];
    let node = Node::start_under(&above, &["--listen", "127.0.0.1:0", "--data", &data]);
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, TOPIC, 1), 0);
    assert_eq!(create_topic(&mut client, "big", 1), 0);
    assert_eq!(put(&mut client, TOPIC).error, 0);
    let value = vec![b'x'; 900 << 10];
    let batch = Batch::of(&[&value]).bytes();
    let mut taken = 0;
    let refused = loop {
        match produce(&mut client, "big", batch.clone()).error {
            0 => taken += 1,
            code => break code,
        }
        assert!(taken < 200, "more was taken than the volume holds");
    };
    println!("{taken} MiB were taken");
    assert_eq!(refused, KAFKA_STORAGE_ERROR);
    assert_eq!(put(&mut client, TOPIC).error, KAFKA_STORAGE_ERROR, "no partition takes records");
    let found = fetch(&mut client, "big", 0);
    assert_eq!((found.error, found.high_watermark), (0, taken), "what was taken is read");
    assert_eq!(delete_topic(&mut client, "big"), 0, "deleting goes on");
    eventually("records are taken again", || put(&mut client, TOPIC).error == 0);
    assert_eq!(fetch(&mut client, TOPIC, 0).error, 0);
}
