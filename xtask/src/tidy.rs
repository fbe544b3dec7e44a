//! The rules of this repository that no other tool checks, checked by reading its files.
//!
//! A rule is a function from the [`Tree`] to findings; none needs the file system, so that tests
//! can plant violations. Exceptions stand in the rule's own list, each with a reason, and an
//! exception that is no longer needed is a finding too: lists can only shrink.
//!
//! Reading order: [`tree`] → [`arrows`] → [`shape`] → [`source`] → [`clocks`] → [`words`].

use std::fmt;

mod arrows;
mod clocks;
mod shape;
mod source;
mod tree;
mod words;

pub use tree::Tree;

/// A broken rule, or a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Path from the root of the checkout.
    pub path: String,
    /// Line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong, and what to do.
    pub message: String,
    /// Whether it is only a warning.
    pub is_warning: bool,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, message: message.into(), is_warning: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_warning { "warning: " } else { "" };
        match self.line {
            0 => write!(f, "{}: {kind}{}", self.path, self.message),
            line => write!(f, "{}:{line}: {kind}{}", self.path, self.message),
        }
    }
}

/// Applies all rules.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let rules = [arrows::check, shape::check, source::check, clocks::check, words::check];
    rules.iter().flat_map(|rule| rule(tree)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_tree_has_no_findings_and_every_rule_is_applied() {
        let clean = [
            ("crates/core/Cargo.toml", "[dependencies]\nserde.workspace = true\n"),
            ("crates/core/src/lib.rs", "//! Words.\n\npub mod time;\n"),
        ];
        assert_eq!(check(&Tree::of(&clean)), []);
        let dirty = [
            ("crates/core/Cargo.toml", "[dependencies]\nheadwater-api.workspace = true\n"),
            ("crates/core/src/a.rs", "pub fn a() {}\n"),
            ("crates/core/src/mod.rs", "//! No.\n"),
            ("crates/core/src/b.rs", concat!("//! B.\nfn b() { Instant", "::now(); }\n")),
            ("README.md", concat!("see crates", ".io\n")),
        ];
        let found = check(&Tree::of(&dirty));
        let lines: Vec<String> = found.iter().map(|f| f.to_string()).collect();
        for path in dirty.map(|(path, _)| path) {
            assert!(lines.iter().any(|line| line.starts_with(path)), "{path}: {lines:#?}");
        }
    }
}
