//! The page: what is on a reel, as one file of HTML that needs nothing else.
//!
//! Three texts of ours (`page.html`, `page.css`, `page.js`) and one of data, as JSON in an element that no browser
//! runs. The script puts words from the run on the page as text only; in the JSON no `<` is left, so that none of them
//! can end its element.
//!
//! Each kind of data has a share of the page's bytes and is written the newest first until that is used up: the bound
//! holds for every run by how the page is made. What was left out is counted, and since when a kind is there in full
//! is said.
//!
//! Invariant: head + texts + shares < [`BYTES_MAX`].

use super::messages::{Fate, Message, Weight};
use super::operations::{self, Operation};
use super::replicas::{Role, Stretch};
use super::works::{self, Work};
use super::{Ending, Reel, Trouble};
use serde::Serialize;
use serde_json::{Value, json};

/// Bytes of a page at most.
pub const BYTES_MAX: usize = 2_000_000;

const HTML: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What was set up, and how it ended.
const HEAD_SHARE: usize = 40_000;
/// Faults.
const FAULTS_SHARE: usize = 60_000;
/// Lives.
const LIVES_SHARE: usize = 60_000;
/// Names of partitions.
const PARTITIONS_SHARE: usize = 40_000;
/// Roles and terms.
const STRETCHES_SHARE: usize = 250_000;
/// Messages.
const MESSAGES_SHARE: usize = 540_000;
/// Signs of life.
const SIGNS_SHARE: usize = 90_000;
/// Operations of clients.
const OPERATIONS_SHARE: usize = 270_000;
/// Works of disks.
const WORKS_SHARE: usize = 110_000;
/// Notes.
const NOTES_SHARE: usize = 100_000;
/// Lines.
const LINES_SHARE: usize = 370_000;
/// For what stands between them.
const FRAME: usize = 4_000;

const _: () = assert!(
    HTML.len()
        + STYLE.len()
        + SCRIPT.len()
        + HEAD_SHARE
        + FAULTS_SHARE
        + LIVES_SHARE
        + PARTITIONS_SHARE
        + STRETCHES_SHARE
        + MESSAGES_SHARE
        + SIGNS_SHARE
        + OPERATIONS_SHARE
        + WORKS_SHARE
        + NOTES_SHARE
        + LINES_SHARE
        + FRAME
        < BYTES_MAX
);

/// Of a share with older items, what these may have at most: one part of so many.
const OLDER_PART: usize = 4;

/// A list on the page.
struct List {
    text: String,
    bytes_max: usize,
    written: u64,
    left_out: u64,
}

impl List {
    fn new(bytes_max: usize) -> List {
        List { text: "[".to_owned(), bytes_max, written: 0, left_out: 0 }
    }

    /// True if there was room.
    fn push(&mut self, item: &impl Serialize) -> bool {
        let text = safe(item);
        let has_room = self.text.len() + text.len() + 3 <= self.bytes_max;
        if has_room {
            if self.written > 0 {
                self.text.push_str(",\n");
            }
            self.text.push_str(&text);
            self.written += 1;
        } else {
            self.left_out += 1;
        }
        has_room
    }

    fn of(bytes_max: usize, items: impl Iterator<Item = impl Serialize>) -> List {
        let mut list = List::new(bytes_max);
        items.for_each(|item| {
            list.push(&item);
        });
        list
    }

    /// The newest in full, since when that is so, and a few that are older.
    fn of_newest<T>(
        bytes_max: usize,
        newest: impl Iterator<Item = T>,
        older: impl Iterator<Item = T>,
        ended_us: impl Fn(&T) -> Option<u64>,
        row: impl Fn(&T) -> Value,
        left_out: u64,
    ) -> (List, u64) {
        let mut list = List::new(bytes_max / OLDER_PART);
        let _ = older.take_while(|item| list.push(&row(item))).count();
        list.bytes_max = bytes_max;
        let before = list.left_out;
        let mut since_us = u64::MAX;
        for item in newest {
            if list.left_out > before || !list.push(&row(&item)) {
                list.left_out += 1;
                continue;
            }
            since_us = ended_us(&item).unwrap_or(u64::MAX).min(since_us);
        }
        let is_all = list.left_out == 0 && left_out == 0;
        list.left_out += left_out;
        (list, if is_all { 0 } else { since_us })
    }

    fn end(&self) -> String {
        format!("{}]", self.text)
    }
}

