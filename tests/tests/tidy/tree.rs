//! The checkout as data: every file that could be committed, with its text. Rules read this and never the
//! disk, so that a bad example is three lines of a test.
//!
//! Not here: what git ignores (build output, fuzz artifacts). The walk needs no git, so the rules also hold
//! in a source archive.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Folders and files that are made, not written. `.git` is a file in a linked worktree.
const SKIPPED: [&str; 7] =
    [".git", "target", ".bench", "artifacts", "coverage", "__pycache__", "Cargo.lock.orig"];

/// Paths relative to the root, with `/` between their parts; the text is empty where it is not UTF-8.
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    /// The workspace that this test belongs to.
    pub fn of_this_workspace() -> &'static Tree {
        static TREE: OnceLock<Tree> = OnceLock::new();
        TREE.get_or_init(|| {
            let mut files = BTreeMap::new();
            walk(&root(), "", &mut files);
            Tree(files)
        })
    }

    /// A made-up tree.
    pub fn of(files: &[(&str, &str)]) -> Tree {
        Tree(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    /// Every file with its text, by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Every Rust file below `folder` ("" is everything).
    pub fn rust<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files().filter(move |(path, _)| path.starts_with(folder) && path.ends_with(".rs"))
    }

    /// The text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Whether that file, or a folder with something in it, exists.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        self.0.contains_key(path)
            || self.0.range(folder.clone()..).next().is_some_and(|(name, _)| name.starts_with(&folder))
    }
}

/// The root of the workspace: one above this package.
pub fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it for every test it runs");
    Path::new(&package).parent().expect("the package lies within the workspace").to_owned()
}

fn walk(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a folder of the checkout can be listed") {
        let entry = entry.expect("a folder of the checkout can be listed");
        let name = entry.file_name().to_string_lossy().into_owned();
        if SKIPPED.contains(&name.as_str()) || name.ends_with(".profraw") {
            continue;
        }
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.file_type().expect("the kind of a listed file is known").is_dir() {
            walk(&entry.path(), &path, files);
        } else {
            let bytes = fs::read(entry.path()).expect("a file of the checkout can be read");
            files.insert(path, String::from_utf8(bytes).unwrap_or_default());
        }
    }
}
