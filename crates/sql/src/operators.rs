//! The streaming operators: synchronous state machines on [`Rows`](crate::rows::Rows).
//!
//! They know Arrow, physical expressions and the engine's operator contract; they know no plan, no
//! catalog and no connector. State is in tables keyed by [`RowKey`](crate::keys::RowKey), so every
//! one of them can be checkpointed and moved between workers.
//!
//! Each operator is made from a spec: plain data with named fields, which the planner fills in and
//! which every worker builds its instance from (see [`factory`]).
//!
//! Reading order: [`chunks`] → [`calc`] → [`exchange`] → [`watermark`] → [`aggregate`] → [`group`]
//! → [`window`] → [`rank`] → the rest.

pub mod aggregate;
pub mod calc;
pub mod changelog;
pub mod chunks;
pub(crate) mod correlate;
pub mod exchange;
pub mod group;
pub mod limit;
pub mod over;
pub mod rank;
pub mod sort;
mod ttl;
pub mod watermark;
pub mod window;

use std::sync::Arc;

use headwater_core::Result;
use headwater_operators::{Operator, OperatorInit};
use headwater_topology::node::OperatorFactory;

pub use aggregate::{AggCall, AggFunction};
pub use calc::Calc;
pub use group::{GroupAggregate, GroupAggregateSpec};
pub use limit::Limit;
pub use sort::SortByTime;
pub use watermark::{AssignWatermark, AssignWatermarkSpec};

/// What a topology's node needs to build an operator on each worker.
pub fn factory<O: Operator + 'static>(
    make: impl Fn(&OperatorInit) -> Result<O> + Send + Sync + 'static,
) -> OperatorFactory {
    Arc::new(move |init| Ok(Box::new(make(init)?)))
}

#[cfg(test)]
mod testing;
