//! How a number is written, in tables and charts alike.

/// Three digits that matter.
pub fn digits(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        small if small >= 1.0 => 2,
        zero if zero < 0.000_5 => 0,
        _ => 3,
    };
    format!("{value:.digits$}")
}
