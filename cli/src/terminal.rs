//! What a terminal is shown: text from outside without what would forge a line, colour the terminal or hide what stands
//! beside it; and colour of our own only on a terminal whose user does not mind (`NO_COLOR`, no-color.org).

use std::io::IsTerminal;

/// Letters of one cell or line that are shown. Source: chosen, a few lines of a wide terminal. At the edge: an ellipsis.
const SHOWN_MAX: usize = 1_000;

/// Empties a screen, and goes to where it begins (ECMA-48).
pub const EMPTY_SCREEN: &str = "\u{1b}[2J\u{1b}[H";

/// How something is to stand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A head.
    Bold,
    /// What is wrong, or goes.
    Red,
    /// What is well, or comes.
    Green,
    /// What matters less.
    Dim,
}

/// Whether colours are shown on one of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colours(bool);

impl Colours {
    /// None.
    pub const NONE: Colours = Colours(false);

    /// Those of standard output.
    pub fn of_output() -> Colours {
        Colours(std::io::stdout().is_terminal() && are_wanted())
    }

    /// Those of standard error.
    pub fn of_errors() -> Colours {
        Colours(std::io::stderr().is_terminal() && are_wanted())
    }

    /// The text in that tone.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Bold => 1,
            Tone::Red => 31,
            Tone::Green => 32,
            Tone::Dim => 2,
        };
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Whether standard output is a terminal whose screen can be emptied.
pub fn is_screen() -> bool {
    std::io::stdout().is_terminal() && !is_dumb()
}

fn are_wanted() -> bool {
    let is_said = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !is_said && !is_dumb()
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// Text from outside on one line, made fit to be shown.
pub fn harmless(text: &str) -> String {
    let visible = |letter: char| match letter {
        '\t' | '\n' | '\r' => ' ',
        letter if letter.is_control() || reorders_or_hides(letter) => '\u{fffd}',
        letter => letter,
    };
    let mut letters = text.chars();
    let mut shown: String = letters.by_ref().take(SHOWN_MAX).map(visible).collect();
    if letters.next().is_some() {
        shown.push('…');
    }
    shown
}

fn reorders_or_hides(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_colours_a_terminal_or_forges_a_line() {
        assert_eq!(harmless("a\u{1b}[31mb\nc\u{202e}d\u{e9}"), "a\u{fffd}[31mb c\u{fffd}d\u{e9}");
        let long = harmless(&"x".repeat(SHOWN_MAX + 1));
        assert_eq!((long.chars().count(), long.ends_with('…')), (SHOWN_MAX + 1, true));
    }

    #[test]
    fn without_colours_a_text_stays_as_it_is() {
        assert_eq!(Colours::NONE.paint(Tone::Red, "x"), "x");
        assert_eq!(Colours(true).paint(Tone::Red, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
