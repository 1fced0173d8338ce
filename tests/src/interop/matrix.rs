//! What came of the plays, as it is kept and as it is shown. `tests/interop/results.jsonl` holds the newest run of each
//! step, a line each; from it follow `docs/clients.md` and the short form in README.md between its two markers.
//!
//! Invariant: the page and the short form are what the results render to (a test in `tests/tests/interop.rs`).

use super::Verdict;
use super::acts::{Done, step_names, tool_names};
use super::roster::ROSTER;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Where the results are kept.
pub const RESULTS: &str = "tests/interop/results.jsonl";
/// The page that they render to.
pub const PAGE: &str = "docs/clients.md";
/// What stands before and behind the short form in README.md.
const MARKERS: [&str; 2] = ["<!-- clients: written by `interop` -->\n", "<!-- /clients -->\n"];

const SCENES: [&str; 2] = ["one node", "three nodes"];
const CODECS: [&str; 4] = ["gzip", "snappy", "lz4", "zstd"];

/// Failures whose cause was found: client, step, what.
const CAUSES: [(&str, &str, &str); 2] = [
    (
        "kafka-go",
        "leader dies",
        "during the election Metadata names no leader (Kafka goes on naming the dead one until there is another), and \
         its Writer tries again after a refused connection, but not after that",
    ),
    (
        "platformatic",
        "coordinator dies",
        "its consumer never lets go of the coordinator that it found first (`#coordinatorId` in its \
         `dist/clients/consumer/consumer.js` is only ever set), and asks nobody else until that node is back",
    ),
];

/// A file of the workspace.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is in the workspace").join(name)
}

/// A step as a line of JSON.
pub fn line(done: &Done) -> String {
    let (ok, why) = match &done.verdict {
        Verdict::Fine(note) => (json!(true), note),
        Verdict::NotOffered(why) => (json!(null), why),
        Verdict::Wrong(why) => (json!(false), why),
    };
    let Done { client, version, scene, step, verdict: _, millis } = done;
    json!({ "client": client, "version": version, "scene": scene, "name": step, "ok": ok, "why": why, "milliseconds": millis })
        .to_string()
}

/// The steps of lines of JSON.
///
/// # Panics
///
/// When a line is none of [`line()`]'s.
pub fn parse(text: &str) -> Vec<Done> {
    text.lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let word = |key: &str| value[key].as_str().unwrap_or_else(|| panic!("{line}: {key}")).to_owned();
            let verdict = match value["ok"].as_bool() {
                Some(true) => Verdict::Fine(word("why")),
                Some(false) => Verdict::Wrong(word("why")),
                None => Verdict::NotOffered(word("why")),
            };
            let millis = value["milliseconds"].as_u64().unwrap_or_else(|| panic!("{line}: milliseconds"));
            let (client, version) = (word("client"), word("version"));
            Done { client, version, scene: word("scene"), step: word("name"), verdict, millis }
        })
        .collect()
}

/// The newer of each step, in the order of the roster, the scenes and the play. Who is no longer on the roster is
/// left out.
pub fn merge(old: Vec<Done>, new: Vec<Done>) -> Vec<Done> {
    let mut merged = Vec::new();
    for entry in &ROSTER {
        for scene in SCENES {
            for step in step_names().chain(tool_names()) {
                let is_it =
                    |done: &&Done| done.client == entry.name && done.scene == scene && done.step == step;
                merged.extend(new.iter().rev().find(is_it).or_else(|| old.iter().find(is_it)).cloned());
            }
        }
    }
    merged
}

/// The page.
pub fn page(results: &[Done]) -> String {
    let mut text = String::from(
        "# Kafka's clients at work\n\n\
         Written by `cargo run -p tests --bin interop`, which runs every client below against one node and against \
         three of which a leader and a coordinator are killed with `kill -9` in the middle; what each step is stands \
         in `tests/src/interop/`, the clients' programs in `tests/interop/`. With names behind `--` it runs these \
         clients only and leaves the other rows as they are.\n\n\
         `yes`: what was read back was counted, nothing was lost, each partition was in order, and nothing came twice \
         but around a rebalance. `-`: the client offers no such thing. Numbers are seconds.\n",
    );
    for scene in SCENES {
        // Writing to a string cannot fail, here and below.
        let _ = write!(text, "\n## {}{}\n\n", scene[..1].to_uppercase(), &scene[1..]);
        table(&mut text, results, scene, &step_names().collect::<Vec<_>>());
    }
    text.push_str("\n## What only Kafka's own tools do\n");
    for scene in SCENES {
        let _ = write!(text, "\nOn {scene}:\n\n");
        table(&mut text, results, scene, &tool_names().collect::<Vec<_>>());
    }
    text.push_str("\n## Why\n\n");
    let remarks: BTreeSet<(usize, String)> = results.iter().filter_map(remark).collect();
    for (_, remark) in remarks {
        let _ = writeln!(text, "- {remark}");
    }
    text.push_str("\nFailures whose cause was found (`leader dies` of kafka-go depends on the moment):\n\n");
    for (client, step, why) in CAUSES {
        let _ = writeln!(text, "- {client}, {step}: {why}.");
    }
    text
}

