//! Offsets as people say them, where a number alone would be too exact: as rpk's and kcat's users know them.
//!
//! ```text
//! start  end      the first record; behind the last one
//! 42              that offset
//! +10  -10        ten behind the start; ten before the end
//! @5m  @TIME      the first record from that time on (see `time`)
//! A:B  A:  :B     from A to B, B not included; without one, from the start or to the end
//! ```

use crate::time::{self, BadTime};
use rust_mq_client::admin::Place;

/// A word that says no offset.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadOffset {
    /// It is nothing that is known.
    #[error(
        "`{0}` is no offset: say start, end, a number, +10 or -10, @5m or @2026-11-28, or a range from:to"
    )]
    Word(String),
    /// It would be a time.
    #[error(transparent)]
    Time(#[from] BadTime),
}

/// A place in each partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetWord {
    /// So many behind the first record.
    Start(i64),
    /// So many before the end.
    End(i64),
    /// This one.
    Exact(i64),
    /// The first record that is as late.
    Time(i64),
}

/// Places between which something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetRange {
    /// The first.
    pub from: OffsetWord,
    /// The one behind the last, if there is an end.
    pub until: Option<OffsetWord>,
}

impl OffsetWord {
    /// Reads one.
    pub fn parse(text: &str, now_ms: i64) -> Result<OffsetWord, BadOffset> {
        let number = |digits: &str| {
            let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
            let number = is_number.then(|| digits.parse::<i64>().ok()).flatten();
            number.ok_or_else(|| BadOffset::Word(text.to_owned()))
        };
        match text {
            "start" | "beginning" | "oldest" | "earliest" => return Ok(OffsetWord::Start(0)),
            "end" | "newest" | "latest" => return Ok(OffsetWord::End(0)),
            _ => {}
        }
        if let Some(time) = text.strip_prefix('@') {
            return Ok(OffsetWord::Time(time::parse(time, now_ms)?));
        }
        match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(behind), _) => number(behind).map(OffsetWord::Start),
            (_, Some(before)) => number(before).map(OffsetWord::End),
            _ => number(text).map(OffsetWord::Exact),
        }
    }

    /// What has to be looked up to know where it is; none for a number.
    pub fn place(self) -> Option<Place> {
        match self {
            OffsetWord::Start(_) => Some(Place::Start),
            OffsetWord::End(_) => Some(Place::End),
            OffsetWord::Exact(_) => None,
            OffsetWord::Time(ms) => Some(Place::Time(ms)),
        }
    }

    /// The offset of a partition with these bounds, and within them. `found` is what looking up gave; nothing is later than
    /// the end.
    pub fn within(self, start: i64, end: i64, found: Option<i64>) -> i64 {
        let offset = match self {
            OffsetWord::Start(behind) => start.saturating_add(behind),
            OffsetWord::End(before) => end.saturating_sub(before),
            OffsetWord::Exact(offset) => offset,
            OffsetWord::Time(_) => found.unwrap_or(end),
        };
        offset.clamp(start, end.max(start))
    }
}

impl OffsetRange {
    /// Reads one.
    pub fn parse(text: &str, now_ms: i64) -> Result<OffsetRange, BadOffset> {
        let whole = OffsetWord::parse(text, now_ms);
        if let Ok(from) = whole {
            return Ok(OffsetRange { from, until: None });
        }
        // A time of day has colons, too.
        for (at, _) in text.match_indices(':') {
            let from = match &text[..at] {
                "" => Ok(OffsetWord::Start(0)),
                from => OffsetWord::parse(from, now_ms),
            };
            let until = match (&text[at + 1..], &from) {
                ("", _) => Ok(None),
                // The second time of a range needs no `@`.
                (until, Ok(OffsetWord::Time(_))) if !until.starts_with('@') => {
                    let time = time::parse(until, now_ms).map(OffsetWord::Time);
                    time.or_else(|_| OffsetWord::parse(until, now_ms)).map(Some)
                }
                (until, _) => OffsetWord::parse(until, now_ms).map(Some),
            };
            if let (Ok(from), Ok(until)) = (from, until)
                && text.len() > 1
            {
                return Ok(OffsetRange { from, until });
            }
        }
        whole.map(|from| OffsetRange { from, until: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_764_322_200_000;

    #[test]
    fn each_word_is_read() {
        for (text, expected) in [
            ("start", OffsetWord::Start(0)),
            ("beginning", OffsetWord::Start(0)),
            ("end", OffsetWord::End(0)),
            ("42", OffsetWord::Exact(42)),
            ("0", OffsetWord::Exact(0)),
            ("+10", OffsetWord::Start(10)),
            ("-10", OffsetWord::End(10)),
            ("@5m", OffsetWord::Time(NOW - 300_000)),
            ("@2025-11-28T09:30:00Z", OffsetWord::Time(NOW)),
        ] {
            assert_eq!(OffsetWord::parse(text, NOW), Ok(expected), "{text}");
        }
        for text in ["", "x", "+", "-", "@", "--1", "1.5", "start1", "@x", "99999999999999999999"] {
            assert!(OffsetWord::parse(text, NOW).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_have_two_ends_and_a_time_of_day_has_colons() {
        let range = |text| OffsetRange::parse(text, NOW).map(|range| (range.from, range.until));
        assert_eq!(range("10:20"), Ok((OffsetWord::Exact(10), Some(OffsetWord::Exact(20)))));
        assert_eq!(range("10:"), Ok((OffsetWord::Exact(10), None)));
        assert_eq!(range(":20"), Ok((OffsetWord::Start(0), Some(OffsetWord::Exact(20)))));
        assert_eq!(range("-5:end"), Ok((OffsetWord::End(5), Some(OffsetWord::End(0)))));
        assert_eq!(range("end"), Ok((OffsetWord::End(0), None)));
        let times = Ok((OffsetWord::Time(NOW - 600_000), Some(OffsetWord::Time(NOW - 300_000))));
        assert_eq!(range("@10m:5m"), times);
        assert_eq!(range("@10m:@5m"), times);
        assert_eq!(range("@2025-11-28T09:20:00Z:2025-11-28T09:25"), times);
        assert_eq!(range("@10m:end"), Ok((OffsetWord::Time(NOW - 600_000), Some(OffsetWord::End(0)))));
        assert_eq!(range("@2025-11-28T09:30"), Ok((OffsetWord::Time(NOW), None)));
        for text in [":", "a:b", "1:2:3", "@5m:x", ""] {
            assert!(range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_offset_lies_within_its_partition() {
        for (word, found, expected) in [
            (OffsetWord::Start(0), None, 10),
            (OffsetWord::Start(3), None, 13),
            (OffsetWord::Start(30), None, 20),
            (OffsetWord::End(0), None, 20),
            (OffsetWord::End(3), None, 17),
            (OffsetWord::End(30), None, 10),
            (OffsetWord::Exact(5), None, 10),
            (OffsetWord::Exact(15), None, 15),
            (OffsetWord::Time(0), Some(12), 12),
            (OffsetWord::Time(0), None, 20),
        ] {
            assert_eq!(word.within(10, 20, found), expected, "{word:?}");
        }
    }
}
