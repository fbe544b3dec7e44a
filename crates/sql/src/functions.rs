//! Flink's function library.
//!
//! DataFusion's functions are used where they answer as Flink's do; [`names::FUNCTIONS`] says how
//! each function is done. In the order in which a query meets them: [`syntax`] reads calls that
//! sqlparser does not, [`rewrite`](mod@rewrite) turns Flink's spellings into plain calls, and [`register`] gives
//! the planner the functions themselves.
//!
//! Invariants: NULL gives NULL unless Flink says otherwise; an error names the function and the
//! argument; a function gives the same answer for a constant as for a column of it, and does not
//! depend on how rows are batched, but for those that read the clock.

mod args;
mod arithmetic;
mod average;
mod cache;
mod casts;
mod collections;
mod compare;
mod convert;
mod json;
mod listagg;
mod literals;
pub mod names;
mod native;
mod negate;
mod numeric;
mod params;
mod returns;
pub mod rewrite;
mod rounding;
pub mod syntax;
pub(crate) mod table;
mod text;
mod time;
mod types;
pub mod user;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;

pub(crate) use convert::named_cast;
pub use names::of_java_class;
pub use rewrite::{rewrite, rewrite_all};
pub(crate) use text::is_pattern;
pub use time::{Moment, at_moment};
pub use user::AggregateFunction;

use native::{Native, Spec};

/// How a query runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By streaming operators: functions of the clock read the [`Moment`] of each batch.
    Streaming,
    /// By DataFusion over bounded tables: functions of the clock give the query's start.
    Batch,
}

fn specs() -> impl Iterator<Item = &'static Spec> {
    text::specs()
        .chain(time::specs())
        .chain(numeric::specs())
        .chain(rounding::specs())
        .chain(compare::specs())
        .chain(convert::specs())
        .chain(collections::specs())
        .chain(json::specs())
}

/// Gives the functions to a session; what DataFusion has by the same name is replaced.
pub fn register(registry: &mut dyn FunctionRegistry, mode: Mode) -> Result<()> {
    for spec in specs() {
        registry.register_udf(Arc::new(Native::udf(spec)))?;
    }
    for spec in time::clock_specs() {
        registry.register_udf(Arc::new(time::clock_udf(spec, mode == Mode::Streaming)))?;
    }
    registry.register_udf(Arc::new(negate::negate()))?;
    registry.register_udaf(Arc::new(average::average()))?;
    registry.register_udaf(Arc::new(listagg::listagg()))?;
    registry.register_expr_planner(Arc::new(arithmetic::Arithmetic))?;
    Ok(())
}

/// How a function is called, as `SPLIT_INDEX(string, delimiter, index)`.
pub fn usage(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    specs().chain(time::clock_specs()).find(|spec| spec.name == name).map(Spec::usage)
}

#[cfg(test)]
mod tests;
