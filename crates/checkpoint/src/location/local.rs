//! The durable side of a local directory: its URL, staging names, syncing files and folders.

use std::collections::HashSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path as FsPath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use headwater_core::{Error, Result};
use object_store::path::Path;

use super::failure::io_error;

const STAGING: &str = "staging";

/// The path of a local URL, or `None` for `memory:`.
pub(super) fn parse_url(url: &str) -> Result<Option<PathBuf>> {
    match url.split_once(':') {
        Some(("memory", _)) => Ok(None),
        Some(("file", rest)) => Ok(Some(rest.strip_prefix("//").unwrap_or(rest).into())),
        Some((scheme, rest)) if rest.starts_with("//") => Err(Error::config(format!(
            "cannot open checkpoint location \"{url}\": no storage of kind \"{scheme}\" is built in"
        ))
        .hint("use a directory; the kinds are: a path, file:, memory:")),
        _ if url.is_empty() => Err(Error::config("the checkpoint location is empty")
            .hint("give a directory, for example ./checkpoints")),
        _ => Ok(Some(url.into())),
    }
}

/// A directory and what is known to be on its disk.
pub(super) struct LocalDir {
    root: PathBuf,
    /// Folders whose own entry is known to be on the disk.
    synced: Mutex<HashSet<PathBuf>>,
}

impl LocalDir {
    /// The directory at `path`, created with its parents if it is not there.
    pub(super) fn create(path: PathBuf) -> Result<LocalDir> {
        std::fs::create_dir_all(&path).map_err(|e| io_error("create", &path, e))?;
        let dir = Self::existing(path)?;
        if let Some(parent) = dir.root.parent() {
            // The parent may belong to somebody else and not be readable; it is not ours to insist.
            sync(parent).ok();
        }
        Ok(dir)
    }

    /// The directory at `path`, which must be there.
    pub(super) fn existing(path: PathBuf) -> Result<LocalDir> {
        let root = path.canonicalize().map_err(|e| io_error("open", &path, e))?;
        if !root.is_dir() {
            let text = format!("cannot open \"{}\": it is not a directory", root.display());
            return Err(Error::config(text).hint("use the directory that holds \"job.json\""));
        }
        Ok(LocalDir { root, synced: Mutex::default() })
    }

    pub(super) fn root(&self) -> &FsPath {
        &self.root
    }

    /// A staging name that this process has not used before.
    pub(super) fn next_staged() -> Path {
        // Numbered per process, not per location: two may be open on one directory.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        Path::from(format!("{STAGING}/{}-{n}", std::process::id()))
    }

    pub(super) fn sync_file(&self, name: &str) -> Result<()> {
        sync(&self.root.join(name))
    }

    /// Makes the entry of `name` durable, and that of every new folder above it.
    pub(super) fn sync_folder_of(&self, name: &str) -> Result<()> {
        let path = self.root.join(name);
        let Some(mut folder) = path.parent() else { return Ok(()) };
        sync(folder)?;
        while folder != self.root && !self.lock().contains(folder) {
            let Some(above) = folder.parent() else { break };
            sync(above)?;
            self.lock().insert(folder.into());
            folder = above;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn clear_staging(&self) -> Result<()> {
        let folder = self.root.join(STAGING);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(io_error("list", &folder, e)),
        };
        for entry in entries {
            let path = entry.map_err(|e| io_error("list", &folder, e))?.path();
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(io_error("delete", &path, e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn remove_empty_folder(&self, folder: &str) {
        let path = self.root.join(folder);
        if std::fs::remove_dir(&path).is_ok() {
            self.lock().remove(&path);
        }
    }
}

#[cfg(unix)]
fn sync(path: &FsPath) -> Result<()> {
    let result = File::open(path).and_then(|file| file.sync_all());
    result.map_err(|e| io_error("sync", path, e))
}

#[cfg(not(unix))]
fn sync(path: &FsPath) -> Result<()> {
    // Folders cannot be synced here, and files only when opened for writing.
    if path.is_dir() {
        return Ok(());
    }
    let file = std::fs::OpenOptions::new().write(true).open(path);
    file.and_then(|file| file.sync_all()).map_err(|e| io_error("sync", path, e))
}
