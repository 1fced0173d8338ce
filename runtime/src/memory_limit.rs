//! How much memory a node may take: what was said, or half of what the machine or its cgroup allows.

use crate::limits::{MEMORY_LIMIT_DEFAULT_MAX, MEMORY_LIMIT_MAX, MEMORY_LIMIT_MIN};
use std::fs;

/// What is wrong with a size that was written; what stands in it is escaped already.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSize {
    /// It begins with no number.
    #[error("`{0}` is no size; write it like 512M or 4GiB")]
    NoNumber(String),
    /// What follows the number is no unit.
    #[error("`{0}` has no unit that is known; K, M, G and T are")]
    Unit(String),
    /// Nothing is as large.
    #[error("`{0}` is more than 2^64 bytes")]
    TooLarge(String),
    /// A node needs more.
    #[error("at least {} are needed", show(MEMORY_LIMIT_MIN))]
    TooLittle,
    /// The machine has only so many bytes.
    #[error("this machine has {}", show(*.0))]
    Machine(u64),
}

/// A size as people write it: `512M`, `2GiB`, `1.5G` is not one. K, M, G and T are powers of 1024.
pub fn parse_size(text: &str) -> Result<u64, BadSize> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let said = crate::foreign_text::escaped(text);
    let number: u64 = number.parse().map_err(|_| BadSize::NoNumber(said.clone()))?;
    let shift = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(BadSize::Unit(said)),
    };
    number.checked_mul(1 << shift).ok_or(BadSize::TooLarge(said))
}

/// A size that a node can work with: enough to begin with, and no more than the machine has.
pub fn parse_limit(text: &str) -> Result<u64, BadSize> {
    let limit = parse_size(text)?;
    if limit < MEMORY_LIMIT_MIN {
        return Err(BadSize::TooLittle);
    }
    let machine = read_machine().unwrap_or(MEMORY_LIMIT_MAX);
    if limit > machine {
        return Err(BadSize::Machine(machine));
    }
    Ok(limit)
}

/// A size for people: the largest unit that leaves whole numbers or one digit behind the point.
pub fn show(bytes: u64) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if bytes >> shift > 0 {
            let tenths = (u128::from(bytes) * 10) >> shift;
            return if tenths % 10 == 0 {
                format!("{} {unit}", tenths / 10)
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{bytes} bytes")
}

/// min(half of what this process can have, 4 GiB).
pub fn default_limit() -> u64 {
    let machine = read_machine().unwrap_or(2 * MEMORY_LIMIT_DEFAULT_MAX);
    let allowed = read_cgroup().map_or(machine, |cgroup| cgroup.min(machine));
    (allowed / 2).clamp(MEMORY_LIMIT_MIN, MEMORY_LIMIT_DEFAULT_MAX)
}

fn read_machine() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kilobytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The tightest limit from this process's cgroup upwards; version 2, then version 1.
fn read_cgroup() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let path = |prefix: &str| groups.lines().find_map(|line| line.split_once(prefix).map(|(_, path)| path));
    let unified = path("0::").unwrap_or("/");
    let controlled = path(":memory:").unwrap_or("/");
    let ancestors = |root: &str, path: &str, name: &str| {
        std::path::Path::new(path)
            .ancestors()
            .filter_map(|group| {
                let file = format!("{root}{}/{name}", group.display());
                fs::read_to_string(file).ok()?.trim().parse::<u64>().ok()
            })
            .min()
    };
    let limits = [
        ancestors("/sys/fs/cgroup", unified, "memory.max"),
        ancestors("/sys/fs/cgroup/memory", controlled, "memory.limit_in_bytes"),
    ];
    limits.into_iter().flatten().min()
}
