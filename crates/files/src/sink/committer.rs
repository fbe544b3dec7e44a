//! Makes prepared parts visible by renaming them, and cleans up after aborted attempts.
//!
//! Each part is in one of four states: staged (rename it), visible (done), neither but marked
//! committed (done, and its reader has taken it), or neither (its output is lost, which is an
//! error). Sizes are checked always; hashes in recovery, when there is time and reason.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_connect::{Committable, Committer};
use headwater_core::{Epoch, Error, Result};

use crate::durable::{io_error, sync_dir};
use crate::sink::ledger::Ledger;
use crate::sink::part::{PartCommittable, hash_file, is_staged};
use crate::sink::{SinkOptions, Target};

pub(crate) struct FileCommitter {
    target: Arc<Target>,
    ledger: Ledger,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    Size,
    SizeAndHash,
}

impl FileCommitter {
    pub(crate) fn open(target: Arc<Target>) -> Result<Self> {
        let path = target.staging().join(format!("{}.committed", target.options.prefix));
        Ok(FileCommitter { ledger: Ledger::open(path)?, target })
    }

    fn publish(&mut self, epoch: Epoch, committables: &[Committable], check: Check) -> Result<()> {
        let parts =
            committables.iter().map(|c| PartCommittable::decode(c)).collect::<Result<Vec<_>>>()?;
        if parts.is_empty() {
            return Ok(());
        }
        for part in &parts {
            self.publish_part(epoch, part, check)?;
        }
        self.mark(&parts)?;
        // Also after renames of an earlier try: they may not have become durable.
        for folder in self.folders(&parts) {
            if folder.is_dir() {
                sync_dir(&folder)?;
            }
        }
        let attempts: Vec<u64> = parts.iter().map(|part| part.attempt).collect();
        self.ledger.add(&attempts, epoch)
    }

    /// Puts the marker beside the parts, where they still are.
    fn mark(&self, parts: &[PartCommittable]) -> Result<()> {
        let Some(marker) = &self.target.options.marker else { return Ok(()) };
        let folder = |part: &PartCommittable| {
            self.target.options.dir.join(&part.visible).parent().map(Path::to_owned)
        };
        let folders: BTreeSet<PathBuf> = parts.iter().filter_map(folder).collect();
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            let path = folder.join(marker);
            fs::File::create(&path).map_err(|e| io_error("create", &path, e))?;
        }
        Ok(())
    }

    /// The sink's directory and the folders below it that parts are in, the deepest first.
    fn folders(&self, parts: &[PartCommittable]) -> Vec<PathBuf> {
        let dir = &self.target.options.dir;
        let mut folders = BTreeSet::from([dir.clone()]);
        for part in parts {
            let path = dir.join(&part.visible);
            folders.extend(path.ancestors().skip(1).take_while(|p| *p != dir).map(Path::to_owned));
        }
        folders.into_iter().rev().collect()
    }

    fn publish_part(&self, epoch: Epoch, part: &PartCommittable, check: Check) -> Result<()> {
        let staged = self.target.staging().join(&part.staged);
        let visible = self.target.options.dir.join(&part.visible);
        let is_staged = verify(epoch, part, &staged, check)?;
        if is_staged && visible.exists() {
            return Err(Error::connector(format!(
                "cannot make {} visible: {visible:?} already exists",
                describe(epoch, part)
            ))
            .hint("another run wrote it; use an empty directory or another .prefix(..)"));
        }
        if is_staged {
            self.target.step("files.before-rename");
            if let Some(folder) = visible.parent().filter(|folder| !folder.is_dir()) {
                fs::create_dir_all(folder).map_err(|e| io_error("create directory", folder, e))?;
            }
            fs::rename(&staged, &visible).map_err(|e| io_error("rename a part to", &visible, e))?;
            self.target.step("files.after-rename");
            return Ok(());
        }
        if verify(epoch, part, &visible, check)? || self.ledger.has(part.attempt, epoch) {
            return Ok(());
        }
        Err(Error::connector(format!(
            "{} is lost: it is neither at {staged:?} nor at {visible:?}",
            describe(epoch, part)
        ))
        .hint("if another program moved the part, put it back; nothing else has its records"))
    }

    /// Deletes what is staged under this prefix; what recovery needs has been renamed by now.
    fn clean_up(&self) -> Result<()> {
        let staging = self.target.staging();
        let entries = match fs::read_dir(&staging) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|e| io_error("list", &staging, e))?,
        };
        self.target.step("files.before-cleanup");
        let mut deleted = 0_u64;
        for entry in entries {
            let entry = entry.map_err(|e| io_error("list", &staging, e))?;
            let name = entry.file_name();
            if !name.to_str().is_some_and(|name| is_staged(&self.target.options.prefix, name)) {
                continue;
            }
            match fs::remove_file(entry.path()) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("delete", &entry.path(), e));
                }
                _ => deleted += 1,
            }
        }
        if deleted > 0 {
            tracing::info!(dir = %staging.display(), deleted, "deleted parts of aborted attempts");
        }
        Ok(())
    }
}

impl Committer for FileCommitter {
    fn commit(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        self.publish(epoch, committables, Check::Size)
    }

    fn recover(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        if epoch == Epoch::NONE && !self.ledger.is_empty() {
            let SinkOptions { dir, prefix, .. } = &self.target.options;
            return Err(Error::config(format!(
                "directory {dir:?} already holds output of an earlier run (prefix {prefix:?})"
            ))
            .hint("start from that run's checkpoint, or use an empty directory or another .prefix(..)"));
        }
        self.publish(epoch, committables, Check::SizeAndHash)?;
        self.clean_up()
    }
}

/// Whether the part's file is at `path`.
///
/// # Errors
/// A file is there, but it is not what was prepared.
fn verify(epoch: Epoch, part: &PartCommittable, path: &Path, check: Check) -> Result<bool> {
    let size = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(io_error("look at", path, e)),
    };
    let changed = |what: String| {
        Error::connector(format!("{} has changed: {path:?} {what}", describe(epoch, part)))
            .hint("another program wrote to it; its records are no longer what was processed")
    };
    if size != part.bytes {
        return Err(changed(format!("has {size} bytes, prepared were {}", part.bytes)));
    }
    if check == Check::SizeAndHash {
        let hash = hash_file(path).map_err(|e| io_error("read", path, e))?;
        if hash != part.xxh3 {
            return Err(changed(format!("has hash {hash}, prepared was {}", part.xxh3)));
        }
    }
    Ok(true)
}

fn describe(epoch: Epoch, part: &PartCommittable) -> String {
    format!("part {:?} with {} records of epoch {epoch}", part.visible, part.records)
}