/// The page of a reel.
pub(super) fn write(reel: &Reel, ending: &Ending<'_>, named: &dyn Fn(&str) -> String) -> String {
    let metadata = rust_mq_core::resident::METADATA.to_string();
    let named = &|words: &str| named(words).replace(&metadata, METADATA);
    let names: Vec<String> = reel.replicas.partitions().iter().map(|of| named(&of.to_string())).collect();
    let signs = reel.messages.signs().filter(|sign| sign.to.is_some());
    let signs = List::of(SIGNS_SHARE, signs.map(|sign| message_row(sign, reel.script.late_us, named)));
    let (messages, messages_us) = messages(reel, named);
    let (operations, operations_us) = operations(reel, named);
    let works = List::of(WORKS_SHARE, reel.works.all().map(|work| work_row(work, named)));
    let notes = reel.notes.newest().chain(reel.notes.older());
    let notes = List::of(
        NOTES_SHARE,
        notes.map(|note| json!([note.at_us, site_or_none(note.site), named(&note.words)])),
    );
    let lines = reel.lines.newest().map(|line| json!([line.at_us, line.step, named(&line.words)]));
    let mut lines_us = 0;
    let lines = List::of(LINES_SHARE, lines);
    if lines.left_out + reel.lines.left_out() > 0 {
        let first = reel.lines.newest().take(lines.written as usize).last();
        lines_us = first.map_or(u64::MAX, |line| line.at_us);
    }
    let stretches = List::of(STRETCHES_SHARE, in_order(reel, &names, ending).map(stretch_row));
    let lives = reel
        .lives
        .all()
        .map(|life| json!([life.site, life.boot, u8::from(life.is_paused), life.from_us, life.to_us]));
    let faults = reel.troubles.spans().map(|(number, from_us, to_us)| {
        let Trouble { name, words, sites, clients } = &reel.script.faults[number];
        json!([name, words, from_us, to_us, sites, clients])
    });
    let head = json!({
        "since": {"messages": messages_us, "operations": operations_us, "lines": lines_us},
        "left_out": {
            "messages": messages.left_out,
            "operations": operations.left_out,
            "works": works.left_out + reel.works.left_out(),
            "stretches": stretches.left_out + reel.replicas.left_out(),
        },
    });
    let parts = [
        ("head", head_of(reel, ending, &names)),
        ("kept", safe(&head)),
        ("partitions", List::of(PARTITIONS_SHARE, names.iter()).end()),
        ("faults", List::of(FAULTS_SHARE, faults).end()),
        ("lives", List::of(LIVES_SHARE, lives).end()),
        ("stretches", stretches.end()),
        ("messages", messages.end()),
        ("signs", signs.end()),
        ("operations", operations.end()),
        ("works", works.end()),
        ("notes", notes.end()),
        ("lines", lines.end()),
    ];
    let data = parts.map(|(name, text)| format!("\"{name}\":{text}")).join(",\n");
    let title = match ending.failure {
        Some(failure) => format!("seed {}: {} broken", reel.script.seed, failure.claim),
        None => format!("seed {}: green", reel.script.seed),
    };
    // The data last: nothing in it is looked through for a place of ours.
    HTML.replace("{title}", &title)
        .replace("{style}", STYLE)
        .replace("{script}", SCRIPT)
        .replace("{data}", &format!("{{{data}}}"))
}

/// What was set up and how it ended.
fn head_of(reel: &Reel, ending: &Ending<'_>, names: &[String]) -> String {
    let broken = ending.failure.map(|failure| {
        let mut sites: Vec<usize> =
            (0..reel.script.sites).filter(|site| names_site(&failure.words, *site)).collect();
        if sites.is_empty() {
            // It broke in somebody's turn.
            sites.extend(
                reel.turned.filter(|(_, at_us)| *at_us == failure.at_ns / 1_000).map(|(site, _)| site),
            );
        }
        json!({
            "claim": failure.claim.to_string(),
            "step": failure.step,
            "at": failure.at_ns / 1_000,
            "words": super::cut(failure.words.clone(), HEAD_SHARE / 40),
            "sites": sites,
        })
    });
    let setting = List::of(HEAD_SHARE / 2, reel.script.setting.iter()).end();
    let clients = List::of(HEAD_SHARE / 4, reel.script.clients.iter()).end();
    let rest = json!({
        "seed": reel.script.seed.to_string(),
        "sites": reel.script.sites,
        "late": reel.script.late_us,
        "end": ending.at_ns / 1_000,
        "step": ending.step,
        "is_whole": ending.is_whole,
        "broken": broken,
        "partition": meant(reel, names, ending),
    });
    let rest = safe(&rest);
    let rest = rest.strip_prefix('{').expect("an object begins so");
    format!("{{\"setting\":{setting},\n\"clients\":{clients},\n{rest}")
}

