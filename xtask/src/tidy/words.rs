//! Words that must not be in the repository: hosts of package registries, paths of one machine.

use super::{Finding, Tree};

/// Pieces are put together here, so that this file does not find itself.
const BANNED: &[(&str, &str)] = &[
    (concat!("crates", ".io"), "a package registry"),
    (concat!("py", "pi.org"), "a package registry"),
    (concat!("npm", "js."), "a package registry"),
    (concat!("ruby", "gems.org"), "a package registry"),
    (concat!("maven", ".org"), "a package registry"),
    (concat!("proxy.go", "lang"), "a package registry"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("/wo", "rk/"), "a path of one machine"),
];

/// The rules of this file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (number, line) in file.lines() {
            let lower = line.to_lowercase();
            for (word, what) in BANNED {
                if starts_word(&lower, word) {
                    let message = format!("\"{word}\" names {what}: leave it out");
                    findings.push(Finding::new(&file.path, number, message));
                }
            }
        }
    }
    findings
}

/// Whether `word` is in the line; a path counts only from its root.
fn starts_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !word.starts_with('/')
            || before.is_none_or(|c| !c.is_alphanumeric() && !"._-}/~*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_words_are_found_in_any_file_and_case() {
        for (word, _) in BANNED {
            let text = format!("fine\nsee {} for more\n", word.to_uppercase());
            for path in ["README.md", "crates/a/src/b.rs", ".ci/run", "crates/a/Cargo.toml"] {
                let found = check(&Tree::of(&[(path, &text)]));
                assert_eq!(found.len(), 1, "{word} in {path}");
                assert_eq!(found[0].line, 2);
            }
        }
    }

    #[test]
    fn a_folder_within_a_path_is_no_path_of_a_machine() {
        let fine = ["src/ho", "me/page.rs and $DIR}/ro", "ot/x"].concat();
        assert_eq!(check(&Tree::of(&[("README.md", &fine)])), []);
    }
}
