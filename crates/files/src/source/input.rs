//! The bytes of one file from an offset on, decompressed, in pieces of bounded size.
//!
//! A plain file is opened at its offset. A compressed one is decompressed from its beginning and
//! the bytes before the offset are thrown away, in the same bounded pieces as everything else, so
//! that resuming far into a large file does not hold up the worker.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use headwater_core::{Error, Result};

use crate::compression::Compression;
use crate::source::shrank;

/// Bytes that are asked for at a time.
const PIECE: usize = 64 << 10;
/// A buffer that grew beyond this for one long record is given back afterwards.
const KEPT_CAPACITY: usize = 1 << 20;

/// What [`Input::more`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum More {
    /// The window has grown.
    Data,
    /// The allowance is used up; ask again in the next call.
    Later,
    /// The file has ended; the window holds what is left.
    End,
}

/// A window of unconsumed bytes that slides over a file.
pub(crate) struct Input {
    path: PathBuf,
    compression: Compression,
    read: Box<dyn Read + Send>,
    /// Offset of the next byte that `read` gives.
    offset: u64,
    /// Bytes before this offset are not wanted.
    skip_to: u64,
    bytes: Vec<u8>,
    start: usize,
    allowance: usize,
}

impl Input {
    /// Opens `path` at an offset of its decompressed bytes.
    pub(crate) fn open(path: &Path, at: u64) -> Result<Input> {
        let (mut file, size) = open(path)?;
        let compression = Compression::of(path);
        let mut offset = 0;
        let read: Box<dyn Read + Send> = match compression {
            Compression::None => {
                if size < at {
                    return Err(shrank(path, &format!("offset {at}"), &format!("{size} bytes")));
                }
                file.seek(SeekFrom::Start(at)).map_err(|e| failed(path, compression, at, e))?;
                offset = at;
                Box::new(file)
            }
            // Neither decoder knows the empty stream, but an empty file has no records.
            _ if size == 0 => Box::new(io::empty()),
            Compression::Gzip => Box::new(MultiGzDecoder::new(BufReader::new(file))),
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::new(file);
                Box::new(decoder.map_err(|e| failed(path, compression, 0, e))?)
            }
        };
        Ok(Input {
            path: path.to_owned(),
            compression,
            read,
            offset,
            skip_to: at,
            bytes: Vec::new(),
            start: 0,
            allowance: 0,
        })
    }

    /// How many bytes may be read before [`More::Later`].
    pub(crate) fn allow(&mut self, bytes: usize) {
        self.allowance = bytes;
    }

    /// The bytes that were read and not consumed.
    pub(crate) fn window(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Drops bytes from the front of the window.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.bytes.len());
    }

    /// Reads the next piece into the window.
    pub(crate) fn more(&mut self) -> Result<More> {
        while self.offset < self.skip_to {
            if self.allowance == 0 {
                return Ok(More::Later);
            }
            let left = usize::try_from(self.skip_to - self.offset).unwrap_or(usize::MAX);
            if self.read_piece(left)? == 0 {
                let (at, has) = (self.skip_to, self.offset);
                let has = format!("{has} bytes once decompressed");
                return Err(shrank(&self.path, &format!("offset {at}"), &has));
            }
            self.bytes.clear();
        }
        if self.allowance == 0 {
            return Ok(More::Later);
        }
        self.bytes.drain(..self.start);
        self.start = 0;
        if self.bytes.len() < PIECE && self.bytes.capacity() > KEPT_CAPACITY {
            self.bytes.shrink_to(KEPT_CAPACITY);
        }
        Ok(if self.read_piece(PIECE)? == 0 { More::End } else { More::Data })
    }

    /// Appends up to one piece, short only at the end of the file; returns its length.
    fn read_piece(&mut self, limit: usize) -> Result<usize> {
        let limit = limit.min(PIECE);
        let mut piece = (&mut self.read).take(limit as u64);
        let before = self.bytes.len();
        let result = piece.read_to_end(&mut self.bytes);
        let read = self.bytes.len() - before;
        self.offset += read as u64;
        self.allowance = self.allowance.saturating_sub(read.max(1));
        match result {
            Ok(_) => Ok(read),
            Err(e) => Err(failed(&self.path, self.compression, self.offset, e)),
        }
    }
}

/// Opens a file for reading and tells its size.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let opened = File::open(path).and_then(|file| file.metadata().map(|m| (file, m.len())));
    opened.map_err(|e| {
        let gone = e.kind() == io::ErrorKind::NotFound;
        let what = if gone { "is gone" } else { "cannot be opened" };
        Error::connector(format!("file {path:?} {what}"))
            .because(e)
            .hint("files must stay until the job has read them and a checkpoint says so")
    })
}

fn failed(path: &Path, compression: Compression, offset: u64, e: io::Error) -> Error {
    let (offset, hint) = match compression {
        Compression::None => (format!("offset {offset}"), "check the disk"),
        _ => (
            format!("decompressed offset {offset}"),
            "the compressed file is cut off or damaged; replace it by an intact one",
        ),
    };
    Error::connector(format!("cannot read file {path:?} at {offset}")).because(e).hint(hint)
}
