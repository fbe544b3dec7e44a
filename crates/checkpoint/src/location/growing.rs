//! A file in a local directory that grows by durable pieces, and appears when it is finished.
//!
//! It is written past the system's page cache where that is possible. What a checkpoint writes is
//! not read again soon, and a cache that takes in gigabytes costs memory that others could use, and
//! time: measured on a virtual machine, 226 MB/s with it and 979 MB/s without. Such writes have to
//! be whole blocks from aligned memory, so bytes go through a buffer of its own, and the last ones,
//! less than a block, wait in memory for more.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path as FsPath, PathBuf};

use bytes::Bytes;
use headwater_core::Result;
use object_store::path::Path;

use super::Location;
use super::failure::io_error;
use super::local::LocalDir;

/// What offsets, lengths and addresses of writes are multiples of: the largest block in use.
const BLOCK: usize = 4096;
/// How much is written at once.
const BUFFER: usize = 256 * BLOCK;

/// An unfinished file; if it is dropped nothing appears.
///
/// Unlike an [`Upload`](super::Upload) it holds what was taken for good, so the caller may let go
/// of a piece that was taken, and tries one again that was refused.
pub struct GrowingFile {
    location: Location,
    name: String,
    staged: Path,
    path: PathBuf,
    file: File,
    buffer: Aligned,
    /// Whole blocks that are on the disk, in bytes. Behind them may be the start of a piece that
    /// was refused.
    end: u64,
    /// What comes after them, less than a block.
    rest: Vec<u8>,
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
            match create(&path) {
                Ok(file) => {
                    let (location, name) = (location.clone(), name.into());
                    let (buffer, rest) = (Aligned::new(), Vec::with_capacity(BLOCK));
                    let file =
                        GrowingFile { location, name, staged, path, file, buffer, end: 0, rest };
                    return Ok(Some(file));
                }
                // Left by a killed process of the same id.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(io_error("create", &path, e)),
            }
        }
    }

    /// Adds pieces; taken for good when it returns. May be called again after an error, with the
    /// same pieces.
    ///
    /// # Errors
    /// As [`Location::put`].
    pub fn append(&mut self, pieces: &[Bytes]) -> Result<()> {
        let mut written = self.write(pieces);
        if written.as_ref().is_err_and(|e| e.kind() == ErrorKind::InvalidInput) {
            // A file system with larger blocks, or one that finds out late.
            written = OpenOptions::new().write(true).open(&self.path).and_then(|file| {
                self.file = file;
                self.write(pieces)
            });
        }
        written.map_err(|e| self.error(e))
    }

    fn write(&mut self, pieces: &[Bytes]) -> io::Result<()> {
        let buffer = self.buffer.bytes();
        buffer[..self.rest.len()].copy_from_slice(&self.rest);
        let (mut filled, mut end) = (self.rest.len(), self.end);
        self.file.seek(SeekFrom::Start(end))?;
        for piece in pieces {
            let mut piece = &piece[..];
            while !piece.is_empty() {
                let (now, later) = piece.split_at(piece.len().min(BUFFER - filled));
                buffer[filled..filled + now.len()].copy_from_slice(now);
                (filled, piece) = (filled + now.len(), later);
                if filled == BUFFER {
                    self.file.write_all(buffer)?;
                    (filled, end) = (0, end + BUFFER as u64);
                }
            }
        }
        let whole = filled / BLOCK * BLOCK;
        self.file.write_all(&buffer[..whole])?;
        self.file.sync_all()?;
        self.end = end + whole as u64;
        self.rest.clear();
        self.rest.extend_from_slice(&buffer[whole..filled]);
        Ok(())
    }

    /// Makes the file durable and visible under its name. May be called again after an error.
    ///
    /// # Errors
    /// As [`Location::put`].
    pub fn finish(&mut self) -> Result<()> {
        self.write_rest().map_err(|e| self.error(e))?;
        let Some(dir) = &self.location.inner.local else { return Ok(()) };
        self.location.publish(dir, &self.staged, &self.name)
    }

    fn write_rest(&mut self) -> io::Result<()> {
        // The name is the same file: without the need for whole blocks.
        let mut file = OpenOptions::new().write(true).open(&self.path)?;
        file.seek(SeekFrom::Start(self.end))?;
        file.write_all(&self.rest)?;
        file.set_len(self.end + self.rest.len() as u64)?;
        file.sync_all()
    }

    fn error(&self, e: io::Error) -> headwater_core::Error {
        io_error("write", FsPath::new(&self.location.full_name(&self.name)), e)
    }
}

/// A new file, past the page cache if the file system can do that.
fn create(path: &FsPath) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let mut direct = options.clone();
        direct.custom_flags(rustix::fs::OFlags::DIRECT.bits() as i32);
        match direct.open(path) {
            // Some systems have made the file when they notice.
            Err(e) if e.kind() == ErrorKind::InvalidInput => drop(std::fs::remove_file(path)),
            opened => return opened,
        }
    }
    options.open(path)
}

/// A buffer that begins at a multiple of a block.
struct Aligned {
    bytes: Vec<u8>,
    start: usize,
}

impl Aligned {
    fn new() -> Self {
        let bytes = vec![0; BUFFER + BLOCK];
        // Where this cannot be told, writes take the way through the page cache.
        let start = Some(bytes.as_ptr().align_offset(BLOCK)).filter(|start| *start < BLOCK);
        Aligned { bytes, start: start.unwrap_or(0) }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + BUFFER]
    }
}
