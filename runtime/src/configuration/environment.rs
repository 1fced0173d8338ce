//! Variables of the environment: `RUST_MQ_` and the setting's path in capitals, with `__` for each dot.
//!
//! `RUST_MQ_RAFT__HEARTBEAT_INTERVAL_MS=100` says what `raft:` and below it `heartbeat_interval_ms: 100` do. What has names
//! or places below it is given as YAML, or piece by piece: `RUST_MQ_CLUSTER__INITIAL_MEMBERS__0__NODE_ID=1`. An empty
//! variable says nothing, as one that is not set.
//!
//! A variable of ours that is no setting is a mistake, except for those that something else is told by
//! ([`OTHERS`]) and those by which Kubernetes tells of a service of our name (`RUST_MQ_SERVICE_HOST`).

use super::keys::{self, Found, KEYS, Key};
use super::layers::Layers;
use super::mistake::{Mistake, Wrong, likely};
use super::source::Source;
use crate::foreign_text::escaped;
use std::ffi::OsString;

const PREFIX: &str = "RUST_MQ_";

/// The variable that names the configuration file, as `--config` does.
pub const CONFIG: &str = "RUST_MQ_CONFIG";

/// Variables that are no settings of a node: its file's name, what clients are told, and what this workspace's tests and
/// benchmark are, whose broker inherits it.
pub const OTHERS: [&str; 5] =
    [CONFIG, "RUST_MQ_BROKERS", "RUST_MQ_PROFILE", "RUST_MQ_BINARY", "RUST_MQ_BENCH_NO_BUILD"];

/// What tracing's programs are told by; ours are its `log_level` where nothing else is said there.
pub(super) const RUST_LOG: &str = "RUST_LOG";

/// The variable of a setting.
pub fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}

impl Layers {
    /// Adds what the environment says.
    pub fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<(), Mistake> {
        let mut said = Vec::new();
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX) || *name == RUST_LOG)
            else {
                continue;
            };
            if OTHERS.contains(&name) || is_of_a_service(name, &value.to_string_lossy()) {
                continue;
            }
            let source = Source::Environment(name.to_owned());
            let value = value.into_string().map_err(|_| Wrong::new("its value is no text").at(&source))?;
            said.push((name.to_owned(), value));
        }
        // Shortest first: a whole list comes before a piece of it. RUST_LOG is shorter than all.
        said.sort_by_key(|(name, _)| (name.len(), name.clone()));
        for (name, value) in said {
            let path = match name.strip_prefix(PREFIX) {
                Some(rest) => rest.to_lowercase().replace("__", "."),
                None => "log_level".to_owned(),
            };
            let is_ours = name == name.to_uppercase();
            if !is_ours || path.is_empty() || matches!(keys::find(&path), Found::Nothing) {
                return Err(unknown(&name, &path));
            }
            if !value.is_empty() {
                self.add_variable(&name, &path, &value)?;
            }
        }
        Ok(())
    }
}

fn unknown(name: &str, path: &str) -> Mistake {
    let wrong = Wrong::new("there is no such setting");
    let all: Vec<String> = KEYS.iter().map(|key| variable(key.path)).collect();
    let below = path.rsplit('.').next().unwrap_or(path);
    let elsewhere = |key: &&Key| {
        key.name() == below || key.path.replace('.', "_") == path || key.name().ends_with(&format!("_{path}"))
    };
    let meant = likely(&name.to_uppercase(), all.iter().map(String::as_str)).map(str::to_owned);
    let meant = meant
        .or_else(|| KEYS.iter().find(elsewhere).map(|key| variable(key.path)))
        .or_else(|| keys::by_flag(path).map(|key| variable(key.path)));
    let hint = match meant {
        Some(meant) => format!("did you mean {meant}?"),
        None => "`rust-mq config show` lists all settings; unset it".to_owned(),
    };
    wrong.hint(hint).at(&Source::Environment(escaped(name)))
}

