//! What our dialect adds to DataFusion's logical plans: watermarks, window table functions and, in
//! [`correlate`], other table functions.
//!
//! All are plain nodes with one input, so DataFusion's rules see through them: columns that nobody
//! needs are pruned beneath them, and filters stay above where moving them would change an answer.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::{DFSchema, DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::{
    Expr, ExprSchemable, Extension, LogicalPlan, UserDefinedLogicalNodeCore,
};
use serde::{Deserialize, Serialize};

use crate::catalog::type_name;
use crate::error::{SqlError, codes};

pub(crate) mod correlate;

/// Name of the column that holds a window's start.
pub const WINDOW_START: &str = "window_start";
/// Name of the column that holds a window's end.
pub const WINDOW_END: &str = "window_end";
/// Name of the column that holds a window's last instant, a time attribute again.
pub const WINDOW_TIME: &str = "window_time";

/// Which windows a row belongs to; lengths in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WindowSpec {
    /// One after the other.
    Tumble {
        /// Length.
        size: i64,
        /// Shift of all bounds.
        offset: i64,
    },
    /// Overlapping.
    Hop {
        /// From one start to the next.
        slide: i64,
        /// Length.
        size: i64,
        /// Shift of all bounds.
        offset: i64,
    },
    /// Growing from a common start.
    Cumulate {
        /// Growth.
        step: i64,
        /// Greatest length.
        size: i64,
        /// Shift of all bounds.
        offset: i64,
    },
    /// Ends after a pause.
    Session {
        /// The pause.
        gap: i64,
        /// Whether sessions are per key of the aggregation above: `GROUP BY k, SESSION(t, gap)`.
        by_group: bool,
    },
}

impl WindowSpec {
    /// Its function's name.
    pub fn name(&self) -> &'static str {
        match self {
            WindowSpec::Tumble { .. } => "TUMBLE",
            WindowSpec::Hop { .. } => "HOP",
            WindowSpec::Cumulate { .. } => "CUMULATE",
            WindowSpec::Session { .. } => "SESSION",
        }
    }
}

impl fmt::Display for WindowSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shift = match *self {
            WindowSpec::Tumble { size, offset } => {
                write!(f, "TUMBLE(size {size} ms")?;
                offset
            }
            WindowSpec::Hop { slide, size, offset } => {
                write!(f, "HOP(slide {slide} ms, size {size} ms")?;
                offset
            }
            WindowSpec::Cumulate { step, size, offset } => {
                write!(f, "CUMULATE(step {step} ms, size {size} ms")?;
                offset
            }
            WindowSpec::Session { gap, .. } => {
                write!(f, "SESSION(gap {gap} ms")?;
                0
            }
        };
        if shift != 0 {
            write!(f, ", offset {shift} ms")?;
        }
        f.write_str(")")
    }
}

/// Rows with the windows they belong to: the input's columns, then `window_start`, `window_end`,
/// `window_time`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WindowTvf {
    /// The rows.
    pub input: LogicalPlan,
    /// The column that gives each row's time.
    pub time: Expr,
    /// Which windows.
    pub spec: WindowSpec,
    /// Keys that sessions are kept apart by.
    pub partition: Vec<Expr>,
    schema: DFSchemaRef,
}

