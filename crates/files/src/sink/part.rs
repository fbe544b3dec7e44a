//! One part: its names, its file on the way to disk, and what a committable says of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use headwater_core::{Epoch, Error, Result};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::durable::io_error;

/// What the names of parts end in while they are staged.
pub(crate) const IN_PROGRESS: &str = ".inprogress";

/// The version of [`PartCommittable`]'s JSON.
const FORMAT: u32 = 1;

/// Which part: unique over all attempts of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartId {
    pub(crate) attempt: u64,
    pub(crate) worker: u64,
    pub(crate) number: u64,
}

impl PartId {
    pub(crate) fn staged_name(self, prefix: &str, extension: &str) -> String {
        let PartId { attempt, worker, number } = self;
        format!("{prefix}-{attempt}-{worker}-{number}.{extension}{IN_PROGRESS}")
    }

    pub(crate) fn final_name(self, prefix: &str, extension: &str, epoch: Epoch) -> String {
        let PartId { attempt, worker, number } = self;
        format!("{prefix}-{:010}-{worker}-{number}-{attempt}.{extension}", epoch.0)
    }
}

/// Whether a name is that of a staged part with this prefix, of any format.
pub(crate) fn is_staged(prefix: &str, name: &str) -> bool {
    let ids = || {
        let rest = name.strip_prefix(prefix)?.strip_prefix('-')?;
        rest.strip_suffix(IN_PROGRESS)?.split_once('.').map(|(ids, _extension)| ids)
    };
    ids().is_some_and(|ids| {
        let number = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        ids.split('-').count() == 3 && ids.split('-').all(number)
    })
}

/// The file of a part: counts and hashes what goes to it.
pub(crate) struct PartFile {
    path: PathBuf,
    file: File,
    hash: Xxh3,
    bytes: u64,
}

impl PartFile {
    /// Creates a file that must not exist.
    pub(crate) fn create(path: PathBuf) -> Result<PartFile> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(|e| {
            let taken = e.kind() == io::ErrorKind::AlreadyExists;
            let error = io_error("create", &path, e);
            if taken {
                return error.hint("another sink writes here; give each its own .prefix(..)");
            }
            error
        })?;
        Ok(PartFile { path, file, hash: Xxh3::new(), bytes: 0 })
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes the content durable and describes it: size and hash.
    pub(crate) fn sync(self) -> Result<(u64, String)> {
        self.file.sync_all().map_err(|e| io_error("sync", &self.path, e))?;
        Ok((self.bytes, hex(self.hash.digest())))
    }
}

impl Write for PartFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.file.write(buf)?;
        self.hash.update(&buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The hash of a file's content.
pub(crate) fn hash_file(path: &Path) -> io::Result<String> {
    struct Hasher(Xxh3);
    impl Write for Hasher {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.0.update(buf);
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hasher = Hasher(Xxh3::new());
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hex(hasher.0.digest()))
}

fn hex(digest: u64) -> String {
    format!("{digest:016x}")
}

/// A staged part of an epoch, as it stands in the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartCommittable {
    pub(crate) format: u32,
    /// Name in the staging directory.
    pub(crate) staged: String,
    /// Path in the sink's directory: folders, if it has any, and name.
    #[serde(rename = "final")]
    pub(crate) visible: String,
    pub(crate) attempt: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) xxh3: String,
}

impl PartCommittable {
    pub(crate) fn new(staged: String, visible: String, attempt: u64, closed: &ClosedPart) -> Self {
        let ClosedPart { records, bytes, .. } = *closed;
        let xxh3 = closed.xxh3.clone();
        PartCommittable { format: FORMAT, staged, visible, attempt, records, bytes, xxh3 }
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::internal("cannot encode a part").because(e))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let unreadable = || {
            let text = String::from_utf8_lossy(bytes);
            Error::state(format!("cannot read {text:?} as a part of a file sink"))
                .hint("the checkpoint was written by another sink or a newer version")
        };
        let part: Self = serde_json::from_slice(bytes).map_err(|e| unreadable().because(e))?;
        let plain = |name: &str| !name.is_empty() && !name.contains(['/', '\\']) && name != "..";
        let visible = part.visible.split('/').all(plain);
        if part.format != FORMAT || !plain(&part.staged) || !visible {
            return Err(unreadable());
        }
        Ok(part)
    }
}

/// A part that is complete and durable in the staging directory.
pub(crate) struct ClosedPart {
    pub(crate) id: PartId,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) xxh3: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_prefix_are_ours() {
        let id = PartId { attempt: 12, worker: 0, number: 3 };
        let name = id.staged_name("part", "jsonl.gz");
        assert_eq!(name, "part-12-0-3.jsonl.gz.inprogress");
        assert!(is_staged("part", &name));
        assert_eq!(id.final_name("part", "csv", Epoch(7)), "part-0000000007-0-3-12.csv");
        for other in [
            "part-1-12-0-3.jsonl.inprogress",
            "parts-12-0-3.jsonl.inprogress",
            "part-12-0-3.jsonl",
            "part-12-0.jsonl.inprogress",
            "part-12-0-x.jsonl.inprogress",
            "part-12--3.jsonl.inprogress",
            "part.committed",
        ] {
            assert!(!is_staged("part", other), "{other}");
        }
        assert!(is_staged("part-1", "part-1-12-0-3.jsonl.inprogress"));
    }
}