/// Whether Kubernetes, or Docker of old, tells by it of a service that is called `rust-mq` or begins so.
fn is_of_a_service(name: &str, value: &str) -> bool {
    let is_port = |rest: &str| rest.contains("_TCP") || rest.contains("_UDP");
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.split_once("_PORT_").is_some_and(|(_, rest)| is_port(&format!("_{rest}")))
        || (name.ends_with("_PORT") && (value.starts_with("tcp://") || value.starts_with("udp://")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Layers, String> {
        let mut layers = Layers::default();
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        layers.add_environment(variables).map(|()| layers).map_err(|mistake| mistake.to_string())
    }

    #[test]
    fn every_setting_has_a_variable_and_an_empty_one_says_nothing() {
        for key in KEYS {
            let path = key.path.replace('#', "0").replace('*', "outer");
            let layers = read(&[(&variable(&path), "x")]).expect("it is a setting");
            assert_eq!(layers.said(&path).map(|said| said.text.as_str()), Some("x"), "{path}");
            assert!(
                read(&[(&variable(&path), "")]).is_ok_and(|layers| layers.said(&path).is_none()),
                "{path}"
            );
        }
    }

    #[test]
    fn a_list_is_given_whole_and_its_pieces_afterwards() {
        let members = ("RUST_MQ_CLUSTER__INITIAL_MEMBERS", "[{node_id: 1, api_addr: \"a:1\"}, {node_id: 2}]");
        let piece = ("RUST_MQ_CLUSTER__INITIAL_MEMBERS__1__NODE_ID", "7");
        let layers = read(&[piece, members]).expect("both are settings");
        let text = |path: &str| {
            layers.said(&format!("cluster.initial_members.{path}")).map(|said| said.text.as_str())
        };
        assert_eq!(
            (text("0.node_id"), text("0.api_addr"), text("1.node_id")),
            (Some("1"), Some("a:1"), Some("7"))
        );
        assert_eq!(layers.names("cluster.initial_members"), ["0", "1"]);
        let mistake =
            read(&[("RUST_MQ_CLUSTER__INITIAL_MEMBERS", "[{node: 1}]")]).expect_err("there is no `node`");
        assert!(mistake.contains("RUST_MQ_CLUSTER__INITIAL_MEMBERS: unknown key `node`"), "{mistake}");
    }

    #[test]
    fn what_is_no_setting_is_refused_with_what_was_probably_meant() {
        for (name, meant) in [
            ("RUST_MQ_CLUSTER_BOOTSTRAP", "RUST_MQ_CLUSTER__BOOTSTRAP"),
            ("RUST_MQ_BOOTSTRAP", "RUST_MQ_CLUSTER__BOOTSTRAP"),
            ("RUST_MQ_RAFT__HEARTBEAT_MS", "heartbeat"),
            ("RUST_MQ_HEARTBEAT_INTERVAL_MS", "RUST_MQ_RAFT__HEARTBEAT_INTERVAL_MS"),
            ("RUST_MQ_NODEID", "RUST_MQ_NODE_ID"),
            ("RUST_MQ_LISTEN", "RUST_MQ_API_ADDR"),
            ("RUST_MQ_DATA", "RUST_MQ_STORAGE_PATH"),
            ("RUST_MQ_node_id", "RUST_MQ_NODE_ID"),
            ("RUST_MQ_", "config show"),
            ("RUST_MQ_COLOUR", "config show"),
        ] {
            let mistake = read(&[(name, "1")]).expect_err(name);
            let (first, hint) = mistake.split_once('\n').expect("a mistake has a hint");
            assert_eq!(first, format!("{name}: there is no such setting"));
            if meant != "heartbeat" {
                assert!(hint.contains(meant), "{name}: {hint}");
            }
        }
    }

    #[test]
    fn what_others_say_is_left_to_them() {
        let others = [
            ("RUST_MQ_BROKERS", "a:1"),
            ("RUST_MQ_SERVICE_HOST", "10.0.0.1"),
            ("RUST_MQ_SERVICE_PORT", "9092"),
            ("RUST_MQ_SERVICE_PORT_KAFKA", "9092"),
            ("RUST_MQ_PORT", "tcp://10.0.0.1:9092"),
            ("RUST_MQ_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("RUST_MQ_0_SERVICE_HOST", "10.0.0.1"),
            ("RUST_BACKTRACE", "1"),
        ];
        assert!(read(&others).is_ok_and(|layers| layers.names("").is_empty()));
    }
}
