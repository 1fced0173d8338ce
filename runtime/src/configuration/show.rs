//! Every setting of a node as it holds, with where it was said: for people, or for programs. A secret is not shown.

use super::Configuration;
use super::keys::{KEYS, Key, Kind};
use super::layers::Layers;
use super::source::Source;
use super::values;
use crate::foreign_text::shown as harmless;
use crate::memory_limit;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// How settings are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ShowFormat {
    /// Lines to read.
    Table,
    /// One JSON object.
    Json,
    /// YAML.
    Yaml,
}

/// All settings, in a format.
pub fn shown(configuration: &Configuration, format: ShowFormat) -> String {
    let rows = Rows(
        paths(&configuration.layers).into_iter().map(|(key, path)| row(configuration, key, path)).collect(),
    );
    match format {
        ShowFormat::Table => rows.table(),
        ShowFormat::Json => {
            let json = serde_json::to_string_pretty(&rows);
            json.expect("texts and numbers have a form in JSON") + "\n"
        }
        ShowFormat::Yaml => serde_saphyr::to_string(&rows).expect("texts and numbers have a form in YAML"),
    }
}

/// All rows, in the order of the table.
struct Rows(Vec<Row>);

/// A setting as it holds.
#[derive(Serialize)]
struct Row {
    #[serde(skip)]
    path: String,
    value: Value,
    /// The layer in which it was said.
    source: &'static str,
    /// Where in that layer.
    at: Option<String>,
}

/// A value, as programs read it.
#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    Nothing(()),
    Number(i64),
    Bytes(u64),
    Truth(bool),
    Text(String),
}

/// Every setting that stands in one place, and of the others those that were said: member by member, name by name.
fn paths(layers: &Layers) -> Vec<(&'static Key, String)> {
    let of = |key: &'static Key| -> Vec<(&'static Key, String)> {
        let Some((above, _)) = key.path.split_once(['#', '*']) else {
            return vec![(key, key.path.to_owned())];
        };
        // They are shown with the first of their kind.
        if KEYS.iter().find(|other| other.path.starts_with(above)).is_none_or(|first| first.path != key.path)
        {
            return Vec::new();
        }
        let above = above.trim_end_matches('.');
        let inner = KEYS.iter().filter(|key| key.path.starts_with(above));
        let one = |name: String| inner.clone().flat_map(move |key| said(layers, key, above, &name));
        layers.names(above).into_iter().flat_map(one).collect()
    };
    KEYS.iter().flat_map(of).collect()
}

/// What was said of a setting in one place of a list, or under one name.
fn said(layers: &Layers, key: &'static Key, above: &str, name: &str) -> Vec<(&'static Key, String)> {
    let here = format!("{above}.{name}");
    let below = layers.below(&here).map(|(rest, _)| format!("{here}.{rest}"));
    below.filter(|path| key.is_at(path)).map(|path| (key, path)).collect()
}

fn row(configuration: &Configuration, key: &Key, path: String) -> Row {
    let layers = &configuration.layers;
    let said = layers.said(&path).or_else(|| layers.below(&path).next().map(|(_, said)| said));
    let text = said.map(|said| said.text.as_str()).or(key.default);
    let value = match (key.kind, text) {
        (Kind::Size, None) => Value::Bytes(configuration.memory_limit),
        (_, None) => Value::Nothing(()),
        (Kind::Secret, Some(_)) => Value::Text("(hidden)".into()),
        (kind, Some(text)) => value(kind, text),
    };
    let source = said.map_or(&Source::Default, |said| &said.source);
    let at = said.map(|said| said.source.to_string());
    Row { path, value, source: source.layer().word(), at }
}

fn value(kind: Kind, text: &str) -> Value {
    let known = match kind {
        Kind::Number => values::number(text).ok().map(Value::Number),
        Kind::Size => values::size(text).ok().map(Value::Bytes),
        Kind::Truth => values::truth(text).ok().map(Value::Truth),
        Kind::Address | Kind::Path | Kind::Word | Kind::Secret => None,
    };
    known.unwrap_or_else(|| Value::Text(text.to_owned()))
}

impl Rows {
    fn table(&self) -> String {
        let mut lines = vec![["SETTING".to_owned(), "VALUE".to_owned(), "SOURCE".to_owned()]];
        for Row { path, value, source, at } in &self.0 {
            let at = at.as_ref().map(|at| format!(" {at}")).unwrap_or_default();
            lines.push(
                [path.clone(), value.for_people(), format!("{source}{at}")].map(|cell| harmless(&cell)),
            );
        }
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let (first, second) = (width(0), width(1));
        let line =
            |[path, value, source]: &[String; 3]| format!("{path:first$}  {value:second$}  {source}\n");
        lines.iter().map(line).collect()
    }
}

