//! Every setting of a node, once: where it stands in a file, what its flag is, what holds where nobody says anything, and
//! what it means. Files, variables, flags, `config show`, `config example` and the hints of mistakes are read off this
//! table; what a value may be is `values`' and what the values mean together `meaning`'s.
//!
//! A path is written with dots. In the table `*` stands for a name that the user gives, `#` for a place in a list.

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Where it stands.
    pub path: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// The flag that says it, too.
    pub flag: Option<&'static str>,
    /// What holds otherwise, as it would be written; `None`: what `about` says.
    pub default: Option<&'static str>,
    /// What it means, in a line.
    pub about: &'static str,
    /// A value for `config example`.
    pub example: &'static str,
}

/// What the values of a setting are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Number,
    /// `true` or `false`.
    Truth,
    /// `host:port`.
    Address,
    /// Bytes, with a unit.
    Size,
    /// A file or a directory.
    Path,
    /// One of several words.
    Word,
    /// A text that is never shown, or a list of such.
    Secret,
}

const fn key(path: &'static str, kind: Kind, example: &'static str, about: &'static str) -> Key {
    Key { path, kind, flag: None, default: None, about, example }
}

impl Key {
    const fn flag(self, flag: &'static str) -> Key {
        Key { flag: Some(flag), ..self }
    }

    const fn or(self, default: &'static str) -> Key {
        Key { default: Some(default), ..self }
    }

    /// What stands last in its path.
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// Whether a path is one of this setting's.
    pub(super) fn is_at(&self, path: &str) -> bool {
        let (mut pattern, mut place) = (self.path.split('.'), path.split('.'));
        loop {
            match (pattern.next(), place.next()) {
                (None, None) => return true,
                (Some(pattern), Some(place)) if is_segment(pattern, place) => {}
                // Several secrets are a list of their own.
                (None, Some(number)) => {
                    let is_one = number.parse::<usize>().is_ok() && place.next().is_none();
                    return self.kind == Kind::Secret && is_one;
                }
                _ => return false,
            }
        }
    }
}

/// Every setting, in the order in which people are shown them.
pub const KEYS: &[Key] = &[
    key("node_id", Kind::Number, "1", "This node's id. No other node of the cluster has it.").or("1"),
    key("api_addr", Kind::Address, "127.0.0.1:9092", "Where Kafka clients are served; port 0 takes any free one.")
        .flag("--listen")
        .or("127.0.0.1:9092"),
    key(
        "advertise",
        Kind::Address,
        "broker.example.org:9092",
        "Where clients are told to connect; without it, wherever they came to. Not in a cluster, whose members' addresses \
         stand below.",
    )
    .flag("--advertise"),
    key(
        "listeners.*.addr",
        Kind::Address,
        "0.0.0.0:19092",
        "More places where Kafka clients are served, each with a name: letters, digits and underscores, the same on all \
         nodes.",
    )
    .flag("--listen"),
    key(
        "listeners.*.advertise",
        Kind::Address,
        "broker:19092",
        "Where the clients that come to it are told to connect. Not in a cluster, as above.",
    )
    .flag("--advertise"),
    key("rpc_addr", Kind::Address, "127.0.0.1:9192", "Where the other nodes of a cluster are served."),
    key(
        "admin_addr",
        Kind::Address,
        "127.0.0.1:9644",
        "Where /metrics, /healthz, /readyz and /version are served over HTTP; without it, nowhere.",
    )
    .flag("--admin-addr"),
    key("storage_path", Kind::Path, "data", "The directory that data is kept in; without it, memory.").flag("--data"),
    key(
        "memory_limit",
        Kind::Size,
        "1GiB",
        "Memory for data and buffers; without it, half of what there is, at most 4 GiB.",
    )
    .flag("--memory-limit"),
    key(
        "scrub_rate",
        Kind::Size,
        "2MiB",
        "How fast cold data is read through, a second, to find what has rotted; 0 for never.",
    )
    .flag("--scrub-rate")
    .or("2MiB"),
    key("insecure", Kind::Truth, "false", "Whether others than this machine are served although there is no encryption and no login yet.")
        .flag("--insecure")
        .or("false"),
    key("log_level", Kind::Word, "info", "What is logged: off, error, warn, info, debug or trace; by module as in `info,peers=debug`.")
        .flag("--log-level")
        .or("info"),
    key("log_format", Kind::Word, "json", "Log lines for people (human) or machines (json); without it, human on a terminal.")
        .flag("--log-format"),
    key("cluster.bootstrap", Kind::Truth, "true", "Whether this node founds the cluster, once, when all are there. One node has true.")
        .or("false"),
    key("cluster.secret_file", Kind::Path, "cluster.secret", "The file with what the nodes know and strangers do not, up to four, one a line."),
    key("cluster.secret", Kind::Secret, "a text of at least 16 bytes", "The same here: a text of 16 to 256 bytes, or a list of up to four."),
    key("cluster.initial_members.#.node_id", Kind::Number, "1", "Every member of the cluster, the same in all files: its id,"),
    key(
        "cluster.initial_members.#.api_addr",
        Kind::Address,
        "127.0.0.1:9092",
        "where the clients of api_addr are told to find it,",
    ),
    key(
        "cluster.initial_members.#.listeners.*",
        Kind::Address,
        "broker:19092",
        "where those of each of `listeners` are, by its name,",
    ),
    key(
        "cluster.initial_members.#.rpc_addr",
        Kind::Address,
        "127.0.0.1:9192",
        "and where the other nodes find it.",
    ),
    key("raft.heartbeat_interval_ms", Kind::Number, "500", "Between two heartbeats of a leader.").or("500"),
    key(
        "raft.election_timeout_min_ms",
        Kind::Number,
        "1500",
        "Shortest time without a leader before a node stands for election; at least two heartbeats.",
    )
    .or("1500"),
    key("raft.election_timeout_max_ms", Kind::Number, "3000", "Longest such time.").or("3000"),
];

