//! One picture a station: for each row the ratio of the number that matters most there, on a logarithmic scale, with
//! the spread of the pairs as a line. To the left of 1 is less than Kafka.

use crate::finding::{Numbers, RowResult, StationResult};
use crate::metric::Metric;
use crate::report::digits::digits;
use std::fmt::Write;

/// What matters most, first.
const SHOWN: [Metric; 7] = [
    Metric::CpuPerRequest,
    Metric::CpuPerGigabyte,
    Metric::Requests,
    Metric::End99,
    Metric::Ack99,
    Metric::Start,
    Metric::Duration,
];
const WIDTH: f64 = 900.0;
const LEFT: f64 = 380.0;
const RIGHT: f64 = 60.0;
const LINE: usize = 26;
/// Powers of ten on either side of 1.
const DECADES: f64 = 3.0;

/// The name of its file.
pub fn file(station: &StationResult) -> String {
    let letter =
        |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let name: String = station.name.chars().map(letter).collect();
    let parts: Vec<&str> = name.split('-').filter(|part| !part.is_empty()).collect();
    format!("{}.svg", parts.join("-"))
}

/// The picture.
pub fn svg(station: &StationResult) -> String {
    let bars: Vec<(&RowResult, &Numbers)> = station
        .rows
        .iter()
        .flat_map(|row| shown(row).into_iter().map(move |numbers| (row, numbers)))
        .collect();
    let height = LINE * (bars.len() + 3);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"8\" y=\"18\" font-size=\"14\">{}: ours / Kafka</text>\n",
        escaped(&station.name)
    );
    for power in -3..=3 {
        let x = place(10_f64.powi(power));
        let colour = if power == 0 { "#555" } else { "#ddd" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{LINE}\" y2=\"{}\" stroke=\"{colour}\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555\">{}</text>",
            height - LINE,
            height - 8,
            10_f64.powi(power)
        );
    }
    for (at, (row, numbers)) in bars.iter().enumerate() {
        svg.push_str(&bar(row, numbers, (at + 1) * LINE));
    }
    svg.push_str("</svg>\n");
    svg
}

/// At most two numbers of a row: those with a promise, else the first that it has.
fn shown(row: &RowResult) -> Vec<&Numbers> {
    let promised: Vec<&Numbers> =
        row.numbers.iter().filter(|numbers| numbers.goal.is_some() && numbers.ratio.is_some()).collect();
    if !promised.is_empty() {
        return promised;
    }
    let first = SHOWN.iter().find_map(|metric| {
        row.numbers.iter().find(|numbers| numbers.metric == *metric && numbers.ratio.is_some())
    });
    first.into_iter().collect()
}

fn bar(row: &RowResult, numbers: &Numbers, top: usize) -> String {
    let Some(ratio) = numbers.ratio else { return String::new() };
    let is_better = (ratio.median > 1.0) == numbers.metric.is_better_high();
    let colour = if is_better { "#2a7f62" } else { "#b0413e" };
    let (one, end) = (place(1.0), place(ratio.median));
    let (x, width) = (one.min(end), (one - end).abs().max(1.0));
    let middle = top + LINE / 2;
    let label = format!("{}, {}", row.name, numbers.metric.name());
    let promised = numbers.goal.map_or(String::new(), |goal| {
        let x = place(goal.ratio);
        format!("<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{}\" stroke=\"#d0a000\" stroke-width=\"2\"/>", top + LINE - 6)
    });
    format!(
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{x:.1}\" y=\"{}\" width=\"{width:.1}\" height=\"{}\" fill=\"{colour}\"/>\
         <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle}\" y2=\"{middle}\" stroke=\"black\"/>{promised}\
         <text x=\"{:.1}\" y=\"{}\">{}</text>\n",
        LEFT - 10.0,
        middle + 4,
        escaped(&label),
        top + 5,
        LINE - 10,
        place(ratio.least),
        place(ratio.most),
        WIDTH - RIGHT + 8.0,
        middle + 4,
        digits(ratio.median),
    )
}

/// Where a ratio stands.
fn place(ratio: f64) -> f64 {
    let share = (ratio.max(1e-9).log10() / DECADES).clamp(-1.0, 1.0);
    LEFT + (WIDTH - LEFT - RIGHT) * f64::midpoint(share, 1.0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::{Durability, Setup};
    use crate::statistics::Spread;

    fn station(ratio: f64) -> StationResult {
        let numbers = Numbers {
            metric: Metric::CpuPerRequest,
            ours: vec![],
            kafka: vec![],
            ratios: vec![ratio],
            ratio: Spread::of(&[ratio]),
            noise: None,
            goal: None,
        };
        let row =
            RowResult { name: "a < b".into(), what: String::new(), numbers: vec![numbers], failures: vec![] };
        StationResult {
            name: "three nodes, 2 ms".into(),
            about: String::new(),
            setup: Setup { nodes: 3, durability: Durability::Flushed, flush_delay_us: 0 },
            measured: String::new(),
            ours_warm: vec![],
            kafka_warm: vec![],
            ours_settings: String::new(),
            kafka_settings: String::new(),
            rows: vec![row],
        }
    }

    #[test]
    fn less_of_a_cost_is_green_and_more_is_red() {
        assert!(svg(&station(0.1)).contains("#2a7f62") && !svg(&station(0.1)).contains("#b0413e"));
        assert!(svg(&station(3.0)).contains("#b0413e"));
    }

    #[test]
    fn a_name_is_a_plain_file_and_a_plain_text() {
        assert_eq!(file(&station(1.0)), "three-nodes-2-ms.svg");
        assert!(svg(&station(1.0)).contains("a &lt; b"));
    }

    #[test]
    fn what_is_off_the_scale_stands_at_its_end() {
        assert!((place(1e-6) - LEFT).abs() < 1e-6);
        assert!((place(1e6) - (WIDTH - RIGHT)).abs() < 1e-6);
    }
}
