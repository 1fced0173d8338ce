//! What must be there before anything is measured: both brokers, the slow disk, and the folders to run in.

use crate::broker;
use crate::side::artifacts::{self, missing};
use crate::side::flush_delay;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest Java that the pinned release runs on.
const JAVA_MIN: u32 = 17;

/// Everything prepared.
pub struct Kit {
    /// Our release binary.
    pub binary: PathBuf,
    /// The jars of the broker we are compared with.
    pub kafka: PathBuf,
    /// Its version.
    pub kafka_version: String,
    /// What `java -version` says.
    pub java_version: String,
    /// The library that slows flushes.
    pub slow_flush: PathBuf,
    /// Where nodes keep their data; emptied before each start.
    pub disk: PathBuf,
    /// The same in a memory file system.
    pub memory: PathBuf,
    /// Where everything fetched lies.
    pub cache: PathBuf,
}

impl Kit {
    /// Fetches and builds whatever is missing.
    pub fn prepare(kafka_version: &str) -> io::Result<Kit> {
        let java_version = java()?;
        let cache = cache()?;
        let run = format!("run-{}", std::process::id());
        Ok(Kit {
            binary: broker::build()?,
            kafka: artifacts::broker(&cache, kafka_version)?,
            kafka_version: kafka_version.to_owned(),
            java_version,
            slow_flush: flush_delay::build(&cache)?,
            disk: cache.join(&run),
            memory: Path::new("/dev/shm").join(format!("rust-mq-bench-{run}")),
            cache,
        })
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        for folder in [&self.disk, &self.memory] {
            // What cannot be removed is left for the user to see.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// The folder of this program in the user's cache.
pub fn cache() -> io::Result<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home);
    let folder = caches.ok_or_else(|| io::Error::other("set HOME or XDG_CACHE_HOME"))?.join("rust-mq-bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Looks whether a Java is here that can run the broker.
fn java() -> io::Result<String> {
    let install = "java (Debian: apt-get install openjdk-17-jre-headless)";
    let out = Command::new("java").arg("-version").output().map_err(|error| missing(install, &error))?;
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    let major = major(&said).unwrap_or(0);
    if major < JAVA_MIN {
        return Err(io::Error::other(format!("Java {JAVA_MIN} or newer is needed, here is: {said}")));
    }
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

/// The 17 of `openjdk version "17.0.15" 2025-04-15`.
fn major(said: &str) -> Option<u32> {
    said.split('"').nth(1)?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_java_is_read() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"), Some(17));
        assert_eq!(major("java version \"21\" 2023-09-19"), Some(21));
        assert_eq!(major("command not found"), None);
    }
}
