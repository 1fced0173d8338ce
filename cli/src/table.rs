//! A table for people: columns two spaces apart under heads in capitals, numbers to the right, no lines drawn, so that
//! `grep`, `awk` and `sort` work on it. An empty cell is a `-`.

use crate::terminal::{Colours, Tone, harmless};

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    head: &'static str,
    is_number: bool,
    is_wide: bool,
}

impl Column {
    /// A column of text.
    pub const fn text(head: &'static str) -> Column {
        Column { head, is_number: false, is_wide: false }
    }

    /// A column of numbers.
    pub const fn number(head: &'static str) -> Column {
        Column { head, is_number: true, is_wide: false }
    }

    /// Which is shown only where there is room.
    pub const fn wide(self) -> Column {
        Column { is_wide: true, ..self }
    }
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    columns: &'static [Column],
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty one.
    pub fn new(columns: &'static [Column]) -> Table {
        Table { columns, rows: Vec::new() }
    }

    /// With these rows, of a cell for each column.
    pub fn rows<const N: usize>(mut self, rows: impl IntoIterator<Item = [String; N]>) -> Table {
        assert_eq!(N, self.columns.len(), "a row has a cell for each column");
        self.rows.extend(rows.into_iter().map(Vec::from));
        self
    }

    /// As text. Without rows there are its heads.
    pub fn text(&self, is_wide: bool, colours: Colours) -> String {
        let shown: Vec<usize> =
            (0..self.columns.len()).filter(|at| is_wide || !self.columns[*at].is_wide).collect();
        let heads: Vec<String> = self.columns.iter().map(|column| column.head.to_owned()).collect();
        let cell = |cell: &String| if cell.is_empty() { "-".to_owned() } else { harmless(cell) };
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
        let all = || std::iter::once(&heads).chain(&rows);
        let width = |at: usize| all().map(|row| row[at].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let padded = shown.iter().map(|at| {
                let (cell, width) = (&row[*at], widths[*at]);
                if self.columns[*at].is_number { format!("{cell:>width$}") } else { format!("{cell:width$}") }
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let mut text = String::new();
        for (number, row) in all().enumerate() {
            let line = line(row);
            text += &if number == 0 { colours.paint(Tone::Dim, &line) } else { line };
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[Column::text("NAME"), Column::number("COUNT"), Column::text("NOTE").wide()];

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_numbers_stand_to_the_right() {
        let rows = [("a", "1", "x"), ("longer", "10000", ""), ("\u{e9}\u{1b}", "", "y")];
        let rows = rows.map(|(name, count, note)| [name.to_owned(), count.to_owned(), note.to_owned()]);
        let table = Table::new(COLUMNS).rows(rows);
        let narrow = "NAME    COUNT\na           1\nlonger  10000\n\u{e9}\u{fffd}          -\n";
        assert_eq!(table.text(false, Colours::NONE), narrow);
        let wide = "NAME    COUNT  NOTE\na           1  x\nlonger  10000  -\n\u{e9}\u{fffd}          -  y\n";
        assert_eq!(table.text(true, Colours::NONE), wide);
        assert_eq!(Table::new(COLUMNS).text(false, Colours::NONE), "NAME  COUNT\n");
    }
}
