//! The shape of Rust files: length, width, header, name.

use super::{Finding, Tree};

/// From here on a file is worth splitting.
const WARN_LINES: usize = 500;
/// No file is longer.
const MOST_LINES: usize = 800;
/// No line is wider, in characters.
const MOST_COLUMNS: usize = 120;

/// Files that are longer than [`MOST_LINES`], with their length when they were let in; they may
/// only shrink. Path, lines, reason.
const LONG_FILES: &[(&str, usize, &str)] = &[];

/// Names that say nothing of what is inside.
const VAGUE_NAMES: &[&str] = &["utils.rs", "util.rs", "helpers.rs", "misc.rs", "mod.rs"];

/// The rules of this file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    check_with(tree, LONG_FILES)
}

fn check_with(tree: &Tree, long_files: &[(&str, usize, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        let mut find =
            |line, message: String| findings.push(Finding::new(&file.path, line, message));
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if VAGUE_NAMES.contains(&name) {
            find(0, format!("a file named {name}: name it after its one concept"));
        }
        // A module of tests belongs to the file that it tests, which has one.
        let of_tests = name == "tests.rs" || file.path.contains("/tests/");
        if file.is_source() && !of_tests && !file.text.starts_with("//!") {
            find(1, "no `//!` header that says what this file is".to_owned());
        }
        for (number, line) in file.lines() {
            let columns = line.chars().count();
            // A link or a text cannot be broken; tests quote messages as they are.
            let whole = line.contains("://") || line.contains('"') || of_tests;
            if columns > MOST_COLUMNS && !whole {
                find(number, format!("{columns} columns, {MOST_COLUMNS} are allowed"));
            }
        }
        let lines = file.text.lines().count();
        let allowed = long_files.iter().find(|(path, ..)| *path == file.path);
        let allowed = allowed.map_or(MOST_LINES, |(_, lines, _)| *lines);
        if lines > allowed {
            find(0, format!("{lines} lines, {allowed} are allowed: split it"));
        } else if lines > WARN_LINES {
            let message = format!("{lines} lines; from {WARN_LINES} on a file is worth splitting");
            let warning = Finding::new(&file.path, 0, message);
            findings.push(Finding { is_warning: true, ..warning });
        }
    }
    for (path, lines, _) in long_files {
        let now = tree.file(path).map_or(0, |file| file.text.lines().count());
        if now <= MOST_LINES {
            findings.push(Finding::new(path, 0, "is not long any more: take it off tidy's list"));
        } else if now < *lines {
            let message = format!("has shrunk to {now} lines: lower its number in tidy's list");
            findings.push(Finding::new(path, 0, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_length(lines: usize) -> String {
        "//! Long.\n".repeat(lines)
    }

    #[test]
    fn long_files_are_warned_of_then_refused() {
        let text = |lines| check(&Tree::of(&[("crates/a/src/b.rs", &of_length(lines))]));
        assert_eq!(text(500), []);
        assert!(text(501)[0].is_warning && text(800)[0].is_warning);
        assert!(!text(801)[0].is_warning);
    }

    #[test]
    fn the_list_of_long_files_only_shrinks() {
        let list = [("crates/a/src/b.rs", 900, "it is data")];
        let found = |lines| {
            let tree = Tree::of(&[("crates/a/src/b.rs", &of_length(lines))]);
            let broken = check_with(&tree, &list).into_iter().filter(|f| !f.is_warning);
            broken.map(|f| f.message).collect::<Vec<_>>()
        };
        assert!(found(900).is_empty());
        assert!(found(901)[0].contains("split it"));
        assert!(found(850)[0].contains("has shrunk to 850"));
        assert!(found(800)[0].contains("take it off"));
        assert!(check_with(&Tree::default(), &list)[0].message.contains("take it off"));
    }

    #[test]
    fn wide_lines_headers_and_vague_names_are_found() {
        let wide = format!("//! Ok.\n{}\n", "ä".repeat(121));
        let fits = format!("//! Ok.\n{}\n// see https://a.b/{}\n", "ä".repeat(100), "x".repeat(99));
        let tree = Tree::of(&[
            ("crates/a/src/wide.rs", &wide),
            ("crates/a/src/fits.rs", &fits),
            ("crates/a/tests/no_header_needed.rs", "fn a() {}\n"),
            ("crates/a/src/b/tests.rs", "use super::*;\n"),
            ("crates/a/src/headless.rs", "\n//! Too late.\n"),
            ("crates/a/src/b/mod.rs", "//! B.\n"),
            ("crates/a/tests/utils.rs", "//! U.\n"),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|f| (f.path, f.line)).collect();
        let expected = [
            ("crates/a/src/wide.rs".to_owned(), 2),
            ("crates/a/src/headless.rs".to_owned(), 1),
            ("crates/a/src/b/mod.rs".to_owned(), 0),
            ("crates/a/tests/utils.rs".to_owned(), 0),
        ];
        assert_eq!(found, expected);
    }
}
