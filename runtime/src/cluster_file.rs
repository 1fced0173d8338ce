//! The YAML file of a cluster's node. A mistake is shown with its line, a caret, and the likely key.
//!
//! The reader has a budget (1 MiB, no aliases, 16 levels, one document) and refuses keys it does not know:
//! a misspelt key that is silently ignored is a setting that silently does not hold.
//!
//! Here a file is checked against itself. What the addresses resolve to is `start`'s.

use crate::foreign_text::{escaped, shown};
use crate::limits::{CLUSTER_FILE_BYTES_MAX, EXCERPT_MAX};
use crate::secrets::{self, WrittenSecrets};
use rust_mq_core::config::{Config, Member, SECRETS_MAX, Secrets};
use rust_mq_core::ids::NodeId;
use rust_mq_core::limits::GROUP_INITIAL_REBALANCE_DELAY_MS;
use rust_mq_core::link::Address;
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A node of a cluster, as its file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterFile {
    node_id: Spanned<i32>,
    /// Where to serve Kafka clients.
    pub api_addr: Spanned<HostPort>,
    /// Where to serve the other nodes.
    pub rpc_addr: Spanned<HostPort>,
    /// Where to keep data.
    pub storage_path: PathBuf,
    cluster: Cluster,
    #[serde(default)]
    raft: Raft,
    /// Whether to serve others than this machine without encryption and login.
    #[serde(default)]
    pub insecure: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cluster {
    initial_members: Spanned<Vec<FileMember>>,
    #[serde(default)]
    bootstrap: bool,
    #[serde(default)]
    secret: Option<WrittenSecrets>,
    #[serde(default)]
    secret_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMember {
    node_id: Spanned<i32>,
    api_addr: HostPort,
    rpc_addr: HostPort,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raft {
    heartbeat_interval_ms: Spanned<u32>,
    election_timeout_min_ms: Spanned<u32>,
    election_timeout_max_ms: Spanned<u32>,
}

/// `host:port`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct HostPort(pub Address);

/// A mistake, ready to be shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake(String);

impl Default for Raft {
    fn default() -> Self {
        let nowhere = |value| Spanned::new(value, Location::UNKNOWN, Location::UNKNOWN);
        Raft {
            heartbeat_interval_ms: nowhere(500),
            election_timeout_min_ms: nowhere(1500),
            election_timeout_max_ms: nowhere(3000),
        }
    }
}

impl ClusterFile {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<ClusterFile, Mistake> {
        let name = path.display().to_string();
        let cannot = |error: &dyn fmt::Display| Mistake(format!("cannot read {}: {error}", escaped(&name)));
        let mut file = File::open(path).map_err(|error| cannot(&error))?.take(CLUSTER_FILE_BYTES_MAX + 1);
        let mut bytes = Vec::new();
        // What a file's length is said to be means nothing: a device's is 0, and it never ends.
        file.read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
        if bytes.len() as u64 > CLUSTER_FILE_BYTES_MAX {
            return Err(cannot(&format_args!(
                "it has more than {CLUSTER_FILE_BYTES_MAX} bytes, which is the most"
            )));
        }
        let text = String::from_utf8(bytes).map_err(|error| cannot(&error.utf8_error()))?;
        ClusterFile::parse(&name, &text)
    }

    /// Checks the text of a file called `name`.
    pub fn parse(name: &str, text: &str) -> Result<ClusterFile, Mistake> {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_reader_input_bytes: Some(CLUSTER_FILE_BYTES_MAX as usize),
                max_aliases: 0,
                max_anchors: 0,
                max_depth: 16,
                max_documents: 1,
            },
            with_snippet: false,
        };
        let file: ClusterFile = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let location = error.location().unwrap_or(Location::UNKNOWN);
            let (what, hint) = explain(&error);
            show(name, text, location, &what, hint.as_deref())
        })?;
        file.check().map_err(|(location, what)| show(name, text, location, &what, None))?;
        Ok(file)
    }

    /// What the nodes of the cluster know and strangers do not, wherever it stands; none if nothing was said of it.
    pub fn secrets(&self) -> Result<Secrets, Mistake> {
        match (&self.cluster.secret, &self.cluster.secret_file) {
            (Some(_), Some(_)) => {
                Err(Mistake("cluster.secret and cluster.secret_file: only one can be".into()))
            }
            (Some(written), None) => Ok(written.0.clone()),
            (None, Some(path)) => secrets::read(path).map_err(|bad| Mistake(bad.to_string())),
            (None, None) => Ok(Secrets::default()),
        }
    }

    /// The core's configuration, without its secrets.
    pub fn config(&self) -> Config {
        let mut members: Vec<Member> = self
            .cluster
            .initial_members
            .value
            .iter()
            .map(|member| Member {
                node: NodeId(member.node_id.value),
                api: member.api_addr.0.clone(),
                rpc: member.rpc_addr.0.clone(),
            })
            .collect();
        members.sort_by_key(|member| member.node);
        let node = NodeId(self.node_id.value);
        let advertised = members.iter().find(|member| member.node == node).map(|member| member.api.clone());
        let ms = |ms: &Spanned<u32>| Duration::from_millis(u64::from(ms.value));
        let mut config = Config {
            node,
            bootstrap: self.cluster.bootstrap,
            listeners: vec![advertised],
            heartbeat_interval: ms(&self.raft.heartbeat_interval_ms),
            election_timeout_min: ms(&self.raft.election_timeout_min_ms),
            election_timeout_max: ms(&self.raft.election_timeout_max_ms),
            ..Config::default()
        };
        config.topics.replication_factor = i16::try_from(members.len().min(3)).unwrap_or(3);
        if members.len() > 1 {
            // Kafka's `group.initial.rebalance.delay.ms`: consumers that start together share one rebalance. Alone, they are
            // likely tests, and waiting is all it would do.
            config.groups.initial_rebalance_delay_ms = GROUP_INITIAL_REBALANCE_DELAY_MS;
        }
        config.members = members;
        config
    }

    fn check(&self) -> Result<(), (Location, String)> {
        let members = &self.cluster.initial_members;
        let mut seen = BTreeSet::new();
        for member in &members.value {
            let Spanned { value: node, referenced, .. } = member.node_id;
            if node < 0 {
                return Err((referenced, format!("a node id is not negative, {node} is")));
            }
            if !seen.insert(node) {
                return Err((referenced, format!("node {node} stands here twice")));
            }
        }
        if !seen.contains(&self.node_id.value) {
            let what = format!("node {} is not among cluster.initial_members", self.node_id.value);
            return Err((self.node_id.referenced, what));
        }
        let Raft { heartbeat_interval_ms, election_timeout_min_ms, election_timeout_max_ms } = &self.raft;
        if heartbeat_interval_ms.value == 0 {
            return Err((heartbeat_interval_ms.referenced, "the heartbeat interval must not be 0".into()));
        }
        if election_timeout_min_ms.value < heartbeat_interval_ms.value.saturating_mul(2) {
            let what = format!(
                "an election timeout of {} ms is less than two heartbeats of {} ms",
                election_timeout_min_ms.value, heartbeat_interval_ms.value
            );
            return Err((election_timeout_min_ms.referenced, what));
        }
        if election_timeout_max_ms.value <= election_timeout_min_ms.value {
            let what = format!(
                "the longest election timeout, {} ms, must exceed the shortest, {} ms",
                election_timeout_max_ms.value, election_timeout_min_ms.value
            );
            return Err((election_timeout_max_ms.referenced, what));
        }
        Ok(())
    }
}

