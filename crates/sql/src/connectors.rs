//! Where tables are: sources and sinks of rows.
//!
//! [`source`] reads a table, [`sink`] writes one, [`provider`] reads a bounded one in a batch: by
//! the very same readers, so that batch and streaming see the same rows. A connector is a list of
//! options ([`options`](mod@options)) and one or both of a source and a sink on [`crate::rows::Rows`]; what its
//! bytes mean is the business of [`crate::formats`].
//!
//! Reading order: [`options`](mod@options) → [`nexmark`] → [`decoded`] → [`filesystem`].

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use headwater_core::{BadRecordPolicy, ProcessingTime};
use headwater_topology::erased::{AnySink, AnySource};

use crate::bridge::from_stream::{self, StreamTable};
use crate::catalog::Table;
use crate::error::{SqlError, SqlResult, codes};
use crate::formats;

pub mod batch;
pub mod blackhole;
pub mod datagen;
pub mod decoded;
pub mod filesystem;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod nexmark;
pub mod options;
pub mod print;
pub mod projection;
#[cfg(test)]
pub(crate) mod testing;
mod writing;

pub use options::{OptionKind, OptionSpec, Options};
pub use projection::Projection;

/// How rows say what happens to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangelogMode {
    /// Rows are only ever added.
    Append,
    /// Rows are added, and replaced and removed by the key in these columns; what was before is
    /// not told.
    Upsert(Vec<usize>),
    /// Rows are added, changed and removed; what was before is not told, and nobody asks which row
    /// it was.
    WithoutBefore,
    /// Rows are added, changed and removed, and what was before is told.
    Retract,
}

/// What connectors need to know beside the table.
#[derive(Clone)]
pub struct ConnectorContext {
    /// Number of workers.
    pub parallelism: usize,
    /// Where `print` prints; none: the standard output.
    pub out: Option<SharedOutput>,
    /// The time of a batch query: that of generated rows.
    pub now: ProcessingTime,
    /// The streams of the job that are tables.
    pub(crate) streams: Arc<Vec<Arc<StreamTable>>>,
    /// Windows give results before they are complete: this long after a change.
    pub(crate) early: Option<Duration>,
    /// A query says so itself: it is wrong where there is no window.
    pub(crate) early_is_asked: bool,
}

/// An output that several writers share.
pub type SharedOutput = Arc<Mutex<dyn Write + Send>>;

impl ConnectorContext {
    /// The context of a job with this many workers.
    pub fn new(parallelism: usize) -> Self {
        let now = ProcessingTime::default();
        ConnectorContext {
            parallelism,
            out: None,
            now,
            streams: Arc::default(),
            early: None,
            early_is_asked: false,
        }
    }

    /// The splits of a generated table: as it says, or one or more per worker.
    fn splits(&self, options: &Options<'_>) -> usize {
        let wanted = options.count("scan.splits").and_then(|n| usize::try_from(n).ok());
        wanted.unwrap_or_else(|| self.parallelism.max(GENERATOR_SPLITS))
    }

    /// The stream that a table is, if it is one.
    pub(crate) fn stream(&self, table: &Table) -> Option<&Arc<StreamTable>> {
        let is_stream = table.option("connector") == Some(from_stream::CONNECTOR);
        let number = table.option(from_stream::NUMBER).filter(|_| is_stream)?;
        self.streams.get(number.parse::<usize>().ok()?)
    }
}

/// Splits of a generated table, unless it or the number of workers says otherwise.
const GENERATOR_SPLITS: usize = 4;

/// A table that is read.
#[derive(Clone)]
pub struct TableSource {
    /// Gives [`crate::rows::Rows`] of `schema`.
    pub source: Arc<dyn AnySource>,
    /// The columns it gives.
    pub schema: SchemaRef,
    /// Whether it ends.
    pub bounded: bool,
    /// The kinds of its rows; key columns are indices into `schema`.
    pub changelog: ChangelogMode,
    /// What happens to records that cannot be read.
    pub bad_records: BadRecordPolicy,
}

/// A table that is written.
#[derive(Clone)]
pub struct TableSink {
    /// Takes [`crate::rows::Rows`] of `schema`.
    pub sink: Arc<dyn AnySink>,
    /// The columns it takes: those that [`Table::written_columns`] names.
    pub schema: SchemaRef,
    /// What it takes; a sink that takes more takes less too. Key columns are indices into
    /// `schema`.
    pub accepts: ChangelogMode,
}

/// What a connector is, for lists.
#[derive(Clone, Copy, Debug)]
pub struct Connector {
    /// Its name.
    pub name: &'static str,
    /// What it is, one sentence.
    pub help: &'static str,
    /// Whether it can be read.
    pub reads: bool,
    /// Whether it can be written.
    pub writes: bool,
    /// Its own options.
    pub options: &'static [OptionSpec],
    /// The prefixes of options of formats (`""`, `"key."`, `"value."`); none: it has no format.
    pub formats: &'static [&'static str],
}

/// All connectors.
pub const CONNECTORS: &[Connector] = &[
    datagen::CONNECTOR,
    nexmark::CONNECTOR,
    filesystem::CONNECTOR,
    #[cfg(feature = "kafka")]
    kafka::CONNECTOR,
    #[cfg(feature = "kafka")]
    kafka::UPSERT,
    print::CONNECTOR,
    blackhole::CONNECTOR,
];

