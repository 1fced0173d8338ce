//! What a verb has to say, in the form that was asked for: tables for people, one JSON object or one YAML document for
//! programs, with the same keys in each. It goes to standard output; all else goes to standard error (`notes`).

use crate::table::Table;
use crate::terminal::{Colours, EMPTY_SCREEN, harmless, is_screen};
use crate::trouble::Trouble;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::io::{self, Write};

/// How an answer looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns to read
    #[default]
    Table,
    /// The same with more columns
    Wide,
    /// One JSON object
    Json,
    /// YAML
    Yaml,
}

/// How to answer.
#[derive(Clone, Debug, Args)]
pub struct Output {
    /// How the answer looks: table, wide (with more columns), json or yaml
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Table, hide_possible_values = true, global = true, help_heading = "Output")]
    pub format: Format,
}

impl Output {
    /// Answers: the data for programs, the tables for people.
    pub fn answer(&self, data: &impl Serialize, tables: &[Table]) -> Result<(), Trouble> {
        print(&self.text(data, tables))
    }

    /// What was answered before is not looked at any more: a terminal is emptied.
    pub fn begin_anew(&self) -> Result<(), Trouble> {
        let is_for_people = matches!(self.format, Format::Table | Format::Wide);
        if is_for_people && is_screen() { print(EMPTY_SCREEN) } else { Ok(()) }
    }

    fn text(&self, data: &impl Serialize, tables: &[Table]) -> String {
        let is_wide = self.format == Format::Wide;
        match self.format {
            Format::Json => {
                serde_json::to_string_pretty(data).expect("texts and numbers have a form in JSON") + "\n"
            }
            Format::Yaml => serde_saphyr::to_string(data).expect("texts and numbers have a form in YAML"),
            Format::Table | Format::Wide => {
                let colours = Colours::of_output();
                let tables: Vec<String> = tables.iter().map(|table| table.text(is_wide, colours)).collect();
                tables.join("\n")
            }
        }
    }
}

/// Prints data, all at once.
pub fn print(text: &str) -> Result<(), Trouble> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Trouble::of_output)
}

/// Says something that is no data, on standard error.
pub fn note(text: &str) {
    // Nobody can be told that nobody is told.
    let _ = writeln!(io::stderr(), "{}", harmless(text));
}
