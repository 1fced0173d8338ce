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
    cargo_build(&["-p", "rust-mq"]).join("rust-mq")
}

/// Builds something else of the workspace beside this test, and says where: in `<target>/<profile>`.
pub fn cargo_build(what: &[&str]) -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    // <target>/<profile>/deps/<test>, and a program is one folder above.
    let folder = test.parent().expect("a program lies in a folder");
    let profile = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    let profile = profile.expect("cargo puts what it builds below the target folder");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--target-dir"]);
    command.arg(profile.parent().expect("a profile's folder lies in the target folder"));
    command.args(what);
    if profile.ends_with("release") {
        command.arg("--release");
    }
    command.current_dir(
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is in the workspace"),
    );
    let status = command.status().expect("cargo can be started");
    assert!(status.success(), "`cargo build {}` failed: {status}", what.join(" "));
    profile.to_owned()
}
