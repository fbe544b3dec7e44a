//! The files that rules look at: all text of the checkout that is ours.

use std::fs;
use std::path::Path;

/// One file.
#[derive(Clone, Debug)]
pub struct File {
    /// Path from the root, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl File {
    /// The folder under `crates/` that it is in, or `xtask`.
    pub fn crate_name(&self) -> Option<&str> {
        let mut parts = self.path.split('/');
        match parts.next()? {
            "crates" => parts.next().filter(|_| parts.next().is_some()),
            "xtask" => Some("xtask"),
            _ => None,
        }
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is part of what a crate ships: under `src`, not tests, benches or examples.
    pub fn is_source(&self) -> bool {
        self.is_rust() && self.crate_name().is_some() && self.path.contains("/src/")
    }

    /// Lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// Lines that are neither comment nor documentation.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// The files, by path.
    pub files: Vec<File>,
}

const SKIPPED_FOLDERS: &[&str] = &["target", ".git", "dead-letters"];
/// Written by a tool; `.git` is a file in a second work tree.
const SKIPPED_FILES: &[&str] = &["Cargo.lock", ".git"];

impl Tree {
    /// Reads the checkout.
    ///
    /// # Errors
    /// A folder or file cannot be read.
    pub fn read(root: &Path) -> Result<Tree, String> {
        let mut tree = Tree::default();
        tree.add_folder(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn add_folder(&mut self, folder: &Path, prefix: &str) -> Result<(), String> {
        let failed = |e: std::io::Error| format!("cannot read {}: {e}", folder.display());
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                self.add_folder(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() && !SKIPPED_FILES.contains(&name.as_str()) {
                let bytes =
                    fs::read(entry.path()).map_err(|e| format!("cannot read {path}: {e}"))?;
                // What is not text is data of a test.
                if let Ok(text) = String::from_utf8(bytes) {
                    self.files.push(File { path, text });
                }
            }
        }
        Ok(())
    }

    /// The file of that path.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// A tree of these paths and texts.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let file =
            |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
        Tree { files: files.iter().map(file).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_know_their_crate() {
        let tree = Tree::of(&[
            ("crates/core/src/time/zone.rs", ""),
            ("crates/core/tests/it.rs", ""),
            ("xtask/src/main.rs", ""),
            ("README.md", ""),
        ]);
        let of: Vec<_> = tree.files.iter().map(|f| (f.crate_name(), f.is_source())).collect();
        assert_eq!(
            of,
            [(Some("core"), true), (Some("core"), false), (Some("xtask"), true), (None, false)]
        );
    }

    #[test]
    fn the_checkout_is_read() {
        let tree = Tree::read(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(tree.file("src/tidy/tree.rs").unwrap().code_lines().count() > 50);
        assert!(tree.file("Cargo.lock").is_none());
    }
}
