//! A file in a local directory that grows by durable pieces, and appears when it is finished.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};

use bytes::Bytes;
use headwater_core::Result;
use object_store::path::Path;

use super::Location;
use super::failure::io_error;
use super::local::LocalDir;

/// An unfinished file; if it is dropped nothing appears.
///
/// Unlike an [`Upload`](super::Upload) it is on the disk up to the last piece that was taken, so
/// the caller may let go of that piece, and tries a piece again that was refused.
pub struct GrowingFile {
    location: Location,
    name: String,
    staged: Path,
    file: File,
    /// Bytes on the disk; behind them may be the start of a piece that was refused.
    end: u64,
}

impl GrowingFile {
    /// None where there is no local directory.
    pub(super) fn start(location: &Location, name: &str) -> Result<Option<GrowingFile>> {
        let Some(dir) = &location.inner.local else { return Ok(None) };
        loop {
            let staged = LocalDir::next_staged();
            let path = dir.root().join(staged.as_ref());
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|e| io_error("create", folder, e))?;
            }
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let (location, name) = (location.clone(), name.into());
                    return Ok(Some(GrowingFile { location, name, staged, file, end: 0 }));
                }
                // Left by a killed process of the same id.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(io_error("create", &path, e)),
            }
        }
    }

    /// Adds pieces; on the disk when it returns. May be called again after an error, with the same
    /// pieces.
    ///
    /// # Errors
    /// As [`Location::put`].
    pub fn append(&mut self, pieces: &[Bytes]) -> Result<()> {
        let name = std::path::PathBuf::from(self.location.full_name(&self.name));
        let written = self.file.seek(SeekFrom::Start(self.end)).and_then(|_| {
            pieces.iter().try_for_each(|piece| self.file.write_all(piece))?;
            self.file.sync_all()
        });
        written.map_err(|e| io_error("write", &name, e))?;
        self.end += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        Ok(())
    }

    /// Makes the file visible under its name. May be called again after an error.
    ///
    /// # Errors
    /// As [`Location::put`].
    pub fn finish(&self) -> Result<()> {
        let Some(dir) = &self.location.inner.local else { return Ok(()) };
        self.location.publish(dir, &self.staged, &self.name)
    }
}
