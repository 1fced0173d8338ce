//! What clients asked, of whom, and how it was answered.

use super::cut;
use super::strip::{Notable, Strip};
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Operations that are kept whole.
const NEWEST: usize = 4_000;
/// Refused and lost ones that are kept besides.
const OLDER: usize = 2_000;
/// Bytes of a question or an answer, in words.
const WORDS_MAX: usize = 160;
/// Bytes of an answer that are looked through at a time.
const LOOKED_AT: usize = 4_096;
/// The longest pair of a field's name and its number.
const PAIR_MAX: usize = 64;

/// All clients' operations.
#[derive(Debug)]
pub struct Operations {
    open: BTreeMap<(usize, i32), Operation>,
    over: Strip<Operation>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Whose.
    pub client: usize,
    /// Which site was asked.
    pub site: usize,
    /// When.
    pub from_us: u64,
    /// When it was answered, or given up.
    pub to_us: Option<u64>,
    /// How it ended.
    pub end: End,
    /// What was asked.
    pub question: String,
    /// The numbers of the answer.
    pub answer: String,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Not yet.
    Open,
    /// With an answer in which is no error code.
    Well,
    /// With an answer in which is one.
    Refused,
    /// Without an answer.
    Lost,
}

impl Notable for Operation {
    fn is_notable(&self) -> bool {
        self.end != End::Well
    }
}

impl Default for Operations {
    fn default() -> Operations {
        Operations { open: BTreeMap::new(), over: Strip::new(NEWEST, OLDER) }
    }
}

impl Operations {
    /// A client asks.
    pub fn asks(&mut self, at_us: u64, client: usize, site: usize, number: i32, what: fmt::Arguments<'_>) {
        let operation = Operation {
            client,
            site,
            from_us: at_us,
            to_us: None,
            end: End::Open,
            question: cut(with_ids(&what.to_string()), WORDS_MAX),
            answer: String::new(),
        };
        self.open.insert((client, number), operation);
    }

    /// It is answered.
    pub fn answered(&mut self, at_us: u64, client: usize, number: i32, answer: &dyn fmt::Debug) {
        let Some(operation) = self.open.remove(&(client, number)) else { return };
        let mut numbers = Numbers::default();
        write!(numbers, "{answer:?} ").expect("it takes any text");
        numbers.look();
        let end = if numbers.is_refused { End::Refused } else { End::Well };
        self.over.push(Operation { to_us: Some(at_us), end, answer: numbers.found, ..operation });
    }

    /// A connection is gone.
    pub fn hung_up(&mut self, at_us: u64, client: usize, site: usize) {
        let of_client = (client, i32::MIN)..=(client, i32::MAX);
        for (_, operation) in self.open.extract_if(of_client, |_, operation| operation.site == site) {
            self.over.push(Operation { to_us: Some(at_us), end: End::Lost, ..operation });
        }
    }

    /// Those that are open and the newest, newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Operation> {
        self.open.values().chain(self.over.newest())
    }

    /// What is older and went wrong, newest first.
    pub fn older(&self) -> impl Iterator<Item = &Operation> {
        self.over.older()
    }

    /// How many are not kept.
    pub fn left_out(&self) -> u64 {
        self.over.left_out()
    }
}

/// Topic ids as they are written everywhere else, not byte by byte.
fn with_ids(words: &str) -> String {
    let mut parts = words.split('[');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let inside =
            part.split_once(']').map(|(inside, rest)| (inside.split(", ").map(str::parse::<u8>), rest));
        match inside.map(|(numbers, rest)| (numbers.collect::<Result<Vec<u8>, _>>(), rest)) {
            Some((Ok(bytes), rest)) if bytes.len() == 16 => {
                bytes.iter().for_each(|byte| write!(text, "{byte:02x}").expect("a string takes any text"));
                text.push_str(rest);
            }
            _ => {
                text.push('[');
                text.push_str(part);
            }
        }
    }
    text
}

