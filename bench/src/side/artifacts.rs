//! Jars from Maven's repository, by Maven itself: it resolves what a release needs at run time and, told to be
//! strict, refuses what does not have its published checksum. On top of that stands `kafka.sums`, the SHA-256 of
//! every jar of the pinned release: a different byte is a different opponent.
//!
//! Not here: a resolver of our own. Maven's rules for versions are longer than this package.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The newest release of the broker there was when the sums were taken.
pub const BROKER_VERSION: &str = "4.4.0";
/// The newest release of the tools, which follow the broker after some time.
pub const TOOLS_VERSION: &str = "4.3.1";
/// What the released archive has beside the broker, to log with.
const LOG_BINDING: (&str, &str, &str) = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.5");
const PINNED: &str = include_str!("../../assets/kafka.sums");

/// What to fetch: group, artifact, version.
type Coordinates<'a> = (&'a str, &'a str, &'a str);

/// Where the jars of the broker lie.
pub fn broker(cache: &Path, version: &str) -> io::Result<PathBuf> {
    let wanted = [("org.apache.kafka", "kafka_2.13", version), LOG_BINDING];
    fetch(&cache.join(format!("kafka-{version}")), &wanted)
}

/// Where the jars of Kafka's own load generators lie.
pub fn tools(cache: &Path) -> io::Result<PathBuf> {
    fetch(
        &cache.join(format!("kafka-tools-{TOOLS_VERSION}")),
        &[("org.apache.kafka", "kafka-tools", TOOLS_VERSION)],
    )
}

/// Every jar of a folder with its SHA-256, by name.
pub fn sums(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.sort();
    let out =
        Command::new("sha256sum").args(&paths).output().map_err(|error| missing("sha256sum", &error))?;
    Ok(parse_sums(&String::from_utf8_lossy(&out.stdout)))
}

fn fetch(folder: &Path, wanted: &[Coordinates<'_>]) -> io::Result<PathBuf> {
    let jars = folder.join("jars");
    if !jars.exists() {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("pom.xml"), pom(wanted))?;
        let partial = folder.join("partial");
        eprintln!("fetching {} {} with Maven", wanted[0].1, wanted[0].2);
        let status = Command::new("mvn")
            .current_dir(folder)
            .args([
                "-q",
                "-B",
                "--strict-checksums",
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
            ])
            .arg("-DoutputDirectory=partial")
            .status()
            .map_err(|error| missing("mvn (Debian: apt-get install maven)", &error))?;
        if !status.success() {
            return Err(io::Error::other(format!("Maven could not fetch {wanted:?}")));
        }
        fs::rename(partial, &jars)?;
    }
    let strangers = strangers(&sums(&jars)?, &parse_sums(PINNED));
    if strangers.is_empty() {
        return Ok(jars);
    }
    let strangers = strangers.join(", ");
    if wanted.iter().any(|(_, _, version)| [BROKER_VERSION, TOOLS_VERSION].contains(version)) {
        let folder = jars.display();
        return Err(io::Error::other(format!(
            "{folder}: not as bench/assets/kafka.sums has them: {strangers}"
        )));
    }
    eprintln!("checked by Maven only, as this release is not pinned: {strangers}");
    Ok(jars)
}

/// Names whose sum is not the pinned one.
fn strangers(found: &BTreeMap<String, String>, pinned: &BTreeMap<String, String>) -> Vec<String> {
    found.iter().filter(|(name, sum)| pinned.get(*name) != Some(sum)).map(|(name, _)| name.clone()).collect()
}

/// Lines of `sha256sum`: the sum, two spaces, a path.
fn parse_sums(text: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (sum, path) = line.split_once("  ")?;
        Some((path.rsplit('/').next()?.to_owned(), sum.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

fn pom(wanted: &[Coordinates<'_>]) -> String {
    let mut dependencies = String::new();
    for (group, artifact, version) in wanted {
        let one = format!(
            "<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
        );
        // Writing to a string cannot fail.
        let _ = writeln!(dependencies, "<dependency>{one}</dependency>");
    }
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n<modelVersion>4.0.0</modelVersion>\n\
         <groupId>bench</groupId><artifactId>peer</artifactId><version>1</version><packaging>pom</packaging>\n\
         <dependencies>\n{dependencies}</dependencies>\n</project>\n"
    )
}

/// A program that is not here, and so cannot be run.
pub fn missing(program: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot run {program}: {error}. Install it and try again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jar_with_another_sum_or_without_one_is_a_stranger() {
        let pinned = parse_sums("aa  x/one.jar\nbb  two.jar\n");
        let found = parse_sums("aa  one.jar\ncc  two.jar\ndd  three.jar\n");
        assert_eq!(strangers(&found, &pinned), ["three.jar", "two.jar"]);
        assert!(strangers(&parse_sums("bb  y/two.jar"), &pinned).is_empty());
    }

    #[test]
    fn the_pom_asks_for_each_artifact_once() {
        let text = pom(&[("g", "a", "1"), ("h", "b", "2")]);
        assert_eq!(text.matches("<dependency>").count(), 2);
        assert!(text.contains("<groupId>h</groupId><artifactId>b</artifactId><version>2</version>"));
    }

    #[test]
    fn the_pinned_release_has_its_broker_and_its_tools() {
        let pinned = parse_sums(PINNED);
        assert!(pinned.contains_key(&format!("kafka_2.13-{BROKER_VERSION}.jar")));
        assert!(pinned.contains_key(&format!("kafka-tools-{TOOLS_VERSION}.jar")));
        assert!(pinned.values().all(|sum| sum.len() == 64));
    }
}