impl TryFrom<String> for HostPort {
    type Error = String;

    fn try_from(text: String) -> Result<HostPort, String> {
        let wrong = || format!("`{}` is no address; write it like 127.0.0.1:9092", escaped(&text));
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().map_err(|_| wrong())?;
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(HostPort(Address { host: host.to_owned(), port }))
    }
}

/// What is wrong, and what was probably meant.
fn explain(error: &serde_saphyr::Error) -> (String, Option<String>) {
    match error.without_snippet() {
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
            let likely = expected.iter().min_by_key(|key| distance(field, key));
            let hint = match likely {
                Some(key) if distance(field, key) <= 3 => format!("did you mean `{key}`?"),
                _ => format!("known here: {}", expected.join(", ")),
            };
            (format!("unknown key `{field}`"), Some(hint))
        }
        serde_saphyr::Error::SerdeMissingField { field, .. } => {
            (format!("`{field}` is missing"), Some(format!("add `{field}:` here")))
        }
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("`{key}` stands here twice"), None)
        }
        serde_saphyr::Error::Budget { .. } | serde_saphyr::Error::MultipleDocuments { .. } => {
            ("anchors, aliases, several documents and deep nesting are not read here".into(), None)
        }
        other => {
            // The library ends its sentences with the position, which is shown anyway.
            let text = other.to_string();
            (text.split(" at line ").next().unwrap_or(&text).to_owned(), None)
        }
    }
}

