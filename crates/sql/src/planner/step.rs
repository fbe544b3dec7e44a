//! The plan of a streaming query: steps that each become one operator, with what is known of the
//! rows that leave them.
//!
//! Invariants: a step's traits are true of every row it emits; its identity depends on what it
//! computes from which tables, not on names of columns, on their order before it, or on what other
//! queries do. So a state is found again exactly when it means the same.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::AggregateUDF;
use datafusion::physical_expr::PhysicalExpr;
use xxhash_rust::xxh3::xxh3_128;

use super::feed::Feed;
use super::nodes::WindowSpec;
use crate::bridge::from_stream::StreamTable;
use crate::catalog::Table;
use crate::connectors::TableSource;
use crate::operators::correlate::Correlation;

/// An expression over the columns of a step's input.
pub type PhysExpr = Arc<dyn PhysicalExpr>;

/// One step.
#[derive(Debug)]
pub struct Step {
    /// What it does.
    pub op: Op,
    /// Where its rows come from.
    pub inputs: Vec<Arc<Step>>,
    /// The columns that leave it.
    pub schema: SchemaRef,
    /// What is known of the rows that leave it.
    pub traits: Traits,
    /// What it computes.
    pub identity: Identity,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Op {
    /// Reads a table.
    Scan {
        /// The table.
        table: Arc<Table>,
        /// Its connector.
        source: SourceHandle,
    },
    /// Makes rows of a stream of the job.
    Stream {
        /// The table that it is.
        table: Arc<Table>,
        /// The stream.
        stream: Arc<StreamTable>,
    },
    /// Gives rows that are in the text.
    Values(RecordBatch),
    /// Gives rows that are made beside the engine.
    Feed {
        /// Where they come from.
        feed: Arc<Feed>,
        /// What it is called.
        name: String,
    },
    /// Moves the watermark.
    Watermark {
        /// The rowtime attribute.
        rowtime: usize,
        /// The watermark that each row says.
        expr: PhysExpr,
        /// The table that declares it.
        table: String,
        /// Options that begin with `scan.watermark.`.
        options: Vec<(String, String)>,
    },
    /// Filters, then computes columns.
    Calc {
        /// Which rows are kept.
        filter: Option<PhysExpr>,
        /// The columns.
        project: Vec<PhysExpr>,
    },
    /// Puts rows beside what a table function makes of each.
    Correlate(Correlation),
    /// Adds the columns of the windows that a row is in.
    AssignWindows {
        /// Which windows.
        window: Window,
        /// Keys of sessions.
        keys: Vec<usize>,
    },
    /// Aggregates per key and window, once per window.
    WindowAggregate {
        /// Which windows.
        window: Window,
        /// Grouping columns other than the window's.
        keys: Vec<usize>,
        /// The aggregates.
        aggs: Vec<Aggregate>,
        /// The window's columns that follow keys and aggregates.
        bounds: Vec<Bound>,
    },
    /// Aggregates rows that carry their window, once per window.
    WindowedGroup {
        /// Grouping columns other than the window's.
        keys: Vec<usize>,
        /// Columns of start, end and time of the window, as far as they are grouped by.
        bounds: Vec<(Bound, usize)>,
        /// The aggregates.
        aggs: Vec<Aggregate>,
        /// Results are given before windows are complete: this long after a change.
        early: Option<Duration>,
    },
    /// Aggregates per key; changes what it gave out as rows come.
    GroupAggregate {
        /// Grouping columns.
        keys: Vec<usize>,
        /// The aggregates.
        aggs: Vec<Aggregate>,
    },
    /// Keeps the rows of some ranks per key.
    TopN(TopN),
    /// Keeps the first or last row per key.
    Deduplicate {
        /// The keys.
        keys: Vec<usize>,
        /// The time column.
        time: usize,
        /// What time that is.
        kind: TimeKind,
        /// Whether the last row is kept, or the first.
        keep_last: bool,
    },
    /// Adds aggregates over the rows before each row.
    Over {
        /// The keys.
        keys: Vec<usize>,
        /// The time column that orders rows.
        time: usize,
        /// What time that is.
        kind: TimeKind,
        /// How far back the frame reaches.
        frame: Frame,
        /// The aggregates.
        aggs: Vec<Aggregate>,
        /// What an aggregate of no row is, if not NULL.
        default: Option<ScalarValue>,
    },
    /// Orders by time, then by other columns.
    SortByTime {
        /// The time column.
        time: usize,
        /// Columns after it.
        then: Vec<Ordering>,
    },
    /// Lets some rows through.
    Limit {
        /// Rows left out first.
        skip: u64,
        /// Rows let through.
        fetch: u64,
    },
    /// Makes a full changelog of one that says the new row of a key only.
    Normalize {
        /// The key.
        keys: Vec<usize>,
    },
    /// Rows of all inputs.
    Union,
}

/// A table's connector, for reading.
#[derive(Clone)]
pub struct SourceHandle(pub TableSource);

impl fmt::Debug for SourceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Equal tables have equal connectors; columns are in the step's schema.
        f.write_str("source")
    }
}

