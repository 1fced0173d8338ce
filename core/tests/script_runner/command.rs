//! One command: a verb, words, and options of the form `name=value`.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// A command of a story.
pub struct Command {
    /// As it was written, without a comment.
    pub text: String,
    /// Its first word.
    pub verb: String,
    /// The words after it.
    pub words: Vec<String>,
    options: BTreeMap<String, String>,
}

impl Command {
    /// From its text.
    pub fn parse(text: &str) -> Command {
        let mut words = Vec::new();
        let mut options = BTreeMap::new();
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some((name, value)) => {
                    options.insert(name.to_owned(), value.to_owned());
                }
                None => words.push(word.to_owned()),
            }
        }
        let verb = if words.is_empty() { String::new() } else { words.remove(0) };
        Command { text: text.split_whitespace().collect::<Vec<_>>().join(" "), verb, words, options }
    }

    /// Refuses options that the verb does not have: a typing error would change nothing and go unseen.
    pub fn allow(&self, names: &[&str]) -> Result<(), String> {
        match self.options.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(format!("`{}` has no option `{name}`; it has {names:?}", self.verb)),
            None => Ok(()),
        }
    }

    /// The word at that place.
    pub fn word(&self, at: usize) -> Result<&str, String> {
        let word = self.words.get(at).map(String::as_str);
        word.ok_or_else(|| format!("`{}` needs a word at place {}", self.verb, at + 1))
    }

    /// The word at that place as a number, such as a node's id.
    pub fn number<T: FromStr>(&self, at: usize) -> Result<T, String> {
        let word = self.word(at)?;
        word.parse().map_err(|_| format!("`{word}` is not a number"))
    }

    /// The word at that place as a topic and a partition: `t-0`.
    pub fn partition(&self, at: usize) -> Result<(String, i32), String> {
        split_partition(self.word(at)?)
    }

    /// An option, if it was given.
    pub fn option<T: FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        let read = |value: &String| value.parse().map_err(|_| format!("`{value}` makes no sense as {name}"));
        self.options.get(name).map(read).transpose()
    }

    /// An option, or what it is by default.
    pub fn option_or<T: FromStr>(&self, name: &str, default: T) -> Result<T, String> {
        Ok(self.option(name)?.unwrap_or(default))
    }

    /// An option that is a time.
    pub fn time_or(&self, name: &str, default: Duration) -> Result<Duration, String> {
        self.options.get(name).map_or(Ok(default), |value| duration(value))
    }
}

/// `500ms`, `3s`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let number = |digits: &str| digits.parse::<u64>().map_err(|_| format!("`{text}` is no time"));
    if let Some(digits) = text.strip_suffix("ms") {
        Ok(Duration::from_millis(number(digits)?))
    } else if let Some(digits) = text.strip_suffix('s') {
        Ok(Duration::from_secs(number(digits)?))
    } else {
        Err(format!("`{text}` is no time: write 500ms or 3s"))
    }
}

/// `t-0` as topic and number.
pub fn split_partition(word: &str) -> Result<(String, i32), String> {
    let (topic, number) =
        word.rsplit_once('-').ok_or_else(|| format!("`{word}` is no partition: write t-0"))?;
    let number = number.parse().map_err(|_| format!("`{word}` is no partition: write t-0"))?;
    Ok((topic.to_owned(), number))
}