/// The stretches of the partition that the claim names and of the metadata first, so that they lack nothing.
fn in_order<'a>(
    reel: &'a Reel,
    names: &[String],
    ending: &Ending<'_>,
) -> impl Iterator<Item = &'a Stretch> + 'a {
    let named = meant(reel, names, ending);
    let metadata = names.iter().position(|name| name == METADATA);
    let is_first = move |stretch: &&Stretch| [named, metadata].contains(&Some(stretch.partition));
    let first = reel.replicas.stretches().filter(is_first);
    first.chain(reel.replicas.stretches().filter(move |stretch| !is_first(stretch)))
}

/// The name of the metadata's partition on the page.
const METADATA: &str = "metadata";

/// The partition that the broken claim is about, by its name or by its replica's.
fn meant(reel: &Reel, names: &[String], ending: &Ending<'_>) -> Option<usize> {
    let words = &ending.failure?.words;
    partition_named(words, names).or_else(|| reel.replicas.partition_in(words))
}

/// The number of the partition that words name, if there is one.
fn partition_named(words: &str, names: &[String]) -> Option<usize> {
    let is_named = |name: &str| {
        words.match_indices(name).any(|(at, _)| {
            let is_part = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
            !words[..at].ends_with(is_part) && !words[at + name.len()..].starts_with(is_part)
        })
    };
    // Of several topics that had the name, one after the other, the last.
    names.iter().rposition(|name| is_named(name))
}

fn names_site(words: &str, site: usize) -> bool {
    let name = format!("n{}", site + 1);
    words.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == name)
}

fn messages(reel: &Reel, named: &dyn Fn(&str) -> String) -> (List, u64) {
    let late_us = reel.script.late_us;
    let is_known = |message: &&Message| message.to.is_some();
    List::of_newest(
        MESSAGES_SHARE,
        reel.messages.newest().filter(is_known),
        reel.messages.older().filter(is_known),
        |message| message.ended_us,
        |message| message_row(message, late_us, named),
        reel.messages.left_out(),
    )
}

fn message_row(message: &Message, late_us: u64, named: &dyn Fn(&str) -> String) -> Value {
    let is_late = message.ended_us.is_some_and(|ended_us| ended_us - message.sent_us > late_us);
    let fate = match message.fate {
        Fate::Flying => 0,
        Fate::Came => 1,
        Fate::Lost => 2,
    };
    let weight = match message.weight {
        Weight::Sign => 0,
        Weight::Answer => 1,
        Weight::Content => 2,
        Weight::Vote => 3,
    };
    json!([
        message.from,
        message.to,
        message.sent_us,
        message.ended_us,
        fate,
        weight,
        u8::from(is_late) | u8::from(message.is_doubled) << 1,
        named(&message.words),
        message.partitions,
    ])
}

fn operations(reel: &Reel, named: &dyn Fn(&str) -> String) -> (List, u64) {
    List::of_newest(
        OPERATIONS_SHARE,
        reel.operations.newest(),
        reel.operations.older(),
        |operation| operation.to_us,
        |operation| operation_row(operation, named),
        reel.operations.left_out(),
    )
}

fn operation_row(operation: &Operation, named: &dyn Fn(&str) -> String) -> Value {
    let end = match operation.end {
        operations::End::Open => 0,
        operations::End::Well => 1,
        operations::End::Refused => 2,
        operations::End::Lost => 3,
    };
    json!([
        operation.client,
        operation.site,
        operation.from_us,
        operation.to_us,
        end,
        named(&operation.question),
        operation.answer,
    ])
}

fn work_row(work: &Work, named: &dyn Fn(&str) -> String) -> Value {
    let end = match work.end {
        works::End::Open => 0,
        works::End::Well => 1,
        works::End::Failed => 2,
        works::End::Lost => 3,
    };
    json!([work.site, work.from_us, work.to_us, end, named(&work.words)])
}

fn stretch_row(stretch: &Stretch) -> Value {
    let role = match stretch.role {
        Role::Leader => 0,
        Role::Follower => 1,
        Role::Candidate => 2,
        Role::Waiting => 3,
    };
    json!([
        stretch.site,
        stretch.partition,
        stretch.from_us,
        stretch.to_us,
        role,
        stretch.term,
        site_or_none(stretch.leader),
        stretch.last,
        stretch.durable,
        stretch.commit,
        stretch.high_watermark,
        stretch.replica,
    ])
}

