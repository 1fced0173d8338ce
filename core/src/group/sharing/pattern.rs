//! Subscription by regular expression: Kafka's brokers read it as RE2 does (KIP-848), and so do we, by a library that
//! takes time linear in the name, too. Where the two spell things differently the expression is spelled anew here.
//!
//! ```text
//! [a[]  a{  a}  [a&&b]      only letters to RE2            \Q..\E  \d \w \s of ASCII  \101       only RE2 has it so
//! a**   \Z  a{1001}  (?x)   refused by RE2
//! ```
//! A name is matched as a whole. Sources: google/re2, `doc/syntax.txt`; google/re2j, `Parser`.
//!
//! Invariant: a pattern <= PATTERN_BYTES_MAX, and compiled at most PATTERN_COMPILED_BYTES_MAX.

use crate::limits::{PATTERN_BYTES_MAX, PATTERN_COMPILED_BYTES_MAX, PATTERN_LIGHT_BYTES};
use regex::{Regex, RegexBuilder};
use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    /// How many steps one name counts for.
    pub steps: usize,
}

/// The most that a repetition may count to, as in RE2.
const REPEAT_MAX: u32 = 1_000;
/// How deep groups may stand in groups.
const DEPTH_MAX: u32 = 100;
/// Steps that a name counts for where the compiled pattern is large.
const HEAVY_STEPS: usize = 16;

impl Pattern {
    /// The pattern of that text.
    ///
    /// # Errors
    /// Why it is none, in words for its user.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(format!("it has {} bytes, the most is {PATTERN_BYTES_MAX}", text.len()));
        }
        let whole = format!("\\A(?:{})\\z", Spelling::anew(text)?);
        let build = |bytes: usize| {
            RegexBuilder::new(&whole)
                .size_limit(bytes)
                .dfa_size_limit(PATTERN_COMPILED_BYTES_MAX)
                .nest_limit(DEPTH_MAX)
                .build()
        };
        let (regex, steps) = match build(PATTERN_LIGHT_BYTES) {
            Err(regex::Error::CompiledTooBig(_)) => (build(PATTERN_COMPILED_BYTES_MAX), HEAVY_STEPS),
            light => (light, 1),
        };
        match regex {
            Ok(regex) => Ok(Pattern { regex, steps }),
            Err(regex::Error::CompiledTooBig(_)) => {
                Err("it is too large once its repetitions are spelled out".into())
            }
            Err(_) => Err("its brackets, ranges or repetitions make no sense".into()),
        }
    }

    /// Whether the whole of a name is as the pattern says.
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }
}

/// An expression being spelled anew.
struct Spelling<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
    /// Whether a repetition would repeat a repetition.
    is_repeated: bool,
}

impl<'a> Spelling<'a> {
    fn anew(text: &'a str) -> Result<String, String> {
        let mut spelling = Spelling {
            rest: text.chars().peekable(),
            out: String::with_capacity(text.len() * 2),
            is_repeated: false,
        };
        while let Some(letter) = spelling.rest.next() {
            spelling.one(letter)?;
        }
        Ok(spelling.out)
    }

    fn one(&mut self, letter: char) -> Result<(), String> {
        match letter {
            '*' | '+' | '?' => return self.repeat(&letter.to_string()),
            '{' => {
                if let Some(count) = self.count()? {
                    return self.repeat(&count);
                }
                self.letter('{');
            }
            '[' => self.class()?,
            '(' => self.group()?,
            '\\' => self.escape()?,
            ')' | '|' | '^' | '$' | '.' => self.out.push(letter),
            letter => self.letter(letter),
        }
        self.is_repeated = false;
        Ok(())
    }

    /// A letter that means itself.
    fn letter(&mut self, letter: char) {
        if letter.is_ascii_alphanumeric() || letter == '_' {
            self.out.push(letter);
        } else {
            let _ = write!(self.out, "\\x{{{:X}}}", u32::from(letter));
        }
    }

    fn repeat(&mut self, operator: &str) -> Result<(), String> {
        if self.is_repeated {
            return Err(format!("`{operator}` repeats a repetition"));
        }
        self.out.push_str(operator);
        if self.rest.next_if_eq(&'?').is_some() {
            self.out.push('?');
        }
        self.is_repeated = true;
        Ok(())
    }

    /// What follows a brace, if it is a count.
    fn count(&mut self) -> Result<Option<String>, String> {
        let text: String = self.rest.clone().take_while(|letter| *letter != '}').collect();
        let is_closed = self.rest.clone().nth(text.chars().count()) == Some('}');
        let (from, to) = text.split_once(',').unwrap_or((&text, &text));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let may_end = is_number(to) || to.is_empty() && text.contains(',');
        if !is_closed || !is_number(from) || !may_end {
            return Ok(None);
        }
        let number = |text: &str| if text.is_empty() { Ok(0) } else { text.parse::<u32>() };
        let fits = |text: &str| number(text).is_ok_and(|count| count <= REPEAT_MAX);
        let is_rising = to.is_empty() || number(from).ok() <= number(to).ok();
        if !fits(from) || !fits(to) || !is_rising {
            return Err(format!("`{{{text}}}` is no repetition: counts rise, up to {REPEAT_MAX}"));
        }
        self.rest.nth(text.len());
        Ok(Some(format!("{{{text}}}")))
    }

