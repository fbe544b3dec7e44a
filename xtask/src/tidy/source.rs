//! What must not be in the code: unfinished work, skipped tests, prints in libraries.

use super::{Finding, Tree};

/// Pieces are put together here, so that this file does not find itself.
const UNFINISHED: &[(&str, &str)] = &[
    (concat!("to", "do!"), "unfinished work"),
    (concat!("unimple", "mented!"), "unfinished work"),
    (concat!("db", "g!("), "a debugging aid"),
    (concat!("#[ig", "nore"), "a test that nobody runs: mend it or delete it"),
    (concat!("mod ut", "ils"), "a module named after nothing: name it after its one concept"),
];

const PRINTS: &[&str] = &[
    concat!("print", "ln!("),
    concat!("eprint", "ln!("),
    concat!("print", "!("),
    concat!("eprint", "!("),
];

/// What may write to the terminal, by the beginning of the path: programs, and what is the main
/// function of its user's program or test.
const PROGRAMS: &[&str] = &[
    "crates/cli/",
    "crates/headwater/src/cli",
    "crates/headwater/src/exit.rs",
    "crates/testkit/src/cases.rs",
    "crates/services/src/stderr.rs",
    "examples/",
    "xtask/",
];

/// The rules of this file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        let may_print = PROGRAMS.iter().any(|program| file.path.starts_with(program))
            || file.path.contains("/src/bin/")
            || !file.is_source();
        for (number, line) in file.code_lines() {
            for (pattern, why) in UNFINISHED {
                if has_word(line, pattern) {
                    let message = format!("`{pattern}`: {why}");
                    findings.push(Finding::new(&file.path, number, message));
                }
            }
            if !may_print && let Some(print) = PRINTS.iter().find(|p| has_word(line, p)) {
                let message = format!("`{print}..)` in a library: use tracing, or return it");
                findings.push(Finding::new(&file.path, number, message));
            }
        }
    }
    findings
}

/// Whether `pattern` is in the line and does not continue an identifier.
fn has_word(line: &str, pattern: &str) -> bool {
    line.match_indices(pattern).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, line: &str) -> usize {
        check(&Tree::of(&[(path, &format!("//! A.\n{line}\n"))])).len()
    }

    #[test]
    fn each_unfinished_piece_is_found_in_code_but_not_in_comments() {
        for (pattern, _) in UNFINISHED {
            assert_eq!(found("crates/a/src/b.rs", &format!("    {pattern}x)];")), 1, "{pattern}");
            assert_eq!(found("crates/a/tests/b.rs", &format!("let a = {pattern};")), 1);
            assert_eq!(found("crates/a/src/b.rs", &format!("    // never {pattern}")), 0);
            assert_eq!(found("crates/a/src/b.txt", pattern), 0);
        }
        let longer = UNFINISHED[0].0.replace('t', "my_t");
        assert_eq!(found("crates/a/src/b.rs", &longer), 0, "another macro");
    }

    #[test]
    fn libraries_do_not_print() {
        for print in PRINTS {
            let line = format!("{print}\"x\");");
            assert_eq!(found("crates/a/src/b.rs", &line), 1, "{print}");
            assert_eq!(found("crates/a/src/b.rs", &format!("/// {line}")), 0);
            for program in ["crates/cli/src/a.rs", "crates/a/src/bin/b.rs", "xtask/src/a.rs"] {
                assert_eq!(found(program, &line), 0, "{program}");
            }
            assert_eq!(found("crates/a/tests/b.rs", &line), 0);
        }
    }
}
