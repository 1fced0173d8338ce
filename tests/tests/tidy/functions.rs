//! The wall of 70 code lines a function (`CONTRIBUTING.md`, rule 5: 25 is the habit). A long function is a missing noun.

use crate::reading::{functions, tokens};
use crate::tree::Tree;
use crate::{Breach, demand};

/// Code lines a function may have: non-blank, and not only comment.
const LINES_MAX: usize = 70;

fn long_functions(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, text) in tree.rust("") {
        for function in functions(&tokens(path, text)) {
            if function.code_lines > LINES_MAX {
                let what = format!(
                    "`{}` has {} code lines, {LINES_MAX} are the wall",
                    function.name, function.code_lines
                );
                breaches.push(Breach::new(path, function.line, what));
            }
        }
    }
    breaches
}

#[test]
fn a_function_has_at_most_70_code_lines() {
    demand(
        &long_functions(Tree::of_this_workspace()),
        "find the noun that is missing and give it its own type; do not cut by line count",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places;

    fn function_of(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    #[test]
    fn a_function_of_71_lines_is_caught_and_one_of_70_is_not() {
        let tree = Tree::of(&[("core/src/a.rs", &function_of(71)), ("core/src/b.rs", &function_of(70))]);
        assert_eq!(places(&long_functions(&tree)), ["core/src/a.rs:1"]);
    }
}
