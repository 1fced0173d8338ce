//! How records are written out: a text with `%` for what a record has, and `\` for what a shell would not pass on. The
//! letters are those that rpk and kcat share; where they differ, both are known unless they contradict each other.
//!
//! ```text
//! %t topic      %p partition     %o offset      %d %T timestamp, in milliseconds
//! %k key        %v %s value      %h headers, name=value,name=value
//! %K %V %S      how many bytes the key and the value have; -1 without one
//! %%  \n \t \r \0 \\ \x1f
//! ```

use crate::record::Record;
use bytes::Bytes;
use std::fmt::Write;

/// A format that says something unknown.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadFormat {
    /// A letter that nothing is known by.
    #[error("`%{0}` is not known: say %t, %p, %o, %k, %v, %h, %d, %K, %V or %%")]
    Letter(char),
    /// An escape that nothing is known by.
    #[error("`\\{0}` is not known: say \\n, \\t, \\r, \\0, \\\\ or \\x1f")]
    Escape(char),
    /// It ends within one.
    #[error("the format ends with a lone `{0}`")]
    Unfinished(char),
}

/// A format that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PercentFormat(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Plain(Vec<u8>),
    Topic,
    Partition,
    Offset,
    Timestamp,
    Key,
    Value,
    KeyBytes,
    ValueBytes,
    Headers,
}

impl PercentFormat {
    /// Reads one.
    pub fn parse(text: &str) -> Result<PercentFormat, BadFormat> {
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '%' => {
                    let letter = letters.next().ok_or(BadFormat::Unfinished('%'))?;
                    if letter == '%' {
                        plain.push(b'%');
                        continue;
                    }
                    let piece = piece(letter)?;
                    if !plain.is_empty() {
                        pieces.push(Piece::Plain(std::mem::take(&mut plain)));
                    }
                    pieces.push(piece);
                }
                '\\' => plain.push(escape(&mut letters)?),
                other => plain.extend(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Plain(plain));
        }
        Ok(PercentFormat(pieces))
    }

    /// Writes a record.
    pub fn write(&self, record: &Record, out: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Plain(bytes) => out.extend(bytes),
                Piece::Topic => out.extend(record.topic.as_bytes()),
                Piece::Partition => number(out, record.partition.into()),
                Piece::Offset => number(out, record.offset),
                Piece::Timestamp => number(out, record.timestamp_ms),
                Piece::Key => out.extend(record.key.as_deref().unwrap_or_default()),
                Piece::Value => out.extend(record.value.as_deref().unwrap_or_default()),
                Piece::KeyBytes => number(out, length(record.key.as_deref())),
                Piece::ValueBytes => number(out, length(record.value.as_deref())),
                Piece::Headers => headers(out, &record.headers),
            }
        }
    }
}

fn piece(letter: char) -> Result<Piece, BadFormat> {
    Ok(match letter {
        't' => Piece::Topic,
        'p' => Piece::Partition,
        'o' => Piece::Offset,
        'd' | 'T' => Piece::Timestamp,
        'k' => Piece::Key,
        'v' | 's' => Piece::Value,
        'K' => Piece::KeyBytes,
        'V' | 'S' => Piece::ValueBytes,
        'h' => Piece::Headers,
        other => return Err(BadFormat::Letter(other)),
    })
}

fn escape(letters: &mut std::str::Chars<'_>) -> Result<u8, BadFormat> {
    let unfinished = BadFormat::Unfinished('\\');
    Ok(match letters.next().ok_or(unfinished)? {
        'n' => b'\n',
        't' => b'\t',
        'r' => b'\r',
        '0' => 0,
        '\\' => b'\\',
        'x' => {
            let mut digit = || letters.next().and_then(|digit| digit.to_digit(16));
            let (high, low) = (digit(), digit());
            let byte = high.zip(low).map(|(high, low)| high * 16 + low);
            byte.and_then(|byte| u8::try_from(byte).ok()).ok_or(BadFormat::Escape('x'))?
        }
        other => return Err(BadFormat::Escape(other)),
    })
}

fn number(out: &mut Vec<u8>, number: i64) {
    let mut text = String::new();
    // Writing to a text does not fail.
    let _ = write!(text, "{number}");
    out.extend(text.as_bytes());
}

fn length(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX))
}

fn headers(out: &mut Vec<u8>, headers: &[(String, Option<Bytes>)]) {
    for (number, (name, value)) in headers.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend(name.as_bytes());
        if let Some(value) = value {
            out.push(b'=');
            out.extend(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: &str, record: &Record) -> String {
        let mut out = Vec::new();
        PercentFormat::parse(format).expect("the format is good").write(record, &mut out);
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn everything_that_a_record_has_is_written() {
        let bytes = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
        let record = Record {
            topic: "t".into(),
            partition: 3,
            offset: 42,
            timestamp_ms: 1_700_000_000_000,
            key: bytes("k"),
            value: bytes("value"),
            headers: vec![("a".into(), bytes("1")), ("b".into(), None)],
        };
        assert_eq!(written("%k %v %o %p %t %h\\n", &record), "k value 42 3 t a=1,b\n");
        assert_eq!(
            written("%T=%d %K/%V %s 100%% \u{e9}\\t\\x41\\\\", &record),
            "1700000000000=1700000000000 1/5 value 100% \u{e9}\tA\\"
        );
        let bare = Record { key: None, value: None, headers: Vec::new(), ..record };
        assert_eq!(written("%k|%v|%K|%S|%h", &bare), "||-1|-1|");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (format, expected) in [
            ("%", BadFormat::Unfinished('%')),
            ("x\\", BadFormat::Unfinished('\\')),
            ("%q", BadFormat::Letter('q')),
            ("\\q", BadFormat::Escape('q')),
            ("\\x4", BadFormat::Escape('x')),
        ] {
            assert_eq!(PercentFormat::parse(format), Err(expected), "{format}");
        }
    }
}
