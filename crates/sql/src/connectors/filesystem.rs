//! Files as tables: read one, a directory or a pattern; write parts that appear exactly once.
//!
//! A file is a split, a position is a place between two records. Text files end in `.gz` or `.zst`
//! where they are compressed. Folders like `dt=2020-12-30` are the columns that a table is
//! partitioned by, in reading and in writing; files do not hold these columns.
//!
//! What it does not do: merge small files, wait for a watermark to mark partitions as complete, read
//! object stores.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::datatypes::SchemaRef;
use headwater_core::BadRecordPolicy;
use headwater_files::Compression;

use super::options::{OptionKind, OptionSpec, Options};
use super::{ChangelogMode, Connector, Projection, TableSink, TableSource};
use crate::error::{SqlError, SqlResult, codes};
use crate::formats::{self, Format};

mod folders;
mod parquet_files;
mod parts;
#[cfg(test)]
mod tests;
mod text_files;

use folders::Folders;

/// The connector's name.
pub const NAME: &str = "filesystem";

/// The connector.
pub const CONNECTOR: Connector = Connector {
    name: NAME,
    help: "files: one, a directory or a pattern such as in/*.jsonl.gz",
    reads: true,
    writes: true,
    options: OPTIONS,
    formats: &[""],
};

/// What a file is called that partitions without a value are in.
const NO_VALUE: &str = "__DEFAULT_PARTITION__";

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "path",
        OptionKind::Text,
        "a file, a directory, or a pattern with * and ? in its last part; to write, a directory",
    )
    .required(),
    formats::FORMAT,
    OptionSpec::new(
        "source.monitor-interval",
        OptionKind::Duration,
        "looks for new files at this interval and never ends; not set: reads what is there",
    ),
    OptionSpec::new(
        "source.max-record-size",
        OptionKind::Size,
        "the longest record; a longer one is refused",
    )
    .or("16 mb"),
    OptionSpec::new(
        "partition.default-name",
        OptionKind::Text,
        "the folder of rows whose partition column is null or empty",
    )
    .or(NO_VALUE),
    OptionSpec::new(
        "sink.compression",
        OptionKind::Choice(&["none", "gzip", "zstd"]),
        "how files are compressed; the pages of Parquet files are Snappy or Zstd",
    )
    .or("none"),
    OptionSpec::new("sink.file-prefix", OptionKind::Text, "what names of files begin with")
        .or("part"),
    OptionSpec::new(
        "sink.rolling-policy.file-size",
        OptionKind::Size,
        "a file of this size is closed; every checkpoint closes files too",
    )
    .or("128 mb"),
    OptionSpec::new(
        "sink.rolling-policy.rollover-interval",
        OptionKind::Duration,
        "a file that has been open this long is closed",
    )
    .or("30 min"),
    OptionSpec::new(
        "sink.rolling-policy.check-interval",
        OptionKind::Duration,
        "how often ages are compared; without effect, as every write does",
    )
    .or("1 min"),
    OptionSpec::new(
        "sink.partition-commit.policy.kind",
        OptionKind::Choice(&["none", "success-file"]),
        "whether folders whose files have become visible get a file that says so",
    )
    .or("none"),
    OptionSpec::new(
        "sink.partition-commit.success-file.name",
        OptionKind::Text,
        "name of the file that says that a folder has got files",
    )
    .or("_SUCCESS"),
    OptionSpec::new(
        "sink.partition-commit.trigger",
        OptionKind::Choice(&["process-time"]),
        "when folders are marked: with the checkpoint that makes their files visible",
    )
    .or("process-time"),
];