impl WindowTvf {
    /// Adds windows to rows.
    ///
    /// # Errors
    /// When `time` is not a column of the input.
    pub fn try_new(
        input: LogicalPlan,
        time: Expr,
        spec: WindowSpec,
        partition: Vec<Expr>,
    ) -> Result<Self> {
        let time_type = time.get_type(input.schema())?;
        if !matches!(time_type, DataType::Timestamp(..)) {
            let column = match &time {
                Expr::Column(column) => column.name.clone(),
                other => other.to_string(),
            };
            let message = format!("{} needs a time attribute, and `{column}` is none", spec.name());
            let error = SqlError::new(codes::NO_TIME_ATTRIBUTE, message).help(format!(
                "`{column}` is {}; a time attribute is a TIMESTAMP or TIMESTAMP_LTZ column with a \
                 watermark, or PROCTIME()",
                type_name(&time_type)
            ));
            return Err(error.into());
        }
        let bound = DataType::Timestamp(TimeUnit::Millisecond, None);
        let mut fields: Vec<_> =
            input.schema().iter().map(|(q, f)| (q.cloned(), Arc::clone(f))).collect();
        fields.push((None, Arc::new(Field::new(WINDOW_START, bound.clone(), false))));
        fields.push((None, Arc::new(Field::new(WINDOW_END, bound, false))));
        fields.push((None, Arc::new(Field::new(WINDOW_TIME, window_time_type(&time_type), false))));
        let metadata = input.schema().metadata().clone();
        let schema = Arc::new(DFSchema::new_with_metadata(fields, metadata)?);
        Ok(WindowTvf { input, time, spec, partition, schema })
    }

    /// As a node of a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

/// `window_time` is a time attribute like the one it comes from, in milliseconds.
pub fn window_time_type(time: &DataType) -> DataType {
    match time {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        other => other.clone(),
    }
}

impl PartialOrd for WindowTvf {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for WindowTvf {
    fn name(&self) -> &str {
        "WindowTableFunction"
    }
    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }
    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }
    fn expressions(&self) -> Vec<Expr> {
        std::iter::once(&self.time).chain(&self.partition).cloned().collect()
    }
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        let all = matches!(self.spec, WindowSpec::Session { .. });
        let inputs = self.input.schema().fields().len();
        let kept = if all { 0 } else { inputs };
        self.schema.fields().iter().skip(kept).map(|f| f.name().clone()).collect()
    }
    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WindowTableFunction: {} ON {}", self.spec, self.time)?;
        if !self.partition.is_empty() {
            let keys: Vec<String> = self.partition.iter().map(ToString::to_string).collect();
            write!(f, " PARTITION BY {}", keys.join(", "))?;
        }
        Ok(())
    }
    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (mut exprs, mut inputs) = (exprs.into_iter(), inputs.into_iter());
        match (exprs.next(), inputs.next()) {
            (Some(time), Some(input)) => {
                WindowTvf::try_new(input, time, self.spec, exprs.collect())
            }
            _ => internal_err!("a window table function has one input and a time column"),
        }
    }
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let inputs = self.input.schema().fields().len();
        Some(vec![output_columns.iter().copied().filter(|c| *c < inputs).collect()])
    }
}

/// Rows whose times move the watermark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatermarkNode {
    /// The rows.
    pub input: LogicalPlan,
    /// The rowtime attribute.
    pub rowtime: Expr,
    /// The watermark that a row says.
    pub expr: Expr,
    /// The table that declares it.
    pub table: String,
    /// Options that begin with `scan.watermark.`, sorted.
    pub options: Vec<(String, String)>,
}

impl WatermarkNode {
    /// As a node of a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

impl Hash for WatermarkNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.table.hash(state);
    }
}

impl PartialOrd for WatermarkNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for WatermarkNode {
    fn name(&self) -> &str {
        "Watermark"
    }
    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }
    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }
    fn expressions(&self) -> Vec<Expr> {
        vec![self.rowtime.clone(), self.expr.clone()]
    }
    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watermark: {} AS {}", self.rowtime, self.expr)
    }
    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (mut exprs, mut inputs) = (exprs.into_iter(), inputs.into_iter());
        match (exprs.next(), exprs.next(), inputs.next()) {
            (Some(rowtime), Some(expr), Some(input)) => Ok(WatermarkNode {
                input,
                rowtime,
                expr,
                table: self.table.clone(),
                options: self.options.clone(),
            }),
            _ => internal_err!("a watermark has one input, a rowtime column and an expression"),
        }
    }
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }
}