/// Levenshtein's distance, in letters.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, candidate) in other.iter().enumerate() {
            let change = diagonal + usize::from(letter != *candidate);
            diagonal = row[column + 1];
            row[column + 1] = change.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// The mistake with its line and a caret below it. All of it is somebody's text, and is shown as such: in one piece
/// of a bounded length, and nothing in it moves a terminal's cursor.
fn show(name: &str, text: &str, location: Location, what: &str, hint: Option<&str>) -> Mistake {
    let (line, column) = (location.line() as usize, location.column() as usize);
    // A secret is not shown, nor what may be one under a key that was meant for it.
    let is_hidden = |index| {
        is_of_a_secret(text, index)
            || what.contains("secret")
            || hint.is_some_and(|hint| hint.contains("secret`"))
    };
    let source = line.checked_sub(1).filter(|index| !is_hidden(*index));
    let source = source.and_then(|index| text.lines().nth(index));
    let (name, what) = (escaped(name), escaped(what));
    let hint = hint.map(escaped);
    let mistake = match source {
        Some(source) => {
            let (source, indent) = excerpt(source, column.saturating_sub(1));
            let margin = " ".repeat(line.to_string().len());
            let word = source.chars().skip(indent);
            let word: Vec<char> =
                word.take_while(|letter| !letter.is_whitespace() && !matches!(letter, ',' | '}')).collect();
            let carets = word.len() - usize::from(word.last() == Some(&':'));
            let (indent, carets) = (" ".repeat(indent), "^".repeat(carets.max(1)));
            let hint = hint.unwrap_or_default();
            format!(
                "{name}:{line}:{column}: {what}\n{margin} |\n{line} | {source}\n{margin} | {indent}{carets} {hint}"
            )
        }
        None => format!("{name}: {what}{}", hint.map(|hint| format!("; {hint}")).unwrap_or_default()),
    };
    Mistake(mistake.trim_end().to_owned())
}

/// The piece of a line around its letter at `place`, and where in the piece that letter is.
fn excerpt(line: &str, place: usize) -> (String, usize) {
    let is_short = line.chars().nth(EXCERPT_MAX).is_none();
    let first = if is_short { 0 } else { place.saturating_sub(EXCERPT_MAX / 3) };
    let mut letters = line.chars().skip(first);
    let piece: String = letters.by_ref().take(EXCERPT_MAX).collect();
    let before = if first > 0 { "…" } else { "" };
    let behind = if letters.next().is_some() { "…" } else { "" };
    (format!("{before}{}{behind}", shown(&piece)), place - first + before.chars().count())
}

/// Whether a line may hold a secret: it names the key, or one of the few lines above it does.
fn is_of_a_secret(text: &str, index: usize) -> bool {
    let first = index.saturating_sub(SECRETS_MAX);
    text.lines().skip(first).take(index - first + 1).any(|line| line.contains("secret:"))
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Mistake {}