/// Windows of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Which.
    pub spec: WindowSpec,
    /// The time column.
    pub time: usize,
    /// What time that is.
    pub kind: TimeKind,
}

/// Which rows are kept per key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopN {
    /// The keys.
    pub keys: Vec<usize>,
    /// What ranks go by.
    pub order: Vec<Ordering>,
    /// First rank kept, from 1.
    pub first: u64,
    /// Last rank kept.
    pub last: u64,
    /// Whether the rank is a column.
    pub rank: bool,
    /// The column of the window's end where rows carry windows, and each is done by itself, once.
    pub windowed: Option<usize>,
}

/// A column that rows are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordering {
    /// The column.
    pub column: usize,
    /// Greatest first.
    pub descending: bool,
    /// NULLs first.
    pub nulls_first: bool,
}

/// How far back the frame of an OVER aggregate reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// To the first row.
    Unbounded {
        /// Counted in rows: rows of the same time are not one.
        rows: bool,
    },
    /// So many rows before the current one.
    Rows(u64),
    /// That one row so many before the current one, which LAG gives.
    Row(u64),
    /// So many milliseconds before the current row's time.
    Range(i64),
}

/// One aggregate of a step.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// The function.
    pub function: Arc<AggregateUDF>,
    /// Columns of its arguments; none for `COUNT(*)`.
    pub args: Vec<usize>,
    /// Arguments that are literals, in their order, after the first.
    pub literals: Vec<ScalarValue>,
    /// The column that says which rows count.
    pub filter: Option<usize>,
    /// Whether equal values count once.
    pub distinct: bool,
    /// The column it gives.
    pub field: FieldRef,
}

/// A column of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// `window_start`.
    Start,
    /// `window_end`.
    End,
    /// `window_time`.
    Time,
}

/// A kind of time attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeKind {
    /// Event time, with a watermark.
    Row,
    /// Processing time.
    Proc,
}

/// What is known of the rows of a step.
#[derive(Clone, Debug, Default)]
pub struct Traits {
    /// Rows are changed after they were given out.
    pub updates: bool,
    /// Rows are taken back without a successor.
    pub deletes: bool,
    /// Only the new row of an update is given, not the old one.
    pub upserts: bool,
    /// Sets of columns that no two rows agree in.
    pub keys: Vec<Vec<usize>>,
    /// Time attributes among the columns.
    pub time: Vec<Option<TimeKind>>,
    /// Columns of the window that rows carry.
    pub window: Option<WindowColumns>,
    /// The input ends.
    pub bounded: bool,
}

impl Traits {
    /// Rows are only ever added.
    pub fn append_only(&self) -> bool {
        !self.updates && !self.deletes
    }
}

/// Where rows carry their window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowColumns {
    /// `window_start`.
    pub start: Option<usize>,
    /// `window_end`.
    pub end: Option<usize>,
    /// `window_time`.
    pub time: Option<usize>,
    /// What time the windows are of.
    pub kind: TimeKind,
}

/// What a step computes, as texts that are equal exactly if the meanings are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Which rows there are.
    pub rows: String,
    /// What each column holds.
    pub columns: Vec<String>,
}

impl Identity {
    /// A text for these rows; long ones are replaced by their hash.
    pub fn short(text: String) -> String {
        const LONGEST: usize = 80;
        if text.len() <= LONGEST { text } else { format!("{:032x}", xxh3_128(text.as_bytes())) }
    }

    /// Eight hex digits that stand for the identity in names.
    pub fn digest(&self, label: &str) -> String {
        let text = format!("{label}\n{}\n{}", self.rows, self.columns.join("\n"));
        format!("{:08x}", xxh3_128(text.as_bytes()) as u32)
    }
}

impl Step {
    /// The only input of a step that has one.
    pub fn input(&self) -> Option<&Arc<Step>> {
        self.inputs.first()
    }

    /// What it is called in names and plans.
    pub fn label(&self) -> &'static str {
        match &self.op {
            Op::Scan { .. } => "source",
            Op::Stream { .. } => "from-stream",
            Op::Values(_) => "values",
            Op::Feed { .. } => "query",
            Op::Watermark { .. } => "watermark",
            Op::Calc { .. } => "calc",
            Op::Correlate(_) => "correlate",
            Op::AssignWindows { .. } => "assign-windows",
            Op::WindowAggregate { .. } => "window-aggregate",
            Op::WindowedGroup { early: Some(_), .. } => "early-window-aggregate",
            Op::WindowedGroup { .. } => "windowed-group",
            Op::GroupAggregate { .. } => "group-aggregate",
            Op::TopN(TopN { windowed: Some(_), .. }) => "window-top-n",
            Op::TopN(_) => "top-n",
            Op::Deduplicate { .. } => "deduplicate",
            Op::Over { .. } => "over-aggregate",
            Op::SortByTime { .. } => "sort-by-time",
            Op::Limit { .. } => "limit",
            Op::Normalize { .. } => "changelog-normalize",
            Op::Union => "union",
        }
    }
}
