//! `docs/settings.md` is the tables of `core/src/settings`, and nothing else. `RECORD=1 cargo test -p rust-mq-core --test
//! settings_page` writes it.

#![allow(clippy::disallowed_methods, reason = "the page is a file")]

use rust_mq_core::settings::{Acts, Row, Rule, Table};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md");

const HEAD: &str = "# Settings

What topics, brokers and consumer groups can be told (`kafka-configs`, or any client's admin). The names, defaults and bounds are Kafka's. A topic or group without a value of its own takes its broker's; a broker without one takes that of all brokers (the empty name), then what stands in its configuration. Written from the tables in `core/src/settings`; a test holds it to them.
";

fn may_be(row: &Row) -> String {
    let words =
        |served: &[&str]| served.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match &row.rule {
        Rule::Number(least, most) if *most == i64::MAX && *least == i64::MIN => "a number".into(),
        Rule::Number(least, most) if *most >= i64::from(i32::MAX) => format!("from {least}"),
        Rule::Number(least, most) => format!("{least} to {most}"),
        Rule::Flag => "`true`, `false`".into(),
        Rule::Off => "`false`".into(),
        Rule::Word(served, _) => words(served),
        Rule::Words(served, _) => format!("a list of {}, or empty", words(served)),
        Rule::Ratio => "0 to 1".into(),
        Rule::Replicas => "`*`, or a list of partition:node".into(),
        Rule::Told => "as the node says".into(),
    }
}

fn acts(row: &Row) -> &'static str {
    match row.acts {
        Acts::OnAppend => "what is taken",
        Acts::OnRetention => "what is kept",
        Acts::OnSegments => "segments",
        Acts::OnCreation => "new topics",
        Acts::OnGroups => "groups",
        Acts::Nowhere => "nothing",
        Acts::ReadOnly => "read-only",
    }
}

fn table(title: &str, table: Table) -> String {
    let mut text =
        format!("\n## {title}\n\n| name | default | may be | changes | |\n| --- | --- | --- | --- | --- |\n");
    for (name, row) in table.all() {
        let default = if row.default.is_empty() { String::new() } else { format!("`{}`", row.default) };
        let (may_be, acts, words) = (may_be(row), acts(row), row.documentation);
        let broker = if table != Table::Broker && !row.broker.is_empty() {
            format!(" A broker's: `{}`.", row.broker)
        } else {
            String::new()
        };
        text += &format!("| `{name}` | {default} | {may_be} | {acts} | {words}{broker} |\n");
    }
    text
}

#[test]
fn the_page_of_settings_is_the_tables() {
    let tables = [("Topics", Table::Topic), ("Brokers", Table::Broker), ("Consumer groups", Table::Group)];
    let page = HEAD.to_owned() + &tables.map(|(title, of)| table(title, of)).concat();
    if std::env::var("RECORD").is_ok_and(|value| value == "1") {
        std::fs::write(FILE, &page).expect("the folder is in the repository");
    }
    let known = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(known == page, "docs/settings.md is not what the tables say: RECORD=1 writes it anew");
}
