//! Reads Rust as tokens, which is enough for every rule and also sees into macros: the paths a file names,
//! the lines that hold code, its functions.
//!
//! A path is what stands between `::`: `use a::{b, c::d}` names `a::b` and `a::c::d`, an expression
//! `x.y(z::w())` names `x` and `z::w`. Doc comments are tokens too, and are skipped.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::collections::BTreeSet;

/// A path as it is written, with the inline modules around it.
#[derive(Debug)]
pub struct Named {
    /// From 1.
    pub line: usize,
    /// `crate`, `self` and `super` are segments; a glob ends in `*`.
    pub segments: Vec<String>,
    /// The inline modules (`mod x { .. }`) it stands in.
    pub inside: Vec<String>,
    /// Whether one of them is only built for tests.
    pub is_test: bool,
    /// Whether it stands in a `use`.
    pub is_import: bool,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of `fn`, from 1.
    pub line: usize,
    /// Lines from `fn` to the closing brace that hold code.
    pub code_lines: usize,
}

/// The tokens of a file.
pub fn tokens(path: &str, text: &str) -> TokenStream {
    text.parse().unwrap_or_else(|error| panic!("{path} is not Rust: {error}"))
}

/// Every path that `tokens` name, in order.
pub fn paths(tokens: TokenStream) -> Vec<Named> {
    let mut walk = Walk { found: Vec::new(), inside: Vec::new(), test_depth: 0, is_import: false };
    walk.stream(tokens);
    walk.found
}

/// Every function in `tokens`, those within functions too.
pub fn functions(tokens: &TokenStream) -> Vec<Function> {
    let mut lines = BTreeSet::new();
    mark_lines(tokens.clone(), &mut lines);
    let mut found = Vec::new();
    find_functions(tokens.clone(), &lines, &mut found);
    found
}

/// The identifier, without `r#`.
pub fn ident(tree: Option<&TokenTree>) -> Option<String> {
    match tree {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string().trim_start_matches("r#").to_owned()),
        _ => None,
    }
}

/// Whether the tree is this one character of punctuation.
pub fn is_punct(tree: Option<&TokenTree>, wanted: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// The group, if it has these delimiters.
pub fn group(tree: Option<&TokenTree>, wanted: Delimiter) -> Option<&Group> {
    match tree {
        Some(TokenTree::Group(group)) if group.delimiter() == wanted => Some(group),
        _ => None,
    }
}

struct Walk {
    found: Vec<Named>,
    inside: Vec<String>,
    test_depth: usize,
    is_import: bool,
}

impl Walk {
    fn stream(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        let mut is_for_tests = false;
        while at < trees.len() {
            if let Some(attribute) = attribute(&trees, at) {
                is_for_tests |= builds_for_tests(attribute);
                self.stream(attribute.stream());
                at += 2;
            } else if let Some(body) = module(&trees, at) {
                self.module(&trees[at + 1], body, is_for_tests);
                is_for_tests = false;
                at += 3;
            } else {
                // An attribute reaches as far as its item: to the next `;` or the end of a braced body.
                let ends_item =
                    is_punct(trees.get(at), ';') || group(trees.get(at), Delimiter::Brace).is_some();
                is_for_tests &= !ends_item;
                self.is_import |= ident(trees.get(at)).as_deref() == Some("use");
                self.is_import &= !ends_item;
                at = self.tree(&trees, at);
            }
        }
    }

    fn module(&mut self, name: &TokenTree, body: &Group, is_for_tests: bool) {
        self.inside.push(ident(Some(name)).unwrap_or_default());
        self.test_depth += usize::from(is_for_tests);
        self.stream(body.stream());
        self.test_depth -= usize::from(is_for_tests);
        self.inside.pop();
    }

    /// Takes one group, path or other token; returns where the next begins.
    fn tree(&mut self, trees: &[TokenTree], at: usize) -> usize {
        match &trees[at] {
            TokenTree::Group(group) => {
                self.stream(group.stream());
                at + 1
            }
            TokenTree::Ident(_) if starts_path(trees, at) => self.path(trees, at, Vec::new()),
            _ => at + 1,
        }
    }

    fn path(&mut self, trees: &[TokenTree], start: usize, mut segments: Vec<String>) -> usize {
        let line = trees[start].span().start().line;
        let mut at = start;
        while let Some(name) = ident(trees.get(at)) {
            segments.push(name);
            at += 1;
            if !is_path_separator(trees, at) {
                break;
            }
            at += 2;
            if let Some(list) = group(trees.get(at), Delimiter::Brace) {
                self.list(list, &segments);
                return at + 1;
            }
            if is_punct(trees.get(at), '*') {
                segments.push("*".to_owned());
                at += 1;
                break;
            }
        }
        self.name(line, segments);
        at
    }

    fn name(&mut self, line: usize, segments: Vec<String>) {
        let (inside, is_test) = (self.inside.clone(), self.test_depth > 0);
        self.found.push(Named { line, segments, inside, is_test, is_import: self.is_import });
    }

    /// The `{a, b::c}` of an import.
    fn list(&mut self, list: &Group, prefix: &[String]) {
        let trees: Vec<TokenTree> = list.stream().into_iter().collect();
        for piece in trees.split(|tree| is_punct(Some(tree), ',')) {
            if is_punct(piece.first(), '*') {
                let segments = prefix.iter().cloned().chain(["*".to_owned()]).collect();
                self.name(piece[0].span().start().line, segments);
            } else if !piece.is_empty() {
                self.path(piece, 0, prefix.to_vec());
            }
        }
    }
}

fn is_path_separator(trees: &[TokenTree], at: usize) -> bool {
    is_punct(trees.get(at), ':') && is_punct(trees.get(at + 1), ':')
}

/// Not after a `.` (a field or method), and not the tail of `<T as Trait>::Name`.
fn starts_path(trees: &[TokenTree], at: usize) -> bool {
    let before = |steps: usize| at.checked_sub(steps).and_then(|index| trees.get(index));
    let follows_separator = is_punct(before(1), ':') && is_punct(before(2), ':');
    let is_field = is_punct(before(1), '.') && !is_punct(before(2), '.');
    let is_tail = follows_separator && is_punct(before(3), '>');
    !is_field && !is_tail
}

/// The bracketed part of `#[..]`; of `#![..]` it is met one step later and has no `#` before it.
fn attribute(trees: &[TokenTree], at: usize) -> Option<&Group> {
    if is_punct(trees.get(at), '#') { group(trees.get(at + 1), Delimiter::Bracket) } else { None }
}

fn builds_for_tests(attribute: &Group) -> bool {
    let trees: Vec<TokenTree> = attribute.stream().into_iter().collect();
    let condition = group(trees.get(1), Delimiter::Parenthesis).map(|group| group.stream().to_string());
    ident(trees.first()).as_deref() == Some("cfg")
        && condition.is_some_and(|text| {
            text == "test" || text.starts_with("all (test") || text.starts_with("all(test")
        })
}

/// The body of the `mod name { .. }` that starts here.
fn module(trees: &[TokenTree], at: usize) -> Option<&Group> {
    let is_module = ident(trees.get(at)).as_deref() == Some("mod") && ident(trees.get(at + 1)).is_some();
    if is_module { group(trees.get(at + 2), Delimiter::Brace) } else { None }
}

fn mark_lines(tokens: TokenStream, lines: &mut BTreeSet<usize>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        let bracket = if is_punct(trees.get(at + 1), '!') { at + 2 } else { at + 1 };
        if is_punct(trees.get(at), '#') && group(trees.get(bracket), Delimiter::Bracket).is_some_and(is_doc) {
            at = bracket + 1;
            continue;
        }
        let span = trees[at].span();
        if let TokenTree::Group(group) = &trees[at] {
            lines.insert(span.start().line);
            lines.insert(span.end().line);
            mark_lines(group.stream(), lines);
        } else {
            lines.extend(span.start().line..=span.end().line);
        }
        at += 1;
    }
}

