//! A row of the tables: a setting with all that is known of it, and what its values may be.
//!
//! A value is read as Kafka reads it (`ConfigDef.parseType`): blanks around it do not count, `TRUE` is `true`; it is kept
//! as it was given.

use crate::level::Level;

/// A setting.
#[derive(Debug)]
pub struct Row {
    /// Kafka's name for it.
    pub name: &'static str,
    /// Of which type Kafka says that it is.
    pub kind: Type,
    /// Its value where nobody has set it.
    pub default: &'static str,
    /// What it may be.
    pub rule: Rule,
    /// The broker's setting that topics which do not have their own take it from; empty if there is none.
    pub broker: &'static str,
    /// What it changes.
    pub acts: Acts,
    /// What it is for, in a sentence.
    pub documentation: &'static str,
    /// The feature level from which on it can be set.
    pub since: Level,
}

/// What a setting changes, and whether it can be changed at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acts {
    /// What leaders take from producers.
    OnAppend,
    /// Which records leaders let go.
    OnRetention,
    /// Where each replica ends its segments.
    OnSegments,
    /// What becomes of topics that are made.
    OnCreation,
    /// Consumer groups.
    OnGroups,
    /// Nothing here: it tunes files or threads of Kafka's, or permits what is never needed.
    Nowhere,
    /// It is told, and cannot be changed while the node runs.
    ReadOnly,
}

/// A type of values, by Kafka's number for it (`DescribeConfigsResponse.ConfigType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
#[allow(missing_docs, reason = "the names are Kafka's own")]
pub enum Type {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
}

/// What a setting may be.
#[derive(Debug)]
pub enum Rule {
    /// A whole number in this range.
    Number(i64, i64),
    /// True or false.
    Flag,
    /// False: what it would turn on is not here.
    Off,
    /// One of the first; the others are words too, and not served.
    Word(&'static [&'static str], &'static [&'static str]),
    /// Some of the first, or none; the others are words too, and not served.
    Words(&'static [&'static str], &'static [&'static str]),
    /// A number from 0 to 1.
    Ratio,
    /// `*`, or a list of partition:node.
    Replicas,
    /// Whatever the node says.
    Told,
}

impl Row {
    /// Whether it is a list, so that values can be appended and taken away.
    pub fn is_list(&self) -> bool {
        self.kind == Type::List
    }

    /// Whether nobody can change it.
    pub fn is_read_only(&self) -> bool {
        self.acts == Acts::ReadOnly
    }
}

impl Rule {
    /// What is wrong with that value, or nothing.
    pub(super) fn fault(&self, value: &str) -> Option<String> {
        let flag = |allowed: &[&str]| {
            let is_one = allowed.iter().any(|word| value.eq_ignore_ascii_case(word));
            (!is_one).then(|| format!("it can be {}", allowed.join(" or ")))
        };
        let no_word = |word: &str, served: &[&str], known: &[&str]| {
            (!served.contains(&word)).then(|| {
                let verdict = if known.contains(&word) { "this is not served yet; " } else { "" };
                format!("{verdict}it can be {}", served.join(" or "))
            })
        };
        match self {
            Rule::Number(least, most) => {
                let is_one = value.parse().is_ok_and(|number| (*least..=*most).contains(&number));
                (!is_one).then(|| format!("it must be a whole number from {least} to {most}"))
            }
            Rule::Flag => flag(&["true", "false"]),
            Rule::Off => flag(&["false"]),
            Rule::Word(served, known) => no_word(value, served, known),
            Rule::Words(_, _) if value.is_empty() => None,
            Rule::Words(served, known) => {
                value.split(',').map(trimmed).find_map(|word| no_word(word, served, known))
            }
            Rule::Ratio => ten_thousandths(value).is_none().then(|| "it must be a number from 0 to 1".into()),
            Rule::Replicas => {
                let is_one = value == "*" || value.split(',').map(trimmed).all(is_pair);
                (!is_one).then(|| "it must be * or partition:node,partition:node,...".into())
            }
            Rule::Told => None,
        }
    }
}

/// A decimal number from 0 to 1, as Java's `Double.parseDouble` reads it: with an exponent, a letter for its type. In
/// ten-thousandths, as no float decides anything here; `None` if it is none.
pub(super) fn ten_thousandths(value: &str) -> Option<u32> {
    const PLACES: i64 = 4;
    let value = value.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(value);
    let (digits, exponent) = value.split_once(['e', 'E']).unwrap_or((value, "0"));
    let exponent = exponent.parse::<i32>().ok()?;
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = format!("{whole}{part}");
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // It is 0.D * 10^point, where D begins with a digit above 0, or it is 0.
    let significant = digits.trim_start_matches('0');
    let zeros = digits.len() - significant.len();
    let point = whole.len() as i64 - zeros as i64 + i64::from(exponent);
    if significant.is_empty() || point <= -PLACES {
        return Some(0);
    }
    if point > 0 {
        return (point == 1 && significant.trim_end_matches('0') == "1").then_some(10_000);
    }
    let places = usize::try_from(PLACES + point).ok()?;
    format!("{significant:0<places$}").get(..places)?.parse().ok()
}

/// Nothing, or two numbers with a colon between.
fn is_pair(element: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    element.is_empty()
        || element.split_once(':').is_some_and(|(one, other)| is_number(one) && is_number(other))
}

/// Without what Java's `String.trim` takes away.
pub(super) fn trimmed(value: &str) -> &str {
    value.trim_matches(|letter| letter <= ' ')
}
