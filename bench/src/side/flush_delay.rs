//! The slow disk: a small C library, built here, that makes each flush of the broker it is preloaded into take
//! longer. In C, because it has to stand in for functions of the C library, and nothing of ours may be `unsafe`.

use crate::side::artifacts::missing;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("../../assets/slow_flush.c");

/// Builds it into the cache folder.
pub fn build(cache: &Path) -> io::Result<PathBuf> {
    let (source, library) = (cache.join("slow_flush.c"), cache.join("slow_flush.so"));
    if fs::read_to_string(&source).is_ok_and(|text| text == SOURCE) && library.exists() {
        return Ok(library);
    }
    fs::write(&source, SOURCE)?;
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status()
        .map_err(|error| missing("cc (Debian: apt-get install gcc)", &error))?;
    if status.success() { Ok(library) } else { Err(io::Error::other("slow_flush.c could not be built")) }
}

/// Preloads it into a program.
pub fn preload(command: &mut Command, library: &Path, delay_us: u64) {
    if delay_us > 0 {
        command.env("LD_PRELOAD", library).env("FLUSH_DELAY_US", delay_us.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_flush_takes_at_least_as_long_as_told() {
        let folder = std::env::temp_dir().join(format!("slow-flush-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the temporary folder can be written to");
        let library = build(&folder).expect("the library can be built");
        let mut command = Command::new("sync");
        preload(command.arg("--data").arg(&library), &library, 150_000);
        let begun = Instant::now();
        assert!(command.status().expect("coreutils are here").success());
        assert!(begun.elapsed() >= Duration::from_millis(150));
        fs::remove_dir_all(folder).expect("the folder can be removed");
    }
}