/// Those of the steps that somebody did there, a row each client.
fn table(text: &mut String, results: &[Done], scene: &str, steps: &[&str]) {
    let there: Vec<&Done> = results.iter().filter(|done| done.scene == scene).collect();
    let steps: Vec<&&str> =
        steps.iter().filter(|step| there.iter().any(|done| done.step == **step)).collect();
    let names: String = steps.iter().map(|step| format!(" {step} |")).collect();
    let _ = writeln!(text, "| client | version |{names}");
    let _ = writeln!(text, "| --- | --- |{}", " --- |".repeat(steps.len()));
    for entry in &ROSTER {
        let mut row = String::new();
        let mut version = "";
        for step in &steps {
            let done = there.iter().find(|done| done.client == entry.name && done.step == **step);
            let cell = done.map_or_else(|| "not run".to_owned(), |done| cell(done));
            version = done.map_or(version, |done| &done.version);
            let _ = write!(row, " {cell} |");
        }
        if !version.is_empty() {
            let _ = writeln!(text, "| {} | {version} |{row}", entry.name);
        }
    }
}

fn cell(done: &Done) -> String {
    let seconds = format!("{}.{}", done.millis / 1000, done.millis % 1000 / 100);
    match &done.verdict {
        Verdict::Fine(_) => format!("yes {seconds}"),
        Verdict::NotOffered(_) => "-".to_owned(),
        Verdict::Wrong(_) => "**no**".to_owned(),
    }
}

/// What is to be said of a step, with its client's place on the roster.
fn remark(done: &Done) -> Option<(usize, String)> {
    let at = ROSTER.iter().position(|entry| entry.name == done.client)?;
    let (word, why, place) = match &done.verdict {
        Verdict::Fine(note) if note.is_empty() => return None,
        Verdict::Fine(note) => ("", note, format!(" on {}", done.scene)),
        Verdict::NotOffered(why) => ("not offered: ", why, String::new()),
        Verdict::Wrong(why) => ("fails: ", why, format!(" on {}", done.scene)),
    };
    Some((at, format!("{}, {}{place}: {word}{why}", done.client, done.step)))
}

/// The short form: of each client one row, both scenes in one.
pub fn short(results: &[Done]) -> String {
    let others: Vec<&str> = step_names().filter(|step| !CODECS.contains(step)).collect();
    let mut text = format!("| client | version | compression | {} |\n", others.join(" | "));
    let _ = writeln!(text, "| --- | --- | --- |{}", " --- |".repeat(others.len()));
    for entry in &ROSTER {
        let own: Vec<&Done> = results.iter().filter(|done| done.client == entry.name).collect();
        let Some(version) = own.first().map(|done| &done.version) else { continue };
        let works = CODECS.iter().filter(|codec| word(&own, codec) == "yes").count();
        let offered = CODECS.iter().filter(|codec| word(&own, codec) != "-").count();
        let cells = others.iter().map(|step| format!(" {} |", word(&own, step))).collect::<String>();
        let _ = writeln!(text, "| {} | {version} | {works} of {offered} |{cells}", entry.name);
    }
    text
}

fn word(own: &[&Done], step: &str) -> &'static str {
    let verdicts: Vec<&Verdict> =
        own.iter().filter(|done| done.step == step).map(|done| &done.verdict).collect();
    if verdicts.iter().any(|verdict| matches!(verdict, Verdict::Wrong(_))) || verdicts.is_empty() {
        "**no**"
    } else if verdicts.iter().all(|verdict| matches!(verdict, Verdict::NotOffered(_))) {
        "-"
    } else {
        "yes"
    }
}

/// README.md with another short form.
///
/// # Panics
///
/// When it has lost a marker.
pub fn with_short(readme: &str, short: &str) -> String {
    let (before, rest) = readme.split_once(MARKERS[0]).expect("README.md has the first marker");
    let (_, after) = rest.split_once(MARKERS[1]).expect("README.md has the second marker");
    format!("{before}{}{short}{}{after}", MARKERS[0], MARKERS[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(scene: &str, step: &str, verdict: Verdict) -> Done {
        let (client, version) = (ROSTER[0].name.to_owned(), "1.0".to_owned());
        Done { client, version, scene: scene.to_owned(), step: step.to_owned(), verdict, millis: 1234 }
    }

    #[test]
    fn lines_are_read_back() {
        let all = [
            done("one node", "topics", Verdict::Fine(String::new())),
            done("one node", "zstd", Verdict::NotOffered("it has none".to_owned())),
            done("three nodes", "group", Verdict::Wrong("1 lost".to_owned())),
        ];
        let text: String = all.iter().map(|done| line(done) + "\n").collect();
        assert_eq!(parse(&text), all);
    }

    #[test]
    fn a_failure_on_one_scene_is_a_no_and_is_explained() {
        let mut all = vec![
            done("one node", "topics", Verdict::Fine(String::new())),
            done("three nodes", "topics", Verdict::Wrong("1 lost".to_owned())),
            done("one node", "zstd", Verdict::NotOffered("it has none".to_owned())),
        ];
        assert!(short(&all).contains("| 0 of 3 | **no** |"), "{}", short(&all));
        let page = page(&all);
        assert!(page.contains("topics on three nodes: fails: 1 lost"), "{page}");
        assert!(page.contains("zstd: not offered: it has none"), "{page}");
        let newer = done("three nodes", "topics", Verdict::Fine(String::new()));
        all = merge(all, vec![newer]);
        assert!(short(&all).contains("| 0 of 3 | yes |"), "{}", short(&all));
    }

    #[test]
    fn the_short_form_stands_between_its_markers() {
        let readme = format!("a\n{}old\n{}b\n", MARKERS[0], MARKERS[1]);
        let expected = format!("a\n{}new\n{}b\n", MARKERS[0], MARKERS[1]);
        assert_eq!(with_short(&readme, "new\n"), expected);
    }
}
