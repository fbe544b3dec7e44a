//! Aggregate functions: typed, compact accumulators for many groups at a time.
//!
//! [`Aggregates`] compiles the calls of a query to *slots*. The state of a group is a row of words
//! (counts, sums, extremes of whatever fits a word) and of blobs (the rest): see [`state`]. A batch
//! is worked in one loop per slot over all its rows, whatever groups these belong to.
//!
//! Word 0 of a group is its number of rows: additions less retractions.
//!
//! NULL: `COUNT(*)` counts rows, every other function passes over rows in which an argument is
//! NULL, and is NULL (`COUNT`: 0) when none is left. Sums of integers and decimals are exact in 128
//! bits; a result that does not fit its type is an error that names the column.
//!
//! Reading order: [`state`] → `plan` → `update` → `merge` → `finish`; [`distinct`] keeps
//! the values of DISTINCT in tables of their own for groups that live long.

pub mod distinct;
mod finish;
pub mod hll;
mod merge;
mod plan;
pub mod state;
mod udaf;
mod update;

use std::sync::Arc;

use datafusion::arrow::datatypes::FieldRef;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

pub use plan::{Aggregates, DistinctIn};

/// An aggregate function.
#[derive(Clone, Debug)]
pub enum AggFunction {
    /// `COUNT(*)`.
    CountStar,
    /// `COUNT(x, …)`: rows in which no argument is NULL.
    Count,
    /// `SUM(x)`.
    Sum,
    /// `AVG(x)`: of integers to DOUBLE or an integer type, of decimals to DECIMAL, by the output.
    Avg,
    /// `MIN(x)`.
    Min,
    /// `MAX(x)`.
    Max,
    /// `FIRST_VALUE(x)`: of the first row that arrived with a value.
    FirstValue,
    /// `LAST_VALUE(x)`: of the last row that arrived with a value.
    LastValue,
    /// `LISTAGG(x, separator)`, in order of arrival.
    ListAgg(String),
    /// `APPROX_COUNT_DISTINCT(x)`; exact when the input has retractions.
    ApproxCountDistinct,
    /// Any other function that DataFusion can run.
    Udaf(Arc<AggregateFunctionExpr>),
}

/// One aggregate of a query.
#[derive(Clone, Debug)]
pub struct AggCall {
    /// Which function.
    pub function: AggFunction,
    /// Columns of the input that are its arguments.
    pub args: Vec<usize>,
    /// `FILTER (WHERE …)`: a boolean column of the input.
    pub filter: Option<usize>,
    /// `DISTINCT`.
    pub distinct: bool,
    /// Name and type of the result.
    pub output: FieldRef,
}

#[cfg(test)]
mod tests;
