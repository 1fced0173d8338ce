//! Profiles: clusters by name, in a file, so that nobody has to type addresses.
//!
//! ```yaml
//! # $XDG_CONFIG_HOME/rust-mq/profiles.yaml, or ~/.config/rust-mq/profiles.yaml
//! current: local
//! profiles:
//!   local: { brokers: ["127.0.0.1:9092"] }
//!   production: { brokers: ["broker-1:9092", "broker-2:9092"] }
//! ```

use crate::trouble::Trouble;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The variable that names a profile.
pub const VARIABLE: &str = "RUST_MQ_PROFILE";

/// Bytes of the file. Source: chosen, above a thousand profiles. At the edge: refused.
const BYTES_MAX: u64 = 1 << 20;

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    /// The profile that holds if none is named.
    current: Option<String>,
    /// By name.
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

/// A cluster.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    /// Some of its nodes: `host:port`.
    brokers: Vec<String>,
}

impl Profiles {
    /// Reads the file; one that is not there says nothing.
    pub fn read(path: &Path) -> Result<Profiles, Trouble> {
        let wrong = |why: String| {
            let what = format!("the profiles in {} cannot be read", path.display());
            let like =
                "write `profiles: { local: { brokers: [\"127.0.0.1:9092\"] } }`, or move the file away";
            Trouble::usage(what, why, like)
        };
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Profiles::default()),
            Err(error) => return Err(wrong(error.to_string())),
            Ok(file) if file.len() > BYTES_MAX => {
                return Err(wrong(format!("it has more than {BYTES_MAX} bytes")));
            }
            Ok(_) => {}
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        Profiles::parse(&text).map_err(wrong)
    }

    fn parse(text: &str) -> Result<Profiles, String> {
        if text.trim().is_empty() {
            return Ok(Profiles::default());
        }
        // The library draws the place, line by line; the first line says it.
        let first =
            |error: serde_saphyr::Error| error.to_string().lines().next().unwrap_or_default().to_owned();
        serde_saphyr::from_str(text).map_err(first)
    }

    /// The addresses of the profile of that name, or of the current one if none is named.
    pub fn brokers(&self, name: Option<&str>) -> Result<Option<String>, Trouble> {
        let Some(name) = name.or(self.current.as_deref()) else { return Ok(None) };
        let Some(profile) = self.profiles.get(name) else {
            let known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
            let known = if known.is_empty() {
                "there is none".into()
            } else {
                format!("there are: {}", known.join(", "))
            };
            let remedy = match default_path() {
                Some(path) => format!("write it into {}, or name the nodes with --brokers", path.display()),
                None => "name the nodes with --brokers".into(),
            };
            return Err(Trouble::usage(format!("there is no profile `{name}`"), known, remedy));
        };
        Ok(Some(profile.brokers.join(",")))
    }
}

/// Where the file is; nowhere for whoever has no home.
pub fn default_path() -> Option<PathBuf> {
    let said = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let configuration = said("XDG_CONFIG_HOME").or_else(|| Some(said("HOME")?.join(".config")))?;
    Some(configuration.join("rust-mq").join("profiles.yaml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str =
        "current: a\nprofiles:\n  a: { brokers: [\"a:1\"] }\n  b: { brokers: [\"b:1\", \"c:1\"] }\n";

    #[test]
    fn a_profile_is_found_by_its_name_or_because_it_is_the_current_one() {
        let profiles = Profiles::parse(TWO).expect("the file is good");
        assert_eq!(profiles.brokers(None), Ok(Some("a:1".into())));
        assert_eq!(profiles.brokers(Some("b")), Ok(Some("b:1,c:1".into())));
        let unknown = profiles.brokers(Some("c")).expect_err("there is none");
        assert_eq!(unknown.exit_code(), 2);
        assert!(unknown.text(crate::terminal::Colours::NONE).contains("there are: a, b"), "{unknown:?}");
        let empty = Profiles::parse("").expect("nothing has to be said");
        assert_eq!(empty.brokers(None), Ok(None));
    }

    #[test]
    fn what_nobody_knows_is_a_mistake_that_says_its_place() {
        for text in ["profile: {}\n", "profiles: { a: { broker: x } }\n", "profiles: [a]\n", "{"] {
            let why = Profiles::parse(text).expect_err(text);
            assert!(!why.is_empty() && !why.contains('\n'), "{why}");
        }
    }
}
