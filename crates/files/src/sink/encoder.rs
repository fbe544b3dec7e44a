//! What a format has to do for a part: take rows, tell its size, finish the file.

use headwater_core::{Error, Result, Timed};

use crate::durable::io_error;
use crate::sink::Target;
use crate::sink::part::PartFile;

/// Encodes the rows of one part.
pub(crate) trait Encoder<T>: Send {
    /// Takes rows until the part has `limit` bytes, at least one; returns how many it took.
    fn write(&mut self, rows: &[Timed<T>], limit: u64) -> Result<usize>;

    /// About how many bytes the part has.
    fn size(&self) -> u64;

    /// Writes what is held back and gives the complete file.
    fn finish(self: Box<Self>) -> Result<PartFile>;
}

/// Starts the encoder of a new part.
pub(crate) type Start<T> = fn(&Target, PartFile) -> Result<Box<dyn Encoder<T>>>;

/// The error of a write to a part in the sink's directory.
pub(crate) fn write_failed(target_dir: &std::path::Path, e: std::io::Error) -> Error {
    io_error("write a part to", target_dir, e)
}

/// The error of a row that the format cannot hold.
pub(crate) fn cannot_encode<T>(
    format: &str,
    e: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::data(format!("cannot write a {} as {format}", std::any::type_name::<T>())).because(e)
}