/// The source of a table.
pub fn source(options: &Options<'_>, projection: Projection) -> SqlResult<TableSource> {
    let path = path(options)?;
    let table = options.table();
    let folders = Folders::of(options);
    let record: SchemaRef = folders.without(&projection.record)?;
    let format = Format::of(options, "format", "", &record)?;
    for (_, key) in projection.metadata() {
        if !text_files::METADATA.contains(&key) {
            let message = format!("connector '{NAME}' has no metadata '{key}'");
            let error = SqlError::new(codes::BAD_OPTION, message);
            return Err(error.names(key, "metadata", text_files::METADATA.iter().copied()));
        }
    }
    let watch = options.duration("source.monitor-interval");
    let mut files = headwater_files::source(path);
    if let Some(interval) = watch {
        files = files.watch(interval.max(Duration::from_millis(1)));
    }
    let longest = options.size("source.max-record-size").and_then(|size| size.try_into().ok());
    files = files.max_record_bytes(longest.unwrap_or(16 << 20));
    let changelog = match format.is_changelog() {
        true => ChangelogMode::Retract,
        false => ChangelogMode::Append,
    };
    let bad_records = match format.leaves_out_bad_records() {
        true => BadRecordPolicy::Skip,
        false => BadRecordPolicy::default(),
    };
    let schema = Arc::clone(&projection.schema);
    let source = match format {
        Format::Parquet => parquet_files::source(files, folders, &record, &projection)?,
        Format::Bridge(_) => {
            let name = format.name();
            let message = format!("files of format '{name}' are not supported");
            return Err(table.value_error("format", codes::UNSUPPORTED, message));
        }
        format => text_files::source(files, folders, record, format, &projection)?,
    };
    Ok(TableSource { source, schema, bounded: watch.is_none(), changelog, bad_records })
}

/// The sink of a table.
pub fn sink(options: &Options<'_>) -> SqlResult<TableSink> {
    super::writing::no_metadata(options, NAME)?;
    let table = options.table();
    let written = Arc::new(table.schema.project(&table.written_columns())?);
    let folders = Folders::of(options);
    let record = folders.without(&written)?;
    if record.fields().is_empty() {
        let message = format!("table `{}` has partition columns only", table.name);
        return Err(SqlError::new(codes::BAD_SCHEMA, message));
    }
    let format = Format::of(options, "format", "", &record)?;
    let accepts = match format.is_changelog() {
        true => ChangelogMode::Retract,
        false => ChangelogMode::Append,
    };
    let compression = match options.choice("sink.compression").as_deref() {
        Some("gzip") => Compression::Gzip,
        Some("zstd") => Compression::Zstd,
        _ => Compression::None,
    };
    let mut files = headwater_files::sink(path(options)?)
        .prefix(options.text("sink.file-prefix").unwrap_or("part"))
        .roll_bytes(options.size("sink.rolling-policy.file-size").unwrap_or(128 << 20));
    if options.choice("sink.partition-commit.policy.kind").as_deref() == Some("success-file") {
        let name = options.text("sink.partition-commit.success-file.name").unwrap_or("_SUCCESS");
        if !name.starts_with(['_', '.']) || name.contains(['/', '\\']) {
            let key = "sink.partition-commit.success-file.name";
            let message = format!("option '{key}' can't be '{name}'");
            return Err(options
                .wrong(key, message)
                .help("a name that begins with _ is no table file"));
        }
        files = files.marker(name);
    }
    if let Some(age) = options.duration("sink.rolling-policy.rollover-interval") {
        files = files.roll_after(age);
    }
    let sink = match format {
        Format::Parquet if compression == Compression::Gzip => {
            let message = "Parquet files cannot be compressed by gzip";
            return Err(options.wrong("sink.compression", message).help("use 'zstd' or 'none'"));
        }
        Format::Parquet => parts::parquet(files, folders, compression, &written, record),
        Format::Bridge(_) => {
            let message = format!("files of format '{}' are not supported", format.name());
            return Err(table.value_error("format", codes::UNSUPPORTED, message));
        }
        format => parts::text(files.compression(compression), folders, format, &written, record),
    };
    Ok(TableSink { sink, schema: written, accepts })
}

/// The path, without the scheme of files.
fn path(options: &Options<'_>) -> SqlResult<PathBuf> {
    let text = options.text("path").unwrap_or_default();
    let path = match text.split_once(':') {
        Some(("file", rest)) => rest.strip_prefix("//").unwrap_or(rest),
        // A single letter is a drive.
        Some((scheme, rest)) if scheme.len() > 1 && rest.starts_with("//") => {
            let message = format!("files at '{scheme}://' are not supported");
            return Err(options.wrong("path", message).help("use a path of this machine"));
        }
        _ => text,
    };
    if path.is_empty() {
        return Err(options.wrong("path", "option 'path' is empty"));
    }
    Ok(PathBuf::from(path))
}
