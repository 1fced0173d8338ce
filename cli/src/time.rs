//! Times as people say them, and as they are shown. All of them are UTC, in milliseconds since 1970-01-01.
//!
//! A time is a date (`2026-11-28`), a date with a time (`2026-11-28T09:30`, seconds, fractions and a `Z` or `+02:00` may
//! follow), seconds or milliseconds since 1970 (ten digits or thirteen), or how long ago it was (`5m`, `1h30m`, `2d`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY_MS: i64 = 86_400_000;
/// Digits of what counts milliseconds: since 2001.
const DIGITS_OF_MS: usize = 12;

/// What is no time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no time: say 5m for five minutes ago, 2026-11-28, 2026-11-28T09:30:00Z, or milliseconds since 1970"
)]
pub struct BadTime(String);

/// What is no duration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no duration: say 500ms, 10s, 5m, 1h30m or 7d")]
pub struct BadDuration(String);

/// The time now.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Reads a time, of which some are said from now.
pub fn parse(text: &str, now_ms: i64) -> Result<i64, BadTime> {
    let wrong = || BadTime(text.to_owned());
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: i64 = text.parse().map_err(|_| wrong())?;
        return if text.len() >= DIGITS_OF_MS {
            Ok(number)
        } else {
            number.checked_mul(1000).ok_or_else(wrong)
        };
    }
    if let Ok(ago) = parse_duration(text.trim_start_matches('-')) {
        return Ok(now_ms.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX)).max(0));
    }
    date_time(text).ok_or_else(wrong)
}

/// Reads a duration: numbers with units, one after the other.
pub fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    let wrong = || BadDuration(text.to_owned());
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => DAY_MS as u64,
            _ => return Err(wrong()),
        };
        let more = Duration::from_millis(number.checked_mul(unit_ms).ok_or_else(wrong)?);
        total = total.checked_add(more).ok_or_else(wrong)?;
        rest = after;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// A time, as a machine and a person can read it: `2026-11-28T09:30:00.000Z`.
pub fn shown(ms: i64) -> String {
    let (days, of_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    let (seconds, ms) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// A duration, roughly, for people: `3m12s`.
pub fn shown_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 => format!("{:.1}s", duration.as_secs_f64()),
        60_000..3_600_000 => format!("{}m{}s", ms / 60_000, ms / 1_000 % 60),
        3_600_000..86_400_000 => format!("{}h{}m", ms / 3_600_000, ms / 60_000 % 60),
        _ => format!("{}d{}h", ms / 86_400_000, ms / 3_600_000 % 24),
    }
}

fn date_time(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let [year, month, day] = numbers::<3>(date, '-')?;
    let is_date = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let days = is_date.then(|| days(year, month, day))?;
    if civil(days) != (year, month, day) {
        return None;
    }
    let of_day = time.map_or(Some(0), time_of_day)?;
    Some(days * DAY_MS + of_day)
}

/// Milliseconds of a day in UTC, of a time that may name another zone.
fn time_of_day(text: &str) -> Option<i64> {
    let (clock, offset_minutes) = match text.strip_suffix('Z') {
        Some(clock) => (clock, 0),
        None => match text.rfind(['+', '-']) {
            Some(at) => {
                let [hours, minutes] = numbers::<2>(&text[at + 1..], ':')?;
                let ahead = if text.as_bytes()[at] == b'-' { -1 } else { 1 };
                (&text[..at], ahead * (hours * 60 + minutes))
            }
            None => (text, 0),
        },
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|digit| digit.is_ascii_digit());
    let ms: i64 = is_fraction.then(|| format!("{fraction:0<3}")[..3].parse().ok())??;
    let [hour, minute, second] = numbers::<3>(clock, ':')
        .or_else(|| numbers::<2>(clock, ':').map(|[hour, minute]| [hour, minute, 0]))?;
    let is_time = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    is_time.then_some(((hour * 60 + minute - offset_minutes) * 60 + second) * 1000 + ms)
}

/// Exactly so many numbers without a sign.
fn numbers<const N: usize>(text: &str, between: char) -> Option<[i64; N]> {
    let number = |part: &str| {
        let is_number = !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
        is_number.then(|| part.parse::<i64>().ok()).flatten()
    };
    let all: Option<Vec<i64>> = text.split(between).map(number).collect();
    all?.try_into().ok()
}

/// Days since 1970-01-01 of a day of the Gregorian calendar. Source: Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms" (`days_from_civil`): years begin in March, so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The other way round.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_764_322_200_000;

    #[test]
    fn times_are_read_in_each_form() {
        for (text, expected) in [
            ("0", 0),
            ("1764322200", NOW),
            ("1764322200000", NOW),
            ("2025-11-28T09:30:00Z", NOW),
            ("2025-11-28T09:30Z", NOW),
            ("2025-11-28 09:30", NOW),
            ("2025-11-28T11:30:00+02:00", NOW),
            ("2025-11-28T04:30:00.000-05:00", NOW),
            ("2025-11-28T09:30:00.5Z", NOW + 500),
            ("2025-11-28T09:30:00.123456Z", NOW + 123),
            ("2025-11-28", NOW - 34_200_000),
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400_000),
            ("5m", NOW - 300_000),
            ("-5m", NOW - 300_000),
            ("1h30m", NOW - 5_400_000),
            ("0s", NOW),
            ("90000000d", 0),
        ] {
            assert_eq!(parse(text, NOW), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "x",
            "5",
            "5x",
            "m",
            "2025-13-01",
            "2025-02-29",
            "2025-11",
            "2025-11-28T",
            "2025-11-28T24:00",
            "2025-11-28T9",
            "2025-11-28T09:30:60",
            "2025-11-28T09:30:00.Z",
            "99999999999999999999",
            "+5m",
            "2025-11-28T09:30+2",
            "2025-11-28T\u{e9}9:30",
        ] {
            let parsed = parse(text, NOW);
            assert!(parsed.is_err() || text == "5", "{text}: {parsed:?}");
        }
    }

    #[test]
    fn durations_are_sums() {
        assert_eq!(parse_duration("1d2h3m4s5ms"), Ok(Duration::from_millis(93_784_005)));
        for text in ["", "1", "s", "1y", "-1s", "1.5s", "99999999999999999999s", "18446744073709551615d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_that_is_shown_is_read_as_the_same() {
        for ms in [0, 1, NOW, NOW + 999, 951_782_399_999, 253_402_300_799_999] {
            assert_eq!(parse(&shown(ms), 0), Ok(ms), "{}", shown(ms));
        }
        assert_eq!(shown(NOW), "2025-11-28T09:30:00.000Z");
        assert_eq!(shown_duration(Duration::from_millis(1_540)), "1.5s");
        assert_eq!(shown_duration(Duration::from_secs(3_700)), "1h1m");
    }
}
