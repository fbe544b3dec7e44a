//! What the writers of rows share: a queue, and rows as records of bytes.

use headwater_core::{Batch, Error, Result};

use crate::error::{SqlError, SqlResult, codes};
use crate::formats::Format;
use crate::rows::{Chunk, Rows};

use super::options::Options;

/// Batches that wait for their writer.
#[derive(Default)]
pub(super) struct Queue {
    chunks: Vec<Chunk>,
    rows: usize,
}

impl Queue {
    pub(super) fn push(&mut self, batch: Batch) {
        for chunk in Rows::of(batch) {
            self.rows += chunk.len();
            self.chunks.push(chunk);
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn take(&mut self) -> Vec<Chunk> {
        self.rows = 0;
        std::mem::take(&mut self.chunks)
    }
}

/// Encodes the rows of a chunk as lines.
pub(super) fn lines(format: &Format, chunk: &Chunk, out: &mut Vec<u8>) -> Result<()> {
    let encoder = format.encoder(chunk)?;
    for row in 0..chunk.len() {
        encoder.encode(row, out)?;
        out.push(b'\n');
    }
    Ok(())
}

/// Refuses rows that take something back where there can be new ones only.
pub(super) fn only_inserts(chunk: &Chunk, sink: &str) -> Result<()> {
    use headwater_core::RowKind;
    let insert = |row| chunk.kind(row) == RowKind::Insert;
    if chunk.kinds.is_none() || (0..chunk.len()).all(insert) {
        return Ok(());
    }
    Err(Error::internal(format!("{sink} was given rows that change others")))
}

/// Refuses metadata columns where a sink has none to write.
pub(super) fn no_metadata(options: &Options<'_>, connector: &str) -> SqlResult<()> {
    let table = options.table();
    let physical = table.physical();
    match table.written_columns().into_iter().find(|column| !physical.contains(column)) {
        None => Ok(()),
        Some(column) => Err(SqlError::new(
            codes::BAD_OPTION,
            format!(
                "connector '{connector}' writes no metadata, as column `{}` wants it",
                table.field(column).name()
            ),
        )
        .help("declare the column VIRTUAL to leave it out when writing")),
    }
}
