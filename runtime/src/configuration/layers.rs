//! What was said, by whoever said it: defaults, then the file, then the environment, then the command line; the later
//! wins, setting by setting, and each value remembers where it was said.
//!
//! A map is merged with what an earlier layer has under the same name, a list replaces an earlier one as a whole. A name
//! that nobody knows is a mistake: a misspelt setting that is silently ignored is one that silently does not hold.
//!
//! Invariant: every path in here is one of the table's.

use super::keys::{self, Found, Key, Kind};
use super::mistake::{Mistake, Wrong, in_text, likely};
use super::source::{Source, Text};
use super::tree::{self, Node, Place, Tree};
use crate::foreign_text::escaped;
use crate::limits::CLUSTER_FILE_BYTES_MAX;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

/// What was said, by path.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    said: BTreeMap<String, Said>,
}

/// A value as it was said. It may be a secret.
#[derive(Clone)]
pub struct Said {
    /// The value.
    pub text: String,
    /// Where.
    pub source: Source,
}

impl Layers {
    /// Adds what a file says.
    pub fn read_file(&mut self, path: &Path) -> Result<(), Mistake> {
        let name = path.display().to_string();
        let cannot = |error: &dyn fmt::Display| {
            Mistake::new("", &format!("cannot read {}: {error}", escaped(&name)), None)
        };
        let file = File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                let what = format!("there is no file {}", escaped(&name));
                Mistake::new("", &what, Some("`rust-mq config example` prints one to begin with"))
            }
            _ => cannot(&error),
        })?;
        let mut file = file.take(CLUSTER_FILE_BYTES_MAX + 1);
        let mut bytes = Vec::new();
        // What a file's length is said to be means nothing: a device's is 0, and it never ends.
        file.read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
        if bytes.len() as u64 > CLUSTER_FILE_BYTES_MAX {
            return Err(cannot(&format_args!(
                "it has more than {CLUSTER_FILE_BYTES_MAX} bytes, which is the most"
            )));
        }
        let text = String::from_utf8(bytes).map_err(|error| cannot(&error.utf8_error()))?;
        self.add_file(name, text)
    }

    /// Adds what the text of a file says.
    pub fn add_file(&mut self, name: String, text: String) -> Result<(), Mistake> {
        let root = tree::read(&text).map_err(|bad| in_text(&name, &text, bad.place, &bad.what, None))?;
        let text = Arc::new(Text { name, text });
        self.add("", root, &|place| Source::File { text: Arc::clone(&text), place })
    }

    /// Adds what a variable says of a path that is in the table.
    pub(super) fn add_variable(&mut self, variable: &str, path: &str, value: &str) -> Result<(), Mistake> {
        let source = Source::Environment(variable.to_owned());
        let is_list = value.starts_with('[') && value.ends_with(']');
        match keys::find(path) {
            Found::Setting(key) if !(is_list && key.kind == Kind::Secret) => {
                // Of a name or a secret every letter counts; elsewhere a line's end came with the file that it was in.
                let is_exact = matches!(key.kind, Kind::Path | Kind::Secret);
                let value = if is_exact { value } else { value.trim() };
                self.say(path, value.to_owned(), source);
                Ok(())
            }
            _ => {
                let root = tree::read(value).map_err(|bad| {
                    let hint = "its value is read as YAML, such as [{a: 1, b: 2}]";
                    Wrong::new(format!("line {}: {}", bad.place.line, bad.what)).hint(hint).at(&source)
                })?;
                self.add(path, root, &|_| source.clone())
            }
        }
    }

    /// Adds a value of a setting.
    pub(super) fn say(&mut self, path: &str, text: String, source: Source) {
        // One secret replaces several, and several replace one.
        self.forget_below(path);
        if let Some((list, _)) = path.rsplit_once('.') {
            self.said.remove(list);
        }
        self.said.insert(path.to_owned(), Said { text, source });
    }

    /// What was said of a path.
    pub fn said(&self, path: &str) -> Option<&Said> {
        self.said.get(path)
    }

    /// Every path that something was said of, with its setting.
    pub fn paths(&self) -> impl Iterator<Item = (&'static Key, String)> {
        self.said.keys().filter_map(|path| match keys::find(path) {
            Found::Setting(key) => Some((key, path.clone())),
            Found::Branch { .. } | Found::Nothing => None,
        })
    }

    /// All that was said below a path, by what stands behind it.
    pub fn below(&self, path: &str) -> impl Iterator<Item = (&str, &Said)> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
        self.said.iter().filter_map(move |(path, said)| Some((path.strip_prefix(&prefix)?, said)))
    }

    /// What stands directly below a path: names by the alphabet, places of a list in its order.
    pub fn names(&self, path: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.below(path).filter_map(|(rest, _)| rest.split('.').next().map(str::to_owned)).collect();
        names.sort_by_cached_key(|name| (name.parse::<usize>().ok(), name.clone()));
        names.dedup();
        names
    }

    fn forget_below(&mut self, path: &str) {
        let prefix = format!("{path}.");
        self.said.retain(|path, _| !path.starts_with(&prefix));
    }

    fn add(&mut self, path: &str, node: Node, source: &dyn Fn(Place) -> Source) -> Result<(), Mistake> {
        let name = path.rsplit('.').next().unwrap_or_default();
        let here = |wrong: Wrong| Err(wrong.at(&source(node.place)));
        match (keys::find(path), node.what) {
            (Found::Setting(_), Tree::Value(text)) => self.say(path, text, source(node.place)),
            (Found::Setting(key), Tree::List(items)) if key.kind == Kind::Secret && key.path == path => {
                self.add_list(path, items, source)?;
            }
            (Found::Setting(key), Tree::Nothing) => {
                let otherwise = key.default.map(|default| format!("leave it out for {default}"));
                let hint = otherwise.unwrap_or_else(|| "say what it is, or leave it out".into());
                return here(Wrong::new(format!("`{name}` has no value")).hint(hint));
            }
            (Found::Setting(key), Tree::List(_) | Tree::Map(_)) if key.kind == Kind::Secret => {
                return here(Wrong::new("a secret is a text in quotation marks, or a list of such"));
            }
            (Found::Setting(key), Tree::List(_) | Tree::Map(_)) => {
                return here(Wrong::new(format!("`{name}` takes one value, such as {}", key.example)));
            }
            // All that stood below it is commented out.
            (Found::Branch { .. }, Tree::Nothing) => {}
            (Found::Branch { is_list: true }, Tree::List(items)) => self.add_list(path, items, source)?,
            (Found::Branch { is_list: false }, Tree::Map(entries)) => {
                let is_named = keys::below(path).any(|name| name == "*");
                for (name, place, below) in entries {
                    // A variable of the environment has no small letters.
                    let name = if is_named { name.to_lowercase() } else { name };
                    let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    if name.contains('.') || matches!(keys::find(&inner), Found::Nothing) {
                        return Err(unknown(path, &name).at(&source(place)));
                    }
                    self.add(&inner, below, source)?;
                }
            }
            (Found::Branch { is_list: true }, _) => {
                return here(Wrong::new(format!("`{name}` is a list")));
            }
            _ => {
                let known = known(path);
                let name = if path.is_empty() { "a configuration" } else { name };
                return here(Wrong::new(format!("`{name}` has keys and values: {known}")));
            }
        }
        Ok(())
    }

    fn add_list(
        &mut self,
        path: &str,
        items: Vec<Node>,
        source: &dyn Fn(Place) -> Source,
    ) -> Result<(), Mistake> {
        self.said.remove(path);
        self.forget_below(path);
        for (place, item) in items.into_iter().enumerate() {
            let is_empty = matches!(item.what, Tree::Nothing);
            if is_empty {
                return Err(Wrong::new(format!("a place of `{path}` is empty")).at(&source(item.place)));
            }
            self.add(&format!("{path}.{place}"), item, source)?;
        }
        Ok(())
    }
}

fn known(path: &str) -> String {
    let mut names: Vec<&str> = keys::below(path).collect();
    names.dedup();
    names.join(", ")
}

/// A name that is not known where it stands; perhaps it is elsewhere.
fn unknown(path: &str, name: &str) -> Wrong {
    if keys::below(path).any(|name| name == "*") {
        let wrong = Wrong::new(format!("`{name}` is no name of a listener"));
        return wrong.hint("letters, digits and single underscores, such as `inner`");
    }
    let wrong = Wrong::new(format!("unknown key `{name}`"));
    if let Some(likely) = likely(name, keys::below(path)) {
        return wrong.hint(format!("did you mean `{likely}`?"));
    }
    if let Some(key) = keys::KEYS.iter().find(|key| key.name() == name || key.path == name)
        && let Some((above, below)) = key.path.rsplit_once('.')
    {
        return wrong.hint(format!("write `{below}` below `{}:`", above.replace(".#", "")));
    }
    if let Some(key) = keys::by_flag(name) {
        return wrong.hint(format!("did you mean `{}`?", key.path));
    }
    wrong.hint(format!("known here: {}", known(path)))
}

impl fmt::Debug for Said {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "said by {}", self.source)
    }
}
