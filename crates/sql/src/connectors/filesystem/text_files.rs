//! Text files as rows: lines or CSV records, each decoded by the table's format.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::datatypes::SchemaRef;
use headwater_connect::{Position, ReadBuffer, ReadStatus, Source, SplitId, Wake};
use headwater_core::{Error, Original, ProcessingTime, Result};
use headwater_files::{CsvDialect, FileSource, Framing, RawRecord, SourceBuilder};
use headwater_topology::erased::AnySource;

use super::folders::Folders;
use crate::connectors::Projection;
use crate::connectors::decoded::{Assembler, Decoded, Decoding, Envelope};
use crate::error::SqlResult;
use crate::formats::Format;
use crate::formats::column::Column;
use crate::formats::text::{TimestampStandard, write_timestamp};

/// Metadata columns of files.
pub(super) const METADATA: &[&str] =
    &["file.path", "file.name", "file.size", "file.modification-time"];

impl Envelope for RawRecord {
    fn value(&self) -> Option<&[u8]> {
        Some(&self.bytes)
    }
    fn place(&self) -> String {
        format!("line {}", self.line)
    }
    fn into_original(self) -> Original {
        self.bytes.into()
    }
    fn metadata(&self, key: &str, _column: &mut Column) -> Result<(), String> {
        Err(format!("a file has no '{key}'"))
    }
}

/// A source of the rows in text files.
pub(super) fn source(
    files: SourceBuilder,
    folders: Folders,
    record: SchemaRef,
    format: Format,
    projection: &Projection,
) -> SqlResult<Arc<dyn AnySource>> {
    let (framing, header) = match &format {
        Format::Csv(csv) => {
            let dialect = CsvDialect {
                delimiter: csv.delimiter,
                quote: csv.quote,
                escape: csv.escape,
                comment: csv.comment,
            };
            (Framing::Csv(dialect), csv.header)
        }
        _ => (Framing::Lines, false),
    };
    let decoding = Decoding::new(format, record, projection)?;
    let source = Decoded::new(files.raw(framing), decoding);
    let prepare = move |files: &FileSource<RawRecord>, split: &SplitId, rows: &mut Assembler| {
        rows.constants = folders.values(&split.0);
        rows.constants.extend(metadata(files, split)?);
        if header { read_header(files, split, rows) } else { Ok(None) }
    };
    Ok(Arc::new(source.prepared_by(Arc::new(prepare))))
}

/// What is known of a file; of one that is gone, nothing but its name.
pub(super) fn metadata<T: headwater_core::Record>(
    files: &FileSource<T>,
    split: &SplitId,
) -> Result<Vec<(String, Option<String>)>> {
    let path = files.path_of(split)?;
    let known = std::fs::metadata(&path).ok();
    let modified = known.as_ref().and_then(|known| known.modified().ok());
    let modified = modified.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = modified.and_then(|since| i64::try_from(since.as_millis()).ok()).map(|ms| {
        let mut text = Vec::new();
        let unit = datafusion::arrow::datatypes::TimeUnit::Millisecond;
        write_timestamp(&mut text, ms, unit, true, TimestampStandard::Sql);
        String::from_utf8_lossy(&text).into_owned()
    });
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let values = [
        Some(path.to_string_lossy().into_owned()),
        name,
        known.map(|known| known.len().to_string()),
        modified,
    ];
    Ok(METADATA.iter().map(|key| (*key).to_owned()).zip(values).collect())
}

/// Reads the first record of a file as its header; gives the position behind it.
fn read_header(
    files: &FileSource<RawRecord>,
    split: &SplitId,
    rows: &mut Assembler,
) -> Result<Option<Position>> {
    // A restored split whose file has been read to its end may be gone by now.
    let Ok(mut reader) = Source::open(files, split, None, Wake::none()) else { return Ok(None) };
    loop {
        let mut buffer = ReadBuffer::new(1, Duration::ZERO, ProcessingTime(0));
        let status = reader.read(&mut buffer)?;
        let refused = |reason: String| {
            Error::connector(format!("header of file {:?}: {reason}", split.0))
                .hint("is it a CSV file with a header? otherwise set 'csv.header' = 'false'")
        };
        if let Some(bad) = buffer.bad.first() {
            return Err(refused(bad.reason.clone()));
        }
        if let Some(header) = buffer.records.first() {
            rows.decoder.header(&header.value.bytes).map_err(refused)?;
            return Ok(Some(reader.position()));
        }
        if status == ReadStatus::End {
            return Ok(Some(reader.position()));
        }
    }
}
