//! What the job left behind: the rows in its output folders, and what else is there.
//!
//! Reads as any reader of the output would: every visible file, in full. A file that is cut off,
//! has no sensible name or appears to be of two attempts is noted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;

/// A row and the file it was in, as an index into [`Folder::files`].
pub type Found<R> = (R, u32);

/// The output of one sink.
#[derive(Clone, Debug)]
pub struct Folder<R> {
    /// Names of visible files, sorted.
    pub files: Vec<String>,
    /// The rows in them.
    pub rows: Vec<Found<R>>,
    /// What is wrong with the files themselves.
    pub faults: Vec<String>,
}

/// Reads the folder of a sink.
///
/// # Errors
/// A file cannot be read.
pub fn read_folder<R: DeserializeOwned>(dir: &Path) -> io::Result<Folder<R>> {
    let mut folder = Folder { files: visible(dir)?, rows: Vec::new(), faults: Vec::new() };
    let mut attempts: BTreeMap<u64, u64> = BTreeMap::new();
    for (at, name) in folder.files.iter().enumerate() {
        match parse_name(name) {
            None => folder.faults.push(format!("{name}: not the name of a part")),
            Some((epoch, attempt)) => {
                let first = *attempts.entry(epoch).or_insert(attempt);
                if first != attempt {
                    let fault = format!("{name}: epoch {epoch} is of attempt {first} as well");
                    folder.faults.push(fault);
                }
            }
        }
        let text = fs::read_to_string(dir.join(name))?;
        if !text.is_empty() && !text.ends_with('\n') {
            folder.faults.push(format!("{name}: the last line is cut off"));
        }
        for (number, line) in text.lines().enumerate() {
            match serde_json::from_str(line) {
                Ok(row) => folder.rows.push((row, at as u32)),
                Err(e) => folder.faults.push(format!("{name}, line {}: {e}", number + 1)),
            }
        }
    }
    let ordered: Vec<u64> = attempts.into_values().collect();
    if !ordered.is_sorted() {
        folder.faults.push("a later attempt wrote an earlier epoch".to_owned());
    }
    for name in staged(dir)? {
        folder.faults.push(format!(".staging/{name}: left behind"));
    }
    Ok(folder)
}

/// Names of the visible files in a folder, sorted; none if there is no folder.
///
/// # Errors
/// The folder cannot be listed.
pub fn visible(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = names(dir)?;
    names.retain(|name| !name.starts_with('.'));
    Ok(names)
}

/// Names of staged files, but for the sink's own notes.
fn staged(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = names(&dir.join(".staging"))?;
    names.retain(|name| !name.ends_with(".committed"));
    Ok(names)
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(names),
        entries => {
            for entry in entries? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Epoch and attempt in `part-EPOCH-WORKER-N-ATTEMPT.jsonl`.
fn parse_name(name: &str) -> Option<(u64, u64)> {
    let ids = name.strip_prefix("part-")?.strip_suffix(".jsonl")?;
    let ids: Vec<u64> = ids.split('-').map(|id| id.parse().ok()).collect::<Option<_>>()?;
    match ids[..] {
        [epoch, _worker, _number, attempt] => Some((epoch, attempt)),
        _ => None,
    }
}

/// What was visible at some moment: sizes by name. What is visible must stay as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<String, u64>);

impl Snapshot {
    /// Looks at a folder now.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn of(dir: &Path) -> io::Result<Snapshot> {
        let mut sizes = BTreeMap::new();
        for name in visible(dir)? {
            let size = fs::metadata(dir.join(&name))?.len();
            sizes.insert(name, size);
        }
        Ok(Snapshot(sizes))
    }

    /// What has vanished or changed since `earlier`.
    pub fn faults_since(&self, earlier: &Snapshot) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, size) in &earlier.0 {
            match self.0.get(name) {
                None => faults.push(format!("{name}: was visible and has vanished")),
                Some(now) if now != size => {
                    faults.push(format!("{name}: was visible with {size} bytes, has {now} now"));
                }
                Some(_) => {}
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, text: &str) {
        fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
        fs::write(dir.join(name), text).unwrap();
    }

    #[test]
    fn rows_are_read_from_all_visible_files() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "part-0000000001-0-0-1.jsonl", "1\n2\n");
        write(dir.path(), "part-0000000002-0-0-7.jsonl", "3\n");
        write(dir.path(), ".staging/part.committed", "{}");
        let folder = read_folder::<u64>(dir.path()).unwrap();
        assert_eq!((folder.rows, folder.faults.len()), (vec![(1, 0), (2, 0), (3, 1)], 0));
        let nothing = read_folder::<u64>(&dir.path().join("none")).unwrap();
        assert_eq!((nothing.rows.len(), nothing.faults.len()), (0, 0));
    }

    #[test]
    fn what_is_wrong_with_files_is_noted() {
        let cases = [
            ("part-0000000001-0-0-1.jsonl", "1\n2", "cut off"),
            ("part-0000000001-0-0-1.jsonl", "1\n{\n", "line 2"),
            ("part-0.jsonl", "1\n", "not the name"),
            (".staging/part-1-0-0.jsonl.inprogress", "", "left behind"),
        ];
        for (name, text, fault) in cases {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), name, text);
            let faults = read_folder::<u64>(dir.path()).unwrap().faults;
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].contains(fault), "{faults:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "part-0000000004-0-0-3.jsonl", "");
        write(dir.path(), "part-0000000004-1-0-2.jsonl", "");
        write(dir.path(), "part-0000000005-0-0-2.jsonl", "");
        let faults = read_folder::<u64>(dir.path()).unwrap().faults.join("\n");
        assert!(faults.contains("epoch 4 is of attempt 3 as well"), "{faults}");
        assert!(faults.contains("a later attempt wrote an earlier epoch"), "{faults}");
    }

    #[test]
    fn what_was_visible_must_stay() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a", "1");
        write(dir.path(), "b", "1");
        let before = Snapshot::of(dir.path()).unwrap();
        write(dir.path(), "c", "1");
        assert_eq!(Snapshot::of(dir.path()).unwrap().faults_since(&before), [""; 0]);
        write(dir.path(), "a", "12");
        fs::remove_file(dir.path().join("b")).unwrap();
        let faults = Snapshot::of(dir.path()).unwrap().faults_since(&before);
        assert!(faults[0].contains("has 2 now") && faults[1].contains("vanished"), "{faults:?}");
    }
}
