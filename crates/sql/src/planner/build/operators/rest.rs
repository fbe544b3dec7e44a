//! Ranks, OVER, order and changes: the operators that are no plain aggregation.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use headwater_topology::node::OperatorFactory;

use super::Tuning;
use crate::error::{SqlError, SqlResult};
use crate::keys::sort::SortColumn;
use crate::operators::changelog::{KeyedRowsSpec, Normalize, UpsertMaterialize};
use crate::operators::over::{Frame, OverAggregate, OverAggregateSpec};
use crate::operators::rank::{Deduplicate, DeduplicateSpec, Keep, TopN, TopNOfChanges, TopNSpec};
use crate::operators::window::Clock;
use crate::operators::{Limit, SortByTime, factory};
use crate::planner::changelog::Before;
use crate::planner::step::{self, Op, Ordering, Step, TimeKind};

pub(super) fn factory_of(
    step: &Arc<Step>,
    input: SchemaRef,
    output: SchemaRef,
    before: &Before,
    tuning: &Tuning,
) -> SqlResult<OperatorFactory> {
    let changes = step.inputs.iter().any(|i| !i.traits.append_only());
    Ok(match &step.op {
        Op::TopN(top) => top_n(top, input, output, before.gives(step), changes, tuning),
        Op::Deduplicate { keys, time, kind, keep_last } => {
            let spec = DeduplicateSpec {
                input,
                keys: keys.clone(),
                clock: clock(*kind, *time),
                keep: if *keep_last { Keep::Last } else { Keep::First },
                emit_update_before: before.gives(step),
                ttl: tuning.ttl,
            };
            factory(move |init| Deduplicate::new(init, spec.clone()))
        }
        Op::Over { keys, time, kind, frame, aggs, default } => {
            let spec = OverAggregateSpec {
                keys: keys.clone(),
                clock: clock(*kind, *time),
                frame: match *frame {
                    step::Frame::Unbounded { rows: true } => Frame::RowsUnbounded,
                    step::Frame::Unbounded { rows: false } => Frame::RangeUnbounded,
                    step::Frame::Rows(rows) => Frame::Rows(rows),
                    step::Frame::Row(rows) => Frame::Row(rows),
                    step::Frame::Range(ms) => Frame::Range(ms),
                },
                aggregates: super::aggregates::calls(aggs, &input)?,
                default: default.clone(),
                input,
                output,
                ttl: tuning.ttl,
            };
            factory(move |init| OverAggregate::new(init, spec.clone()))
        }
        Op::Normalize { keys } => {
            let spec = KeyedRowsSpec {
                schema: input,
                keys: keys.clone(),
                emit_update_before: before.gives(step),
                ttl: tuning.ttl,
            };
            factory(move |init| Normalize::new(init, spec.clone()))
        }
        Op::Limit { skip, fetch } => {
            let (skip, fetch) = (*skip, (*fetch != u64::MAX).then_some(*fetch));
            factory(move |_| Ok(Limit::new(skip, fetch)))
        }
        Op::SortByTime { time, then } => {
            let (time, then) = (*time, then.iter().map(sort_column).collect::<Vec<_>>());
            factory(move |init| SortByTime::new(init, Arc::clone(&input), time, then.clone()))
        }
        _ => return Err(SqlError::internal(format!("no operator for {}", step.label()))),
    })
}

fn top_n(
    top: &step::TopN,
    input: SchemaRef,
    output: SchemaRef,
    emit_update_before: bool,
    changes: bool,
    tuning: &Tuning,
) -> OperatorFactory {
    let spec = TopNSpec {
        input,
        keys: top.keys.clone(),
        order: top.order.iter().map(sort_column).collect(),
        from: top.first,
        to: top.last,
        emit_rank: top.rank,
        output,
        emit_update_before,
        ttl: tuning.ttl,
        window_end: top.windowed,
    };
    if changes {
        factory(move |init| TopNOfChanges::new(init, spec.clone()))
    } else {
        factory(move |init| TopN::new(init, spec.clone()))
    }
}

fn sort_column(order: &Ordering) -> SortColumn {
    SortColumn {
        column: order.column,
        descending: order.descending,
        nulls_first: order.nulls_first,
    }
}

fn clock(kind: TimeKind, time: usize) -> Clock {
    match kind {
        TimeKind::Row => Clock::EventTime(time),
        TimeKind::Proc => Clock::ProcessingTime,
    }
}

/// Of rows with the same key of a sink the last one, where the query's key is another.
pub(super) fn materialize(step: &Arc<Step>, keys: &[usize], tuning: &Tuning) -> super::BeforeSink {
    let spec = KeyedRowsSpec {
        schema: Arc::clone(&step.schema),
        keys: keys.to_vec(),
        emit_update_before: false,
        ttl: tuning.ttl,
    };
    let operator = factory(move |init| UpsertMaterialize::new(init, spec.clone()));
    ("upsert-materialize", Some(keys.to_vec()), operator)
}
