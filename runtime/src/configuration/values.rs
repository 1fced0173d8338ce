//! What may be said of a setting, by its kind.

use super::mistake::Wrong;
use crate::foreign_text::escaped;
use crate::log::LogFormat;
use crate::memory_limit;
use clap::ValueEnum;
use rust_mq_core::link::Address;

/// A whole number.
pub(super) fn number<N: for<'de> serde::Deserialize<'de>>(text: &str) -> Result<N, Wrong> {
    // YAML's own reading of it: 0x10 and 1_000 are numbers in a file.
    serde_saphyr::from_str(text).map_err(|_| {
        let is_number = text.trim_start_matches('-').bytes().all(|letter| letter.is_ascii_digit());
        let range = if is_number && !text.is_empty() { " in its range" } else { "" };
        Wrong::new(format!("`{}` is no whole number{range}", escaped(text)))
    })
}

/// Yes or no.
pub(super) fn truth(text: &str) -> Result<bool, Wrong> {
    // YAML's words for it, of its versions 1.1 and 1.2; and the shell's habit.
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "on" | "1" => Ok(true),
        "false" | "no" | "n" | "off" | "0" => Ok(false),
        _ => Err(Wrong::new(format!("`{}` is neither true nor false", escaped(text)))),
    }
}

/// What is no address; it is escaped already.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address; write it like 127.0.0.1:9092")]
pub struct BadAddress(String);

/// `host:port`.
pub fn address(text: &str) -> Result<Address, BadAddress> {
    let wrong = || BadAddress(escaped(text));
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().map_err(|_| wrong())?;
    if host.is_empty() || host.contains('/') {
        return Err(wrong());
    }
    Ok(Address { host: host.to_owned(), port })
}

/// Bytes.
pub(super) fn size(text: &str) -> Result<u64, Wrong> {
    memory_limit::parse_size(text).map_err(Wrong::of)
}

/// Bytes that a node can work with.
pub(super) fn limit(text: &str) -> Result<u64, Wrong> {
    memory_limit::parse_limit(text).map_err(Wrong::of)
}

/// How the log looks.
pub(super) fn log_format(text: &str) -> Result<LogFormat, Wrong> {
    LogFormat::from_str(text, true)
        .map_err(|_| Wrong::new(format!("`{}` is no format of the log; human and json are", escaped(text))))
}
