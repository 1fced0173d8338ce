//! A mistake in what a person said, ready to be shown: where it was said, what is wrong, and what to do.
//!
//! In a file it is shown with its line and a caret. All of it is somebody's text, and is shown as such: in one piece of a
//! bounded length, and nothing in it moves a terminal's cursor. A secret is not shown, nor what may be one.

use super::source::Source;
use super::tree::Place;
use crate::foreign_text::{escaped, shown};
use crate::limits::EXCERPT_MAX;
use rust_mq_core::config::SECRETS_MAX;
use std::fmt;

/// A mistake.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    words: String,
    /// Whether the command line says it.
    pub is_usage: bool,
}

/// What is wrong with something that was said, before it is known where that was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// What is wrong.
    pub(super) what: String,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>) -> Wrong {
        Wrong { what: what.into(), hint: None }
    }

    pub(super) fn of(bad: impl fmt::Display) -> Wrong {
        Wrong::new(bad.to_string())
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Wrong {
        Wrong { hint: Some(hint.into()), ..self }
    }

    /// The mistake that it is where it was said.
    pub(super) fn at(self, source: &Source) -> Mistake {
        let Wrong { what, hint } = self;
        match source {
            Source::File { text, place } => in_text(&text.name, &text.text, *place, &what, hint.as_deref()),
            Source::Environment(variable) => Mistake::new(variable, &what, hint.as_deref()),
            Source::Flag(flag) => Mistake { is_usage: true, ..Mistake::new(flag, &what, hint.as_deref()) },
            Source::Default => self::Mistake::new("", &what, hint.as_deref()),
        }
    }
}

impl Mistake {
    /// A mistake that stands nowhere in particular of what `name` names.
    pub(super) fn new(name: &str, what: &str, hint: Option<&str>) -> Mistake {
        let colon = if name.is_empty() { "" } else { ": " };
        let mut words = format!("{}{colon}{}", escaped(name), escaped(what));
        if let Some(hint) = hint {
            words = format!("{words}\n  {}", escaped(hint));
        }
        Mistake { words, is_usage: false }
    }
}

/// Of the names that there are, the one that was probably meant.
pub(super) fn likely<'a>(said: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters = said.chars().count();
    // Of a short name everything is near.
    let far = (letters / 2).min(3);
    let near =
        names.filter(|name| name.len().abs_diff(letters) <= far).map(|name| (distance(said, name), name));
    near.filter(|(distance, _)| *distance <= far).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
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

/// A mistake in a text, with its line and a caret below it.
pub(super) fn in_text(name: &str, text: &str, place: Place, what: &str, hint: Option<&str>) -> Mistake {
    let Place { line, column } = place;
    // A secret is not shown, nor what may be one under a key that was meant for it.
    let is_hidden = |index| {
        is_of_a_secret(text, index)
            || what.contains("secret")
            || hint.is_some_and(|hint| hint.contains("secret`"))
    };
    let source = line.checked_sub(1).filter(|index| !is_hidden(*index));
    let Some(source) = source.and_then(|index| text.lines().nth(index)) else {
        return Mistake::new(name, what, hint);
    };
    let (source, indent) = excerpt(source, column.saturating_sub(1));
    let margin = " ".repeat(line.to_string().len());
    let word = source.chars().skip(indent);
    let word: Vec<char> =
        word.take_while(|letter| !letter.is_whitespace() && !matches!(letter, ',' | '}')).collect();
    let carets = word.len() - usize::from(word.last() == Some(&':'));
    let (indent, carets) = (" ".repeat(indent), "^".repeat(carets.max(1)));
    let (name, what, hint) = (escaped(name), escaped(what), hint.map(escaped).unwrap_or_default());
    let words = format!(
        "{name}:{line}:{column}: {what}\n{margin} |\n{line} | {source}\n{margin} | {indent}{carets} {hint}"
    );
    Mistake { words: words.trim_end().to_owned(), is_usage: false }
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
        out.write_str(&self.words)
    }
}

impl std::error::Error for Mistake {}
