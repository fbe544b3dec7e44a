//! Crates depend on each other in one direction only: the table of what each may use.

use super::{Finding, Tree};

/// Crate, what it may use, and what its tests may use besides.
type Arrow = (&'static str, &'static [&'static str], &'static [&'static str]);

const ARROWS: &[Arrow] = &[
    ("core", &[], &[]),
    ("services", &["core"], &[]),
    ("state", &["core"], &[]),
    ("checkpoint", &["core"], &[]),
    ("connect", &["core"], &[]),
    ("formats", &["core"], &[]),
    ("files", &["core", "connect"], &[]),
    ("kafka", &["core", "connect", "checkpoint", "formats"], &["headwater", "services"]),
    ("operators", &["core", "state"], &[]),
    ("topology", &["core", "state", "checkpoint", "connect", "operators"], &[]),
    ("api", &["core", "state", "connect", "operators", "topology"], &[]),
    (
        "runtime",
        &["core", "state", "checkpoint", "connect", "operators", "topology"],
        &["api", "files"],
    ),
    ("testkit", &["core", "state", "checkpoint", "connect", "operators", "topology", "api"], &[]),
    (
        "sql",
        &[
            "core",
            "state",
            "checkpoint",
            "connect",
            "files",
            "formats",
            "kafka",
            "operators",
            "topology",
            "api",
            "runtime",
        ],
        &["services"],
    ),
    (
        "headwater",
        &[
            "core",
            "state",
            "checkpoint",
            "connect",
            "files",
            "formats",
            "kafka",
            "operators",
            "topology",
            "api",
            "runtime",
            "sql",
        ],
        &["testkit"],
    ),
    ("cli", &["headwater", "core", "checkpoint", "connect", "files", "sql"], &[]),
    (
        "chaos",
        &[
            "core",
            "checkpoint",
            "connect",
            "files",
            "formats",
            "kafka",
            "operators",
            "api",
            "runtime",
            "services",
        ],
        &[],
    ),
    ("xtask", &[], &[]),
];

/// A dependency on one of our own crates, as a manifest says it.
#[derive(Debug, PartialEq, Eq)]
struct Dependency {
    line: usize,
    on: String,
    only_for_tests: bool,
}

/// The dependencies of a manifest on our own crates.
fn own_dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found = Vec::new();
    let mut section = String::new();
    for (at, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
            // [dependencies.headwater-core] is a section of its own.
            if let Some((table, name)) = section.rsplit_once("dependencies.") {
                let table = format!("{table}dependencies");
                add(&mut found, at + 1, &table, name, "");
            }
        } else if section.ends_with("dependencies")
            && let Some((key, value)) = line.split_once('=')
        {
            add(&mut found, at + 1, &section, key, value);
        }
    }
    found
}

fn add(found: &mut Vec<Dependency>, line: usize, table: &str, key: &str, value: &str) {
    let name = key.trim().split('.').next().unwrap_or_default().trim_matches('"');
    let package = value.split_once("package").and_then(|(_, rest)| rest.split('"').nth(1));
    let name = package.unwrap_or(name);
    let on = match name {
        "headwater" | "xtask" => name,
        _ => match name.strip_prefix("headwater-") {
            Some(on) => on,
            None => return,
        },
    };
    let only_for_tests = table.ends_with("dev-dependencies");
    found.push(Dependency { line, on: on.to_owned(), only_for_tests });
}

/// Every arrow between our crates is in the table.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        let Some(name) = file.crate_name() else { continue };
        let Some((_, always, in_tests)) = ARROWS.iter().find(|(of, _, _)| *of == name) else {
            let message = format!("crate \"{name}\" is not in the table of arrows; add it in tidy");
            findings.push(Finding::new(&file.path, 0, message));
            continue;
        };
        for dependency in own_dependencies(&file.text) {
            let on = dependency.on.as_str();
            let tests_may = dependency.only_for_tests && in_tests.contains(&on);
            if !always.contains(&on) && !tests_may {
                let (all, line) = (always.join(", "), dependency.line);
                let message = format!("\"{name}\" must not depend on \"{on}\"; it may use: {all}");
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, manifest: &str) -> Vec<usize> {
        let path = format!("crates/{name}/Cargo.toml");
        check(&Tree::of(&[(&path, manifest)])).iter().map(|f| f.line).collect()
    }

    #[test]
    fn the_table_has_no_cycle() {
        for (at, (name, uses, _)) in ARROWS.iter().enumerate() {
            for used in *uses {
                let place = ARROWS.iter().position(|(other, _, _)| other == used).unwrap();
                // Everything points up in the list, but for testkit, which nothing but tests use.
                assert!(place < at, "{name} uses {used}");
            }
        }
    }

    #[test]
    fn an_arrow_in_the_wrong_direction_is_found_however_it_is_written() {
        assert_eq!(found("core", "[dependencies]\nserde = \"1\"\n"), [0usize; 0]);
        for wrong in [
            "headwater-api.workspace = true",
            "headwater-api = { workspace = true }",
            "headwater-api = { path = \"../api\" }",
            "\"headwater-api\" = \"0.1\"",
            "nice = { package = \"headwater-api\", path = \"../api\" }",
            "headwater.workspace = true",
        ] {
            assert_eq!(found("core", &format!("[dependencies]\n{wrong}\n")), [2], "{wrong}");
            let target = format!("[target.'cfg(unix)'.dependencies]\n{wrong}\n");
            assert_eq!(found("core", &target), [2], "{wrong}");
            assert_eq!(found("core", &format!("[build-dependencies]\n{wrong}\n")), [2], "{wrong}");
        }
        assert_eq!(found("core", "[dependencies.headwater-api]\npath = \"../api\"\n"), [1]);
        assert_eq!(found("core", "[features]\nheadwater-api = []\n"), [0usize; 0]);
    }

    #[test]
    fn tests_may_use_more_where_the_table_says_so() {
        assert_eq!(found("runtime", "[dev-dependencies]\nheadwater-api = \"0\"\n"), [0usize; 0]);
        assert_eq!(found("runtime", "[dependencies]\nheadwater-api = \"0\"\n"), [2]);
        assert_eq!(found("runtime", "[dev-dependencies]\nheadwater-testkit = \"0\"\n"), [2]);
        assert_eq!(found("new", "[dependencies]\n"), [0], "a crate that is not in the table");
    }
}
