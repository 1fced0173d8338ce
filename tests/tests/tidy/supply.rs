//! What we build on. `deny.toml` is the one list of version floors, bans, licences and accepted advisories;
//! `cargo deny` reads it in `.ci/run`, and this test holds Cargo.lock against its bans and sources without
//! any tool or network, so that `cargo test` alone already refuses a bad version.

use crate::tree::Tree;
use crate::{Breach, demand};
use semver::{Version, VersionReq};

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A crate we refuse: its name, which versions (all, if none is named), and why.
struct Ban {
    name: String,
    versions: VersionReq,
    reason: String,
}

fn table(tree: &Tree, path: &str) -> toml::Table {
    let text = tree.text(path).unwrap_or_else(|| panic!("{path} is missing"));
    text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text_of<'a>(value: &'a toml::Value, key: &str) -> &'a str {
    value.get(key).and_then(toml::Value::as_str).unwrap_or_default()
}

/// The rows of `[section] key = [..]`.
fn rows(table: &toml::Table, section: &str, key: &str) -> Vec<toml::Value> {
    table.get(section).and_then(|section| section.get(key)?.as_array().cloned()).unwrap_or_default()
}

fn bans(tree: &Tree) -> Vec<Ban> {
    let parse = |row: &toml::Value| {
        let (name, versions) = text_of(row, "crate").split_once('@').unwrap_or((text_of(row, "crate"), "*"));
        let versions =
            VersionReq::parse(versions).unwrap_or_else(|error| panic!("deny.toml, {name}: {error}"));
        Ban { name: name.to_owned(), versions, reason: text_of(row, "reason").to_owned() }
    };
    rows(&table(tree, "deny.toml"), "bans", "deny").iter().map(parse).collect()
}

fn locked(tree: &Tree) -> Vec<toml::Value> {
    table(tree, "Cargo.lock").get("package").and_then(toml::Value::as_array).cloned().unwrap_or_default()
}

fn banned_versions(tree: &Tree) -> Vec<Breach> {
    let bans = bans(tree);
    let mut breaches = Vec::new();
    for package in locked(tree) {
        let (name, version) = (text_of(&package, "name"), text_of(&package, "version"));
        let version = Version::parse(version).unwrap_or_else(|error| panic!("Cargo.lock, {name}: {error}"));
        for ban in bans.iter().filter(|ban| ban.name == name && ban.versions.matches(&version)) {
            breaches.push(Breach::new(
                "Cargo.lock",
                0,
                format!("{name} {version} is banned: {}", ban.reason),
            ));
        }
    }
    breaches
}

fn foreign_sources(tree: &Tree) -> Vec<Breach> {
    let packages = locked(tree);
    let foreign = packages.iter().filter(|package| !matches!(text_of(package, "source"), "" | REGISTRY));
    foreign
        .map(|package| {
            Breach::new(
                "Cargo.lock",
                0,
                format!("{} comes from {}", text_of(package, "name"), text_of(package, "source")),
            )
        })
        .collect()
}

fn without_reason(tree: &Tree) -> Vec<Breach> {
    let deny = table(tree, "deny.toml");
    let all = rows(&deny, "bans", "deny").into_iter().chain(rows(&deny, "advisories", "ignore"));
    let bare = all.filter(|row| text_of(row, "reason").len() < 10);
    bare.map(|row| {
        Breach::new(
            "deny.toml",
            0,
            format!("{}{} has no reason", text_of(&row, "crate"), text_of(&row, "id")),
        )
    })
    .collect()
}

/// Members that do not take the workspace's lints, or a workspace that no longer forbids unsafe code.
fn lax_lints(tree: &Tree) -> Vec<Breach> {
    let root = table(tree, "Cargo.toml");
    let mut breaches = Vec::new();
    if root["workspace"]
        .get("lints")
        .is_none_or(|lints| lints["rust"].get("unsafe_code").and_then(toml::Value::as_str) != Some("forbid"))
    {
        breaches.push(Breach::new("Cargo.toml", 0, "unsafe_code is not forbidden"));
    }
    for member in
        root["workspace"]["members"].as_array().into_iter().flatten().filter_map(toml::Value::as_str)
    {
        let path = format!("{member}/Cargo.toml");
        let inherits = table(tree, &path).get("lints").and_then(|lints| lints.get("workspace")?.as_bool());
        if inherits != Some(true) {
            breaches.push(Breach::new(&path, 0, "does not say `lints.workspace = true`"));
        }
    }
    breaches
}

#[test]
fn no_locked_version_is_banned() {
    let tree = Tree::of_this_workspace();
    demand(
        &banned_versions(tree),
        "`cargo update -p NAME`, or find another crate; the floors are those of known advisories",
    );
    assert!(bans(tree).len() >= 20, "deny.toml has lost its floors");
}

#[test]
fn every_dependency_comes_from_the_registry() {
    demand(&foreign_sources(Tree::of_this_workspace()), "depend on a released version");
}

#[test]
fn every_ban_and_every_accepted_advisory_has_a_reason() {
    demand(&without_reason(Tree::of_this_workspace()), "say in a sentence why");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    demand(&lax_lints(Tree::of_this_workspace()), "add `[lints]\nworkspace = true` to the member's manifest");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    const DENY: &str = "[bans]\ndeny = [{ crate = 'h2@<0.4.16', reason = 'empty DATA floods' }, { crate = 'atty', reason = '' }]";

    #[test]
    fn a_version_below_its_floor_and_a_banned_crate_are_caught() {
        let lock = "[[package]]\nname = 'h2'\nversion = '0.4.9'\n[[package]]\nname = 'atty'\nversion = '1.0.0'\n\
                    [[package]]\nname = 'h2'\nversion = '0.4.16'\n";
        let tree = Tree::of(&[("deny.toml", DENY), ("Cargo.lock", lock)]);
        assert_eq!(places(&banned_versions(&tree)), ["Cargo.lock:0", "Cargo.lock:0"]);
        assert_eq!(places(&without_reason(&tree)), ["deny.toml:0"]);
    }

    #[test]
    fn a_dependency_from_git_is_caught() {
        let lock = "[[package]]\nname = 'a'\nversion = '1.0.0'\nsource = 'git+https://example.org/a'\n";
        assert_eq!(places(&foreign_sources(&Tree::of(&[("Cargo.lock", lock)]))), ["Cargo.lock:0"]);
    }

    #[test]
    fn a_crate_with_lints_of_its_own_is_caught() {
        let tree = Tree::of(&[
            ("Cargo.toml", "workspace.members = ['core']\n[workspace.lints.rust]\nunsafe_code = 'deny'"),
            ("core/Cargo.toml", "[lints.rust]\nunused = 'allow'"),
        ]);
        assert_eq!(places(&lax_lints(&tree)), ["Cargo.toml:0", "core/Cargo.toml:0"]);
    }
}