fn site_or_none(site: Option<usize>) -> i64 {
    site.map_or(-1, |site| site as i64)
}

/// JSON in which nothing can end the element that holds it, or begin another.
fn safe(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("plain data");
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::super::{Film, Script};
    use super::*;
    use crate::claims::{Claim, Failure};

    const EVIL: &str = "</script><img src=x onerror=alert(1)>&lt; \u{2028} {style} {data} \"'`";

    fn ending(failure: &Failure) -> Ending<'_> {
        Ending { failure: Some(failure), at_ns: 1_000_000, step: 5, is_whole: true }
    }

    fn evil() -> (Film, Failure) {
        let trouble = Trouble { name: EVIL.into(), words: EVIL.into(), sites: vec![0], clients: vec![0] };
        let script = Script {
            sites: 1,
            clients: vec![EVIL.into()],
            faults: vec![trouble],
            setting: vec![EVIL.into()],
            ..Script::default()
        };
        let mut film = Film::new(Some(script));
        film.look(&[], &[true]);
        film.note(format_args!("{EVIL}"));
        film.line(1, format_args!("n1 {EVIL}"));
        film.asks(0, 0, 1, format_args!("{EVIL}"));
        (film, Failure { claim: Claim::C3, step: 5, at_ns: 1_000_000, words: EVIL.into() })
    }

    fn data_of(page: &str) -> &str {
        let (_, rest) = page.split_once("type=\"application/json\">").expect("there is data");
        rest.split_once("</script>").expect("it ends").0
    }

    #[test]
    fn nothing_from_a_run_can_become_markup() {
        let (film, failure) = evil();
        let page = film.page(&ending(&failure), &str::to_owned).expect("it was asked for");
        let clean = Film::new(Some(Script::default())).page(&ending(&failure), &str::to_owned);
        let tags = |page: &str| page.matches('<').count();
        assert_eq!(tags(&page), tags(&clean.expect("it was asked for")), "words of the run made an element");
        let data: Value = serde_json::from_str(data_of(&page)).expect("the data is JSON");
        for place in ["/head/setting/0", "/head/clients/0", "/head/broken/words", "/faults/0/0", "/notes/0/2"]
        {
            assert_eq!(data.pointer(place).and_then(Value::as_str), Some(EVIL), "{place}");
        }
        assert_eq!(data["lines"][0][2], format!("n1 {EVIL}"));
        assert_eq!(data["operations"][0][5], EVIL);
    }

    /// Whatever was recorded, in the worst of all runs.
    #[test]
    fn a_page_is_bounded() {
        let long = "<".repeat(5_000);
        let trouble = Trouble { name: long.clone(), words: long.clone(), ..Trouble::default() };
        let script = Script {
            sites: 1,
            clients: vec![long.clone(); 50],
            faults: vec![trouble; 500],
            setting: vec![long.clone(); 50],
            ..Script::default()
        };
        let mut film = Film::new(Some(script));
        film.look(&[], &[true; 500]);
        for number in 0..20_000 {
            film.step(number as u64 * 1_000_000);
            film.note(format_args!("{long}"));
            film.line(1, format_args!("{long}"));
            film.asks(0, 0, number, format_args!("{long}"));
            film.hung_up(0, 0);
        }
        let failure = Failure { claim: Claim::C3, step: 5, at_ns: 1, words: long };
        let page = film.page(&ending(&failure), &str::to_owned).expect("it was asked for");
        assert!(page.len() < BYTES_MAX, "{} bytes", page.len());
        let data: Value = serde_json::from_str(data_of(&page)).expect("the data is JSON");
        assert!(
            data["kept"]["left_out"]["operations"].as_u64() > Some(10_000),
            "what is left out is counted"
        );
        assert!(
            data["kept"]["since"]["operations"].as_u64() > Some(10_000_000),
            "and since when all is there"
        );
    }

    #[test]
    fn a_partition_is_known_by_its_whole_name() {
        let names = ["metadata", "t0/1", "t0/12", "t1/0"].map(str::to_owned);
        assert_eq!(partition_named("t0/12: the batch", &names), Some(2));
        assert_eq!(partition_named("seen of t1/0 (n2)", &names), Some(3));
        assert_eq!(partition_named("of xt1/0", &names), None);
        assert!(names_site("n2 and n3", 1) && !names_site("n21", 1));
    }
}
