//! The core has one door: of everything public on `Broker`, only `handle` may change it.

use crate::reading::{group, ident, is_punct, tokens};
use crate::tree::Tree;
use crate::{Breach, demand};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Public methods of `Broker` that take `&mut self`.
fn doors(tree: &Tree) -> Vec<(Breach, String)> {
    let mut found = Vec::new();
    for (path, text) in tree.rust("core/src/") {
        for body in impls_of_broker(tokens(path, text)) {
            for (line, name) in public_mutators(&body) {
                found.push((Breach::new(path, line, format!("`Broker::{name}` takes `&mut self`")), name));
            }
        }
    }
    found
}

fn second_doors(tree: &Tree) -> Vec<Breach> {
    doors(tree).into_iter().filter(|(_, name)| name != "handle").map(|(breach, _)| breach).collect()
}

/// Bodies of `impl Broker` and `impl .. for Broker`, wherever they stand.
fn impls_of_broker(tokens: TokenStream) -> Vec<Group> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    for (at, tree) in trees.iter().enumerate() {
        if let TokenTree::Group(inner) = tree {
            found.extend(impls_of_broker(inner.stream()));
        }
        if ident(Some(tree)).as_deref() != Some("impl") {
            continue;
        }
        let Some(end) = trees[at..].iter().position(|tree| group(Some(tree), Delimiter::Brace).is_some())
        else {
            continue;
        };
        let head = &trees[at..at + end];
        let subject = head
            .iter()
            .position(|tree| ident(Some(tree)).as_deref() == Some("for"))
            .map_or(head, |start| &head[start..]);
        if subject.iter().any(|tree| ident(Some(tree)).as_deref() == Some("Broker")) {
            found.extend(group(trees.get(at + end), Delimiter::Brace).cloned());
        }
    }
    found
}

fn public_mutators(body: &Group) -> Vec<(usize, String)> {
    let trees: Vec<TokenTree> = body.stream().into_iter().collect();
    let mut found = Vec::new();
    for (at, tree) in trees.iter().enumerate() {
        let is_public = ident(Some(tree)).as_deref() == Some("pub")
            && group(trees.get(at + 1), Delimiter::Parenthesis).is_none();
        let Some(name) =
            ident(trees.get(at + 2)).filter(|_| ident(trees.get(at + 1)).as_deref() == Some("fn"))
        else {
            continue;
        };
        let arguments = trees[at..].iter().find_map(|tree| group(Some(tree), Delimiter::Parenthesis));
        if is_public && arguments.is_some_and(takes_mut_self) {
            found.push((tree.span().start().line, name));
        }
    }
    found
}

fn takes_mut_self(arguments: &Group) -> bool {
    let trees: Vec<TokenTree> = arguments.stream().into_iter().collect();
    let first: Vec<&TokenTree> = trees.iter().take_while(|tree| !is_punct(Some(tree), ',')).collect();
    let has = |word: &str| first.iter().any(|tree| ident(Some(tree)).as_deref() == Some(word));
    is_punct(first.first().copied(), '&') && has("mut") && has("self")
}

#[test]
fn handle_is_the_only_public_method_that_changes_the_broker() {
    let tree = Tree::of_this_workspace();
    demand(&second_doors(tree), "make it an event, or keep it inside the crate");
    let has_broker = tree.rust("core/src/broker").next().is_some();
    assert!(
        !has_broker || !doors(tree).is_empty(),
        "core/src/broker has no `pub fn handle(&mut self, ..)` on Broker"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    #[test]
    fn a_second_door_is_caught_and_private_or_reading_ones_are_not() {
        let text = "impl Broker {\n pub fn handle(&mut self) {}\n pub fn poke(&mut self, x: u8) {}\n pub(crate) fn step(&mut self) {}\n \
                    pub fn look(&self, out: &mut X) {}\n}\nimpl Other { pub fn poke(&mut self) {} }";
        assert_eq!(
            places(&second_doors(&Tree::of(&[("core/src/broker/mod.rs", text)]))),
            ["core/src/broker/mod.rs:3"]
        );
    }
}