    /// What follows a parenthesis: nothing, flags, or a name.
    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        let text: String =
            self.rest.clone().take_while(|letter| !matches!(letter, ')' | ':' | '>')).collect();
        let end = self.rest.clone().nth(text.chars().count());
        let name = text.strip_prefix("P<").or_else(|| text.strip_prefix('<'));
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        let is_flags = !text.is_empty() && text.chars().all(|letter| "imsU-".contains(letter));
        match (end, name) {
            (Some('>'), Some(name)) if is_name(name) => {}
            (Some(':'), None) if text.is_empty() || is_flags => {}
            (Some(')'), None) if is_flags => {}
            _ => return Err(format!("`(?{text}` begins no group")),
        }
        let length = text.chars().count() + 1;
        self.out.push('?');
        // A name says nothing here, and not all that are allowed there are here.
        match (end, name) {
            (Some('>'), _) => self.out.push(':'),
            (Some(end), _) => self.out.extend(text.chars().chain([end])),
            (None, _) => {}
        }
        self.rest.nth(length - 1);
        Ok(())
    }

    /// What follows a backslash, outside of brackets.
    fn escape(&mut self) -> Result<(), String> {
        let Some(letter) = self.rest.next() else { return Err("it ends in a backslash".into()) };
        match letter {
            'Q' => self.quoted(),
            'A' | 'z' => {
                self.out.push('\\');
                self.out.push(letter);
            }
            'b' | 'B' => {
                let _ = write!(self.out, "(?-u:\\{letter})");
            }
            'C' => self.out.push_str("(?s:.)"),
            'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'p' | 'P' => {
                self.out.push('[');
                self.shorthand(letter)?;
                self.out.push(']');
            }
            letter => {
                let letter = self.escaped(letter)?;
                self.letter(letter);
            }
        }
        Ok(())
    }

    /// Everything up to `\E` means itself.
    fn quoted(&mut self) {
        while let Some(letter) = self.rest.next() {
            if letter == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.letter(letter);
        }
    }

    /// A class with a letter of its own, within brackets.
    fn shorthand(&mut self, letter: char) -> Result<(), String> {
        let class = match letter {
            'd' => "0-9",
            'D' => "[^0-9]",
            'w' => "0-9A-Za-z_",
            'W' => "[^0-9A-Za-z_]",
            's' => "\\t\\n\\x0C\\r\\x20",
            'S' => "[^\\t\\n\\x0C\\r\\x20]",
            _ => return self.property(letter == 'P'),
        };
        self.out.push_str(class);
        Ok(())
    }

    /// A class of Unicode: `\pN`, `\p{Greek}`, `\p{^Greek}`.
    fn property(&mut self, is_negated: bool) -> Result<(), String> {
        let name: String = match self.rest.next() {
            Some('{') => self.rest.by_ref().take_while(|letter| *letter != '}').collect(),
            Some(letter) => letter.to_string(),
            None => String::new(),
        };
        let plain = name.strip_prefix('^').unwrap_or(&name);
        if plain.is_empty() || !plain.chars().all(|letter| letter.is_ascii_alphabetic() || letter == '_') {
            return Err(format!("`{name}` is no class of letters"));
        }
        let is_negated = is_negated != (plain.len() < name.len());
        let _ = write!(self.out, "\\{}{{{plain}}}", if is_negated { 'P' } else { 'p' });
        Ok(())
    }

    /// The letter that an escape stands for.
    fn escaped(&mut self, letter: char) -> Result<char, String> {
        let no = || format!("`\\{letter}` means nothing");
        let code = match letter {
            'a' => 7,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            'x' => {
                let digits: String = match self.rest.next_if_eq(&'{') {
                    Some(_) => self.rest.by_ref().take_while(|letter| *letter != '}').collect(),
                    None => self.rest.by_ref().take(2).collect(),
                };
                let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                u32::from_str_radix(&digits, 16).ok().filter(|_| is_hex).ok_or_else(no)?
            }
            '0'..='7' => {
                let mut code = letter.to_digit(8).unwrap_or(0);
                let is_octal = |letter: &char| letter.is_digit(8);
                // One digit alone would name a group, which takes time that is not linear.
                if code != 0 && self.rest.peek().is_none_or(|next| !is_octal(next)) {
                    return Err(no());
                }
                for _ in 0..2 {
                    let Some(digit) = self.rest.next_if(is_octal) else { break };
                    code = code * 8 + digit.to_digit(8).unwrap_or(0);
                }
                code
            }
            letter if letter.is_ascii() && !letter.is_ascii_alphanumeric() => return Ok(letter),
            _ => return Err(no()),
        };
        char::from_u32(code).ok_or_else(no)
    }

    /// What follows a bracket, up to its end.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            let Some(letter) = self.rest.next() else { return Err("a bracket is not closed".into()) };
            match letter {
                ']' if !is_first => break,
                '[' if self.named_class()? => {}
                '\\' if self.rest.peek().is_some_and(|next| "dDwWsSpP".contains(*next)) => {
                    let letter = self.rest.next().unwrap_or_default();
                    self.shorthand(letter)?;
                }
                letter => self.range(letter)?,
            }
            is_first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// `[:alpha:]`, within brackets, after its bracket; whether it is one.
    fn named_class(&mut self) -> Result<bool, String> {
        if self.rest.peek() != Some(&':') {
            return Ok(false);
        }
        let rest: String = self.rest.clone().skip(1).collect();
        let Some((name, _)) = rest.split_once(":]") else { return Ok(false) };
        let plain = name.strip_prefix('^').unwrap_or(name);
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "word", "xdigit",
        ];
        if !NAMES.contains(&plain) {
            return Err(format!("`[:{name}:]` is no class of letters"));
        }
        let _ = write!(self.out, "[:{name}:]");
        self.rest.nth(name.len() + 2);
        Ok(true)
    }

    /// A letter within brackets, or a range from it on.
    fn range(&mut self, first: char) -> Result<(), String> {
        let first = self.class_letter(first)?;
        self.letter(first);
        let mut ahead = self.rest.clone();
        let is_range = ahead.next() == Some('-') && ahead.next().is_some_and(|last| last != ']');
        if is_range {
            self.rest.next();
            let last = self.rest.next().unwrap_or_default();
            let last = self.class_letter(last)?;
            if last < first {
                return Err(format!("`{first}-{last}` is no range"));
            }
            self.out.push('-');
            self.letter(last);
        }
        Ok(())
    }

    fn class_letter(&mut self, letter: char) -> Result<char, String> {
        match letter {
            '\\' => match self.rest.next() {
                Some(letter) => self.escaped(letter),
                None => Err("it ends in a backslash".into()),
            },
            letter => Ok(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_match_as_re2_has_it() {
        let cases: [(&str, &[&str], &[&str]); 24] = [
            ("foo.*", &["foo", "foobar"], &["afoo"]),
            ("foo|bar", &["foo", "bar"], &["foobar", "xbar"]),
            ("a[[]b", &["a[b"], &["ab"]),
            ("a{", &["a{"], &["a"]),
            ("a{,2}", &["a{,2}"], &["aa"]),
            ("a{2,3}", &["aa", "aaa"], &["a", "a{2,3}"]),
            ("a}]", &["a}]"], &["a"]),
            ("\\Qa.b*\\E+", &["a.b*", "a.b**"], &["axb*"]),
            ("\\Qa.b", &["a.b"], &["axb"]),
            ("[a&&b]", &["a", "b", "&"], &["c"]),
            ("[a--b]", &[], &[]),
            ("[]a]", &["]", "a"], &["b"]),
            ("[^]a]", &["b"], &["]", "a"]),
            ("[a-]", &["a", "-"], &["b"]),
            ("[[:alpha:]_]+", &["ab_"], &["a1"]),
            ("[[:^digit:]]", &["a"], &["1"]),
            ("\\d\\w\\s?\\D", &["1_a"], &["aaa"]),
            ("[\\d.]+", &["1.2"], &["a"]),
            ("\\x41\\x{42}\\103", &["ABC"], &["abc"]),
            ("(?i)Foo", &["FOO"], &["bar"]),
            ("(?P<name>a)(?<other_2>b)(?:c)", &["abc"], &["ab"]),
            ("\\p{Lu}\\pN\\P{L}\\p{^L}", &["A1-2"], &["a111"]),
            ("a\\.b\\-c\\_", &["a.b-c_"], &["axb-c_"]),
            ("^a\\b.b$", &["a.b"], &["aab"]),
        ];
        for (text, good, bad) in cases.iter().filter(|(_, good, _)| !good.is_empty()) {
            let pattern = Pattern::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            good.iter().for_each(|name| assert!(pattern.matches(name), "{text} {name}"));
            bad.iter().for_each(|name| assert!(!pattern.matches(name), "{text} {name}"));
        }
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        let bad = [
            "(",
            ")",
            "[",
            "[a",
            "*a",
            "a**",
            "a{1001}",
            "a{3,2}",
            "\\",
            "\\Z",
            "\\1",
            "\\k",
            "(?=a)",
            "(?x)a",
            "(?a",
            "[b-a]",
            "[[:foo:]]",
            "\\p{",
            "\\xZ1",
            "\\p{Foo}",
            "a{2}{3}",
            "[a--b]",
        ];
        for text in bad {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_would_be_too_large_is_refused_and_not_built() {
        assert!(Pattern::parse("((a{100}){100}){100}").is_err());
        assert!(Pattern::parse(&"a".repeat(PATTERN_BYTES_MAX + 1)).is_err());
        assert!(Pattern::parse(&"(".repeat(500)).is_err());
        assert!(Pattern::parse(&format!("{}a{}", "(".repeat(500), ")".repeat(500))).is_err());
        assert!(Pattern::parse("(.*a){20}").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-a-c0-9\\[\\](){}^$.*+?|\\\\QEdDpPx:&,é]{0,24}") {
            let _ = Pattern::parse(&text).map(|pattern| pattern.matches("abc"));
        }
    }
}