/// Finds the named numbers in an answer of any API as it is written for debugging, and error codes among them. The
/// bytes of records go by unseen.
#[derive(Debug, Default)]
struct Numbers {
    text: String,
    found: String,
    is_refused: bool,
}

impl Numbers {
    /// Looks through what has come, but for a pair that may go on.
    fn look(&mut self) {
        let text = std::mem::take(&mut self.text);
        let mut from = 0;
        while let Some(colon) = text[from..].find(": ").map(|place| from + place) {
            let rest = &text[colon + 2..];
            let len = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'-').count();
            if len == rest.len() {
                // Its number may go on.
                let kept = text.floor_char_boundary(colon.saturating_sub(PAIR_MAX)).max(from);
                self.text = text[kept..].to_owned();
                return;
            }
            let start = text[..colon].rfind(|letter: char| !letter.is_alphanumeric() && letter != '_');
            let name = &text[start.map_or(0, |start| start + 1)..colon];
            if len > 0 && !name.is_empty() {
                self.pair(name, &rest[..len]);
            }
            from = colon + 2;
        }
        let kept = text.len().saturating_sub(PAIR_MAX).max(from);
        self.text = text[text.floor_char_boundary(kept)..].to_owned();
    }

    fn pair(&mut self, name: &str, number: &str) {
        let is_code = name == "error_code";
        self.is_refused |= is_code && number != "0";
        // What an answer leaves open, or says in every case, is not worth its room.
        let says_much = number != "-1" && !(is_code && number == "0") && name != "throttle_time_ms";
        if says_much && self.found.len() + name.len() + number.len() + 3 <= WORDS_MAX {
            let separator = if self.found.is_empty() { "" } else { ", " };
            let _ = write!(self.found, "{separator}{name} {number}");
        }
    }
}

impl Write for Numbers {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.push_str(text);
        if self.text.len() > LOOKED_AT {
            self.look();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by its Debug")]
    struct Answer {
        records: Vec<u8>,
        partitions: Vec<Partition>,
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by its Debug")]
    struct Partition {
        error_code: i16,
        base_offset: i64,
    }

    /// An error in the last of many partitions is found, wherever the text is cut.
    #[test]
    fn a_refusal_is_found_behind_any_number_of_bytes() {
        for len in [0, 1, 700, 1_360, 1_361, 1_362, 1_363, 1_364, 1_365, 1_366, 5_000, 100_000] {
            for code in [0, 6] {
                let partitions = vec![
                    Partition { error_code: 0, base_offset: 7 },
                    Partition { error_code: code, base_offset: -1 },
                ];
                let mut operations = Operations::default();
                operations.asks(5, 1, 0, 3, format_args!("Produce"));
                operations.answered(9, 1, 3, &Answer { records: vec![1; len], partitions });
                let operation = operations.newest().next().expect("one was asked");
                let end = if code == 0 { End::Well } else { End::Refused };
                assert_eq!((operation.end, operation.to_us), (end, Some(9)), "{len} bytes");
                assert!(operation.answer.starts_with("base_offset 7"), "{}", operation.answer);
            }
        }
    }

    #[test]
    fn an_id_is_written_as_one() {
        let words = format!("Fetch {{ from: [({:?}, 0, 7), ([1, 2], 3)] }}", [0xab_u8; 16]);
        assert_eq!(with_ids(&words), format!("Fetch {{ from: [({}, 0, 7), ([1, 2], 3)] }}", "ab".repeat(16)));
    }

    #[test]
    fn a_lost_connection_ends_what_was_open_there() {
        let mut operations = Operations::default();
        operations.asks(1, 1, 0, 1, format_args!("a"));
        operations.asks(1, 1, 2, 2, format_args!("b"));
        operations.asks(1, 2, 0, 1, format_args!("c"));
        operations.hung_up(4, 1, 0);
        let lost: Vec<_> = operations.newest().filter(|one| one.end == End::Lost).collect();
        assert_eq!(lost.len(), 1);
        assert_eq!((lost[0].client, lost[0].site), (1, 0));
    }
}
