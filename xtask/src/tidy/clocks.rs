//! Who may read the machine's clocks. Everybody else is told the time, so that tests can tell it.

use super::{Finding, Tree};

const CLOCKS: &[&str] = &[concat!("Instant", "::now"), concat!("SystemTime", "::now")];

/// Crates that drive the others and so must know the time.
const CRATES: &[&str] = &["runtime", "headwater", "cli", "chaos", "services", "xtask"];

/// Single files, with the reason.
const FILES: &[(&str, &str)] = &[
    ("crates/topology/src/chain.rs", "time at work of an operator, for metrics only"),
    ("crates/files/src/sink/writer.rs", "age of a part: how output is cut, never what is in it"),
    ("crates/formats/src/registry/client.rs", "how long a registry is waited for and believed"),
    ("crates/kafka/src/cluster.rs", "how long a broker is waited for"),
    ("crates/kafka/src/source/access.rs", "how long a broker is waited for"),
    ("crates/kafka/src/control_log.rs", "how long a broker is waited for"),
    ("crates/kafka/src/producer.rs", "how long a broker is waited for"),
    ("crates/kafka/src/transactions.rs", "how long a commit takes, for metrics only"),
    ("crates/kafka/src/source/client.rs", "when partitions are looked for and offsets reported"),
    ("crates/kafka/src/source/lag.rs", "age of the last record read, for metrics only"),
    ("crates/kafka/src/sink/figures.rs", "age of acknowledged records, for metrics only"),
    ("crates/sql/src/syntax/tests/limits.rs", "how soon a text made to break parsers is refused"),
    ("crates/connect/src/conformance/sinks.rs", "how long a suite waits for a connector"),
    ("crates/connect/src/conformance/remote.rs", "how long a suite waits for a connector"),
];

/// The rules of this file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    check_with(tree, FILES)
}

fn check_with(tree: &Tree, allowed: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_source()) {
        if CRATES.contains(&file.crate_name().unwrap_or_default()) {
            continue;
        }
        for (number, line) in file.code_lines() {
            let Some(clock) = CLOCKS.iter().find(|clock| line.contains(**clock)) else { continue };
            used.push(file.path.as_str());
            if allowed.iter().all(|(path, _)| *path != file.path) {
                let message =
                    format!("`{clock}` here: take the time from the caller (core::Clock)");
                findings.push(Finding::new(&file.path, number, message));
            }
        }
    }
    for (path, _) in allowed {
        if tree.file(path).is_some() && !used.contains(path) {
            let message = "reads no clock any more: take it off tidy's list";
            findings.push(Finding::new(path, 0, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_found_where_it_must_not_be() {
        for clock in CLOCKS {
            let text = format!("//! A.\n/// Unlike `{clock}()`.\nlet now = {clock}();\n");
            for name in ["core", "state", "operators", "checkpoint", "connect", "api"] {
                let path = format!("crates/{name}/src/a.rs");
                let found = check(&Tree::of(&[(&path, &text)]));
                assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [3], "{name}");
            }
            for path in ["crates/runtime/src/a.rs", "crates/core/tests/a.rs"] {
                assert_eq!(check(&Tree::of(&[(path, &text)])), [], "{path}");
            }
        }
    }

    #[test]
    fn exceptions_hold_for_one_file_and_must_be_needed() {
        let list = [("crates/files/src/a.rs", "why")];
        let reads = format!("//! A.\n{}();\n", CLOCKS[0]);
        let needed = Tree::of(&[("crates/files/src/a.rs", &reads)]);
        assert_eq!(check_with(&needed, &list), []);
        let stale = Tree::of(&[("crates/files/src/a.rs", "//! A.\n")]);
        assert!(check_with(&stale, &list)[0].message.contains("take it off"));
        for (path, _) in FILES {
            let name = path.split('/').nth(1).unwrap_or_default();
            assert!(!["core", "state", "operators", "checkpoint"].contains(&name), "{path}");
        }
    }
}