impl Value {
    fn for_people(&self) -> String {
        match self {
            Value::Nothing(()) => "-".into(),
            Value::Number(number) => number.to_string(),
            Value::Bytes(bytes) => memory_limit::show(*bytes),
            Value::Truth(truth) => truth.to_string(),
            Value::Text(text) => text.clone(),
        }
    }
}

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        let mut map = into.serialize_map(Some(self.0.len()))?;
        for row in &self.0 {
            map.serialize_entry(&row.path, row)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn configuration() -> Configuration {
        let text = "node_id: 0x2\napi_addr: 127.0.0.1:9093\nrpc_addr: 127.0.0.1:9193\nstorage_path: data\ncluster:\n  \
                    secret: [a secret of 16 bytes, another of 16 bytes]\n  initial_members:\n    \
                    - {node_id: 2, api_addr: \"a:1\", rpc_addr: \"a:2\"}\n    \
                    - {node_id: 1, api_addr: \"b:1\", rpc_addr: \"b:2\"}\n";
        let variables =
            [("RUST_MQ_INSECURE", "yes"), ("RUST_MQ_CLUSTER__INITIAL_MEMBERS__1__API_ADDR", "c:1")];
        let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let mut layers = Layers::default();
        layers.add_file("node.yaml".into(), text.into()).expect("the file is good");
        layers.add_environment(variables.into_iter()).expect("the variables are good");
        layers.add_flags(vec![("--memory-limit", "64M".into())]).expect("the flags are good");
        Configuration::of(layers).expect("it is a good configuration")
    }

    #[test]
    fn every_value_is_shown_with_its_source() {
        let table = shown(&configuration(), ShowFormat::Table);
        let cells: Vec<String> =
            table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let expected = "\
SETTING VALUE SOURCE
node_id 2 file node.yaml:1
api_addr 127.0.0.1:9093 file node.yaml:2
advertise - default
rpc_addr 127.0.0.1:9193 file node.yaml:3
admin_addr - default
storage_path data file node.yaml:4
memory_limit 64 MiB flag --memory-limit
scrub_rate 2 MiB default
insecure true env RUST_MQ_INSECURE
log_level info default
log_format - default
cluster.bootstrap false default
cluster.secret_file - default
cluster.secret (hidden) file node.yaml:6
cluster.initial_members.0.node_id 2 file node.yaml:8
cluster.initial_members.0.api_addr a:1 file node.yaml:8
cluster.initial_members.0.rpc_addr a:2 file node.yaml:8
cluster.initial_members.1.node_id 1 file node.yaml:9
cluster.initial_members.1.api_addr c:1 env RUST_MQ_CLUSTER__INITIAL_MEMBERS__1__API_ADDR
cluster.initial_members.1.rpc_addr b:2 file node.yaml:9
raft.heartbeat_interval_ms 500 default
raft.election_timeout_min_ms 1500 default
raft.election_timeout_max_ms 3000 default";
        assert_eq!(cells.join("\n"), expected);
    }

    #[test]
    fn programs_get_the_same_rows_and_no_secret() {
        let configuration = configuration();
        let json = shown(&configuration, ShowFormat::Json);
        let value: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(value["node_id"]["value"], 2);
        assert_eq!(value["memory_limit"]["value"], 64 << 20);
        assert_eq!(
            value["insecure"],
            serde_json::json!({
                "value": true, "source": "env", "at": "RUST_MQ_INSECURE"
            })
        );
        assert_eq!(
            value["log_format"],
            serde_json::json!({ "value": null, "source": "default", "at": null })
        );
        let yaml = shown(&configuration, ShowFormat::Yaml);
        let again: serde_json::Value = serde_saphyr::from_str(&yaml).expect("it is YAML");
        assert_eq!(value, again);
        for format in [ShowFormat::Table, ShowFormat::Json, ShowFormat::Yaml] {
            assert!(!shown(&configuration, format).contains("16 bytes"), "{format:?}");
        }
    }

    #[test]
    fn what_holds_otherwise_is_what_the_table_says() {
        let configuration = Configuration::parse("nothing", "").expect("nothing has to be said");
        assert_eq!(
            configuration.config(),
            rust_mq_core::config::Config {
                memory_limit: memory_limit::default_limit(),
                ..rust_mq_core::config::Config::default()
            }
        );
        for key in KEYS.iter().filter(|key| !key.path.contains(['#', '*'])) {
            let Some(default) = key.default else { continue };
            let (parent, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
            let text = if parent.is_empty() {
                format!("{name}: {default}")
            } else {
                format!("{parent}: {{{name}: {default}}}")
            };
            // A cluster has members; its default is a founder's opposite.
            if parent == "cluster" {
                continue;
            }
            let said = Configuration::parse("one", &text).expect(&text);
            assert_eq!(said.config(), configuration.config(), "{text}");
            assert_eq!(said.scrub_rate, configuration.scrub_rate, "{text}");
            assert_eq!(said.log_levels, configuration.log_levels, "{text}");
            assert_eq!(said.listeners[0].addr.value, configuration.listeners[0].addr.value, "{text}");
            assert_eq!(said.insecure, configuration.insecure, "{text}");
        }
    }
}
