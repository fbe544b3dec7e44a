//! Making files and names durable, and the error when that fails.
//!
//! A new or renamed file survives a power cut only once its directory is synced too.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use headwater_core::{Error, ErrorKind, Result};

/// Makes the names in `dir` durable. Does nothing where directories cannot be synced (Windows).
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    if cfg!(unix) {
        let sync = File::open(dir).and_then(|d| d.sync_all());
        sync.map_err(|e| io_error("sync directory", dir, e))?;
    }
    Ok(())
}

/// Replaces `path` by `bytes`, durably and at once: a reader sees the old or the new content.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = Path::new(&name);
    let write = || -> io::Result<()> {
        let mut file = File::create(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)
    };
    write().map_err(|e| io_error("write", path, e))?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// A failed file operation of the sink: `cannot write "out/x"`.
///
/// Wrong permissions and places are configuration errors; everything else (a full disk, a network
/// file system that is away) is transient.
pub(crate) fn io_error(doing: &str, path: &Path, e: io::Error) -> Error {
    use io::ErrorKind::{
        NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let (kind, hint) = match e.kind() {
        PermissionDenied | ReadOnlyFilesystem => {
            (ErrorKind::Config, "the job needs permission to write there")
        }
        NotADirectory => (ErrorKind::Config, "a part of the path is a file, not a directory"),
        StorageFull | QuotaExceeded => (ErrorKind::Transient, "free some space on this disk"),
        _ => (ErrorKind::Transient, "check that the disk is there and healthy"),
    };
    Error::new(kind, format!("cannot {doing} {path:?}")).because(e).hint(hint)
}