/// What is at a path.
#[derive(Debug)]
pub enum Found {
    /// A setting.
    Setting(&'static Key),
    /// Others are below it: names, or the places of a list.
    Branch {
        /// Whether they are places.
        is_list: bool,
    },
    /// Nothing.
    Nothing,
}

/// Looks a path up.
pub fn find(path: &str) -> Found {
    if let Some(key) = KEYS.iter().find(|key| key.is_at(path)) {
        return Found::Setting(key);
    }
    match below(path).next() {
        Some(first) => Found::Branch { is_list: first == "#" },
        None => Found::Nothing,
    }
}

/// The setting with this flag, however it is written.
pub fn by_flag(name: &str) -> Option<&'static Key> {
    let name = name.trim_start_matches('-').to_lowercase().replace('_', "-");
    KEYS.iter().find(|key| key.flag.is_some_and(|flag| flag.trim_start_matches('-') == name))
}

/// The names that may stand directly below a path, one perhaps several times; the root's is empty.
pub fn below(path: &str) -> impl Iterator<Item = &'static str> {
    let depth = if path.is_empty() { 0 } else { path.split('.').count() };
    KEYS.iter().filter_map(move |key| {
        let mut segments = key.path.split('.');
        let is_above = path
            .split('.')
            .take(depth)
            .all(|place| segments.next().is_some_and(|own| is_segment(own, place)));
        if is_above { segments.next() } else { None }
    })
}

/// What a user may call a listener: what a variable of the environment can have in its name, too.
fn is_name(name: &str) -> bool {
    let is_letter = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_';
    name.bytes().all(is_letter)
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.contains("__")
}

fn is_segment(pattern: &str, place: &str) -> bool {
    match pattern {
        "*" => is_name(place),
        "#" => place.parse::<usize>().is_ok(),
        name => name == place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_by_its_pattern() {
        for key in KEYS {
            let path = key.path.replace('#', "3").replace('*', "outer");
            assert!(matches!(find(&path), Found::Setting(found) if found.path == key.path), "{path}");
            assert!(!key.about.is_empty() && !key.example.is_empty(), "{path}");
        }
        assert!(matches!(find("cluster.secret.1"), Found::Setting(key) if key.path == "cluster.secret"));
        assert!(matches!(find("cluster"), Found::Branch { is_list: false }));
        assert!(matches!(find("cluster.initial_members"), Found::Branch { is_list: true }));
        assert!(matches!(find("cluster.initial_members.0"), Found::Branch { is_list: false }));
        assert!(matches!(find(""), Found::Branch { is_list: false }), "all of it");
        for nothing in
            ["clustr", "cluster.", "cluster.initial_members.x", "cluster.secret.0.1", "node_id.0", "raft.x"]
        {
            assert!(matches!(find(nothing), Found::Nothing), "{nothing:?}");
        }
        assert!(below("raft").eq([
            "heartbeat_interval_ms",
            "election_timeout_min_ms",
            "election_timeout_max_ms"
        ]));
    }
}
