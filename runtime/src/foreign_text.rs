//! Text that came from outside, made fit to be shown: cut to a length, and without what would forge a line, colour a
//! terminal or hide what stands beside it.

use crate::limits::{LINE_SHOWN_MAX, LOG_TEXT_MAX};
use std::fmt::Write;

/// Text of remote origin as it may stand in a log line.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len().min(LOG_TEXT_MAX));
    for (count, letter) in text.chars().enumerate() {
        if count == LOG_TEXT_MAX {
            safe.push('…');
            break;
        }
        if is_harmless(letter) {
            safe.push(letter);
        } else {
            let _ = write!(safe, "{}", letter.escape_unicode());
        }
    }
    safe
}

/// A line of somebody's text as it may stand on a terminal: letter for letter, so that what points at it still does.
pub fn shown(line: &str) -> String {
    let visible = |letter| match letter {
        '\t' => ' ',
        letter if is_harmless(letter) => letter,
        _ => '\u{fffd}',
    };
    let mut letters = line.chars();
    let mut shown: String = letters.by_ref().take(LINE_SHOWN_MAX).map(visible).collect();
    if letters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Besides control characters those are not harmless that reorder or hide what stands around them.
fn is_harmless(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}
