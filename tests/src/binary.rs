//! The node binary, built once per test process with `cargo build -p rust-mq`.
//!
//! Built alone and not taken from the workspace's test build: there the simulator's features are unified into
//! the core, and the shipped binary has none of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the binary is, after building it. `RUST_MQ_BINARY` names another one to be put to the test.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("RUST_MQ_BINARY") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    // <target>/<profile>/deps/<test>
    let profile = test.ancestors().nth(2).expect("cargo puts tests two folders below the target folder");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "-p", "rust-mq", "--target-dir"]);
    command.arg(profile.parent().expect("a profile's folder lies in the target folder"));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    command.current_dir(
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is in the workspace"),
    );
    let status = command.status().expect("cargo can be started");
    assert!(status.success(), "`cargo build -p rust-mq` failed: {status}");
    profile.join("rust-mq")
}