fn is_doc(attribute: &Group) -> bool {
    ident(attribute.stream().into_iter().next().as_ref()).as_deref() == Some("doc")
}

fn find_functions(tokens: TokenStream, lines: &BTreeSet<usize>, found: &mut Vec<Function>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        if let TokenTree::Group(group) = tree {
            find_functions(group.stream(), lines, found);
        }
        let (Some("fn"), Some(name)) = (ident(Some(tree)).as_deref(), ident(trees.get(at + 1))) else {
            continue;
        };
        let ends =
            |tree: &&TokenTree| is_punct(Some(tree), ';') || group(Some(tree), Delimiter::Brace).is_some();
        let Some(TokenTree::Group(body)) = trees[at..].iter().find(ends) else { continue };
        let (first, last) = (tree.span().start().line, body.span_close().end().line);
        found.push(Function { name, line: first, code_lines: lines.range(first..=last).count() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<String> {
        paths(tokens("example", text)).iter().map(|named| named.segments.join("::")).collect()
    }

    #[test]
    fn an_import_list_names_each_of_its_paths() {
        assert_eq!(named("use a::{b, c::{d, *}, self};"), ["use", "a::b", "a::c::d", "a::c::*", "a::self"]);
    }

    #[test]
    fn paths_in_macros_and_expressions_are_seen_and_fields_are_not() {
        assert_eq!(named("check!(x.y(crate::z::w()), ::std::fs)"), ["check", "x", "crate::z::w", "std::fs"]);
    }

    #[test]
    fn a_module_for_tests_marks_what_stands_in_it_and_no_more() {
        let text = "#[cfg(test)] mod tests { use a::b; } use c::d;";
        let marks: Vec<(String, bool)> = paths(tokens("example", text))
            .into_iter()
            .map(|named| (named.segments.join("::"), named.is_test))
            .collect();
        assert!(marks.contains(&("a::b".to_owned(), true)), "{marks:?}");
        assert!(marks.contains(&("c::d".to_owned(), false)), "{marks:?}");
    }

    #[test]
    fn blank_lines_and_comments_are_not_code() {
        let text = "fn short() {\n\n    // why\n    /// doc\n    let x = 1;\n    /* two\n    lines */\n}\n";
        let expected = Function { name: "short".to_owned(), line: 1, code_lines: 3 };
        assert_eq!(functions(&tokens("example", text)), [expected]);
    }
}
