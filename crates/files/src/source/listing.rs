//! Which files a path means: itself, everything below a directory, or what a pattern matches.
//!
//! Names are relative to the base directory and sorted. Not listed: names that start with `.` or
//! `_`, unfinished parts (`*.inprogress`), and what is below directories of such names. Symbolic
//! links to files are followed, links to directories are not, so that a listing always ends.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use headwater_core::{Error, Result};

pub(crate) struct Listing {
    path: PathBuf,
}

enum Place {
    File(String),
    Directory(PathBuf),
    Pattern { dir: PathBuf, pattern: String },
}

impl Listing {
    pub(crate) fn new(path: PathBuf) -> Self {
        Listing { path }
    }

    /// Checks that the path means something that can be read.
    pub(crate) fn validate(&self, watched: bool) -> Result<()> {
        match self.place()? {
            Place::File(_) => {
                if watched {
                    return Err(Error::config(format!(
                        "cannot watch {:?}: it is a single file",
                        self.path
                    ))
                    .hint("watch a directory or a pattern such as \"in/*.jsonl\""));
                }
                File::open(&self.path).map(|_| ()).map_err(|e| self.unreadable(&self.path, e))
            }
            Place::Directory(_) => self.files().map(|_| ()),
            Place::Pattern { dir, pattern } => {
                let files = self.files()?;
                if files.is_empty() && !watched {
                    return Err(Error::config(format!("no file matches {:?}", self.path)).hint(
                        format!("check what is in {dir:?}; {pattern:?} must match a whole name"),
                    ));
                }
                Ok(())
            }
        }
    }

    /// The files that exist now, sorted by name.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let mut files = Vec::new();
        match self.place()? {
            Place::File(name) => files.push(name),
            Place::Directory(dir) => self.walk(&dir, "", None, &mut files)?,
            Place::Pattern { dir, pattern } => self.walk(&dir, "", Some(&pattern), &mut files)?,
        }
        files.sort_unstable();
        Ok(files)
    }

    /// Where the file of a split is, whether or not it still exists.
    pub(crate) fn path_of(&self, name: &str) -> Result<PathBuf> {
        let inside = Path::new(name).components().all(|c| matches!(c, Component::Normal(_)));
        if name.is_empty() || !inside {
            return Err(Error::state(format!("{name:?} is not a file below {:?}", self.path))
                .hint("the checkpoint was written by another source"));
        }
        Ok(if self.path.is_dir() { self.path.join(name) } else { parent(&self.path).join(name) })
    }

    fn place(&self) -> Result<Place> {
        let name = match self.path.file_name().map(|name| name.to_str()) {
            Some(Some(name)) => name.to_owned(),
            Some(None) => return Err(not_utf8(&self.path)),
            None => String::new(),
        };
        match fs::metadata(&self.path) {
            Ok(found) if found.is_dir() => Ok(Place::Directory(self.path.clone())),
            Ok(_) => Ok(Place::File(name)),
            Err(e) if e.kind() == io::ErrorKind::NotFound && name.contains(['*', '?']) => {
                Ok(Place::Pattern { dir: parent(&self.path), pattern: name })
            }
            Err(e) => Err(self.unreadable(&self.path, e)),
        }
    }

    fn walk(
        &self,
        dir: &Path,
        prefix: &str,
        pattern: Option<&str>,
        files: &mut Vec<String>,
    ) -> Result<()> {
        let entries = match fs::read_dir(dir) {
            // A subdirectory can go away between its listing and now.
            Err(e) if e.kind() == io::ErrorKind::NotFound && !prefix.is_empty() => return Ok(()),
            other => other.map_err(|e| self.unreadable(dir, e))?,
        };
        for entry in entries {
            let entry = entry.map_err(|e| self.unreadable(dir, e))?;
            let os_name = entry.file_name();
            let Some(name) = os_name.to_str() else {
                return Err(not_utf8(&entry.path()));
            };
            let wanted = pattern.is_none_or(|pattern| matches(pattern, name));
            if is_ignored(name) || !wanted {
                continue;
            }
            let kind = entry.file_type().map_err(|e| self.unreadable(&entry.path(), e))?;
            let relative = format!("{prefix}{name}");
            if kind.is_dir() {
                if pattern.is_none() {
                    self.walk(&entry.path(), &format!("{relative}/"), None, files)?;
                }
            } else if kind.is_file() || entry.path().is_file() {
                files.push(relative);
            }
        }
        Ok(())
    }

    fn unreadable(&self, path: &Path, e: io::Error) -> Error {
        let (what, hint) = match e.kind() {
            io::ErrorKind::NotFound => (
                "there is no file or directory",
                "check the path; relative paths start at the working directory",
            ),
            io::ErrorKind::PermissionDenied => {
                ("cannot read", "the job needs permission to read it")
            }
            _ => ("cannot read", "check the path"),
        };
        Error::config(format!("{what} {path:?}")).because(e).hint(hint)
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn not_utf8(path: &Path) -> Error {
    Error::config(format!("the name of {path:?} is not UTF-8"))
        .hint("rename the file, or start its name with \"_\" to have it ignored")
}

fn is_ignored(name: &str) -> bool {
    name.starts_with(['.', '_']) || name.ends_with(crate::sink::IN_PROGRESS)
}

/// Whether a name matches a pattern of `*` (any text) and `?` (one character).
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go back to: after the last star, and the first character it has not taken.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match retry {
                Some((star, taken)) => {
                    retry = Some((star, taken + 1));
                    (p, n) = (star, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("*.jsonl", "a.jsonl", true),
            ("*.jsonl", "a.jsonl.gz", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("?.x", "ä.x", true),
            ("?.x", ".x", false),
            ("*", "", true),
            ("part-?*", "part-", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn a_split_name_stays_below_the_base() {
        let listing = Listing::new("in/*.csv".into());
        assert_eq!(listing.path_of("a.csv").unwrap(), Path::new("in/a.csv"));
        for name in ["../a.csv", "/etc/passwd", "", "a/../../b"] {
            assert!(listing.path_of(name).is_err(), "{name}");
        }
    }
}