/// Options of every table that is read; the planner's to follow, but for `scan.bad-records`.
pub const SCAN_OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        "scan.watermark.emit.strategy",
        OptionKind::Choice(&["on-periodic", "on-event"]),
        "when a new watermark is told: from time to time, or after every row that moves it",
    )
    .or("on-periodic"),
    OptionSpec::new(
        "scan.watermark.emit.on-event.gap",
        OptionKind::Count,
        "with 'on-event', every how many rows a watermark is told",
    )
    .or("1"),
    OptionSpec::new(
        "scan.watermark.idle-timeout",
        OptionKind::Duration,
        "how long a split without rows holds back the watermark; not set: for ever",
    ),
    OptionSpec::new(
        "scan.watermark.alignment.group",
        OptionKind::Text,
        "sources of one group wait for each other in event time",
    ),
    OptionSpec::new(
        "scan.watermark.alignment.max-drift",
        OptionKind::Duration,
        "how far a split may be ahead of the slowest of its group",
    ),
    OptionSpec::new(
        "scan.watermark.alignment.update-interval",
        OptionKind::Duration,
        "how often a group compares; accepted for compatibility, the engine decides",
    ),
    OptionSpec::new(
        "scan.bad-records",
        OptionKind::Choice(&["dead-letter", "skip", "fail"]),
        "what happens to records that cannot be read; all are counted",
    )
    .or("dead-letter"),
];

/// A connector by name.
///
/// # Errors
/// When there is none, with the nearest name.
pub fn connector(name: &str) -> SqlResult<&'static Connector> {
    CONNECTORS.iter().find(|connector| connector.name == name).ok_or_else(|| {
        let error =
            SqlError::new(codes::UNKNOWN_CONNECTOR, format!("there is no connector '{name}'"));
        if !cfg!(feature = "kafka") && name.contains("kafka") {
            return error.help("this program was built without the feature `kafka`");
        }
        error.names(name, "connectors", CONNECTORS.iter().map(|connector| connector.name))
    })
}

/// All options of a connector's tables, those of its formats included.
///
/// # Errors
/// When there is no such connector.
pub fn options(name: &str) -> SqlResult<Vec<OptionSpec>> {
    let connector = connector(name)?;
    let mut all = connector.options.to_vec();
    if !connector.formats.is_empty() {
        all.extend(formats::options(connector.formats));
    }
    if connector.reads {
        all.extend_from_slice(SCAN_OPTIONS);
    }
    Ok(all)
}

/// The source of a table, with the columns that are wanted; none: all that the connector reads.
/// Whether it can be reached is found out when a job starts ([`AnySource::validate`]).
///
/// # Errors
/// An unknown connector or option, a value or a column that it cannot have.
pub fn source(
    table: &Table,
    wanted: Option<&SchemaRef>,
    cx: &ConnectorContext,
) -> SqlResult<TableSource> {
    let found = of_table(table)?;
    if !found.reads {
        let message = format!("nothing can be read from a '{}' table", found.name);
        return Err(table.value_error("connector", codes::NOT_A_SOURCE, message));
    }
    let specs = options(found.name)?;
    let options = Options::check(table, &specs)?;
    let projection = Projection::new(table, wanted)?;
    let mut source = match found.name {
        nexmark::NAME => nexmark::source(&options, projection, cx),
        datagen::NAME => datagen::source(&options, projection, cx),
        filesystem::NAME => filesystem::source(&options, projection),
        #[cfg(feature = "kafka")]
        kafka::NAME | kafka::UPSERT_NAME => kafka::source(&options, projection),
        other => Err(SqlError::internal(format!("connector '{other}' has no source"))),
    }?;
    if options.is_set("scan.bad-records") {
        source.bad_records = match options.choice("scan.bad-records").as_deref() {
            Some("fail") => BadRecordPolicy::Fail,
            Some("skip") => BadRecordPolicy::Skip,
            _ => BadRecordPolicy::DeadLetter,
        };
    }
    Ok(source)
}

/// The sink of a table.
///
/// # Errors
/// An unknown connector or option, a value or a column that it cannot have.
pub fn sink(table: &Table, cx: &ConnectorContext) -> SqlResult<TableSink> {
    let found = of_table(table)?;
    if !found.writes {
        let message = format!("nothing can be written to a '{}' table", found.name);
        return Err(table.value_error("connector", codes::NOT_A_SINK, message));
    }
    let specs = options(found.name)?;
    let options = Options::check(table, &specs)?;
    match found.name {
        print::NAME => print::sink(&options, cx),
        blackhole::NAME => blackhole::sink(&options),
        filesystem::NAME => filesystem::sink(&options),
        #[cfg(feature = "kafka")]
        kafka::NAME | kafka::UPSERT_NAME => kafka::sink(&options),
        other => Err(SqlError::internal(format!("connector '{other}' has no sink"))),
    }
}

/// A bounded table for a batch query: its columns are those the connector reads, in their order.
/// None if the table does not end.
///
/// # Errors
/// As [`source`].
pub fn provider(table: &Table, cx: &ConnectorContext) -> SqlResult<Option<Arc<dyn TableProvider>>> {
    let source = source(table, None, cx)?;
    Ok(source.bounded.then(|| batch::provider(table.clone(), source, cx.clone())))
}

fn of_table(table: &Table) -> SqlResult<&'static Connector> {
    let name = table.connector()?;
    if name == from_stream::CONNECTOR {
        let message = format!("table `{}` is a stream of a job in Rust", table.name);
        return Err(table.value_error("connector", codes::NOT_A_SINK, message).help(
            "it is read by queries of its job; a query's rows become a stream by to_stream()",
        ));
    }
    connector(name).map_err(|error| match table.option_spans.get("connector") {
        Some((_, span)) => error.at(*span),
        None => error,
    })
}
