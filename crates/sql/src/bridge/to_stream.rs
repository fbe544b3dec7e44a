//! The rows of a query as a stream of records, with the event time of their rowtime attribute.

use std::marker::PhantomData;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use headwater_core::{
    BadRecordPolicy, Batch, Change, Error, EventTime, Record, Result, RowKind, Timed,
};
use headwater_operators::operator::OUT;
use headwater_operators::{Operator, OperatorContext, Port};
use headwater_topology::node::OperatorFactory;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::read::RowOf;
use crate::catalog::type_name;
use crate::error::{SqlError, SqlResult, codes};
use crate::formats::cells::Cells;
use crate::operators::chunks::event_millis;
use crate::operators::factory;
use crate::planner::step::{Step, TimeKind};
use crate::rows::{Chunk, Rows};

/// Where the event time of a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeOf {
    /// In its rowtime attribute.
    Column(usize),
    /// The last moment of its window, whose end is in this column.
    WindowEnd(usize),
    /// Nowhere.
    Nowhere,
}

impl TimeOf {
    /// Where the rows of a step have it: the first that there is.
    pub(crate) fn of(step: &Step) -> Self {
        let rowtime = |time: &Option<TimeKind>| *time == Some(TimeKind::Row);
        if let Some(at) = step.traits.time.iter().position(rowtime) {
            return TimeOf::Column(at);
        }
        match step.traits.window {
            Some(window) if window.kind == TimeKind::Row => {
                window.end.map_or(TimeOf::Nowhere, TimeOf::WindowEnd)
            }
            _ => TimeOf::Nowhere,
        }
    }

    fn millis(self, chunk: &Chunk) -> Result<Option<Vec<i64>>> {
        Ok(match self {
            TimeOf::Column(at) => Some(event_millis(&chunk.data, at)?.into_owned()),
            TimeOf::WindowEnd(at) => {
                let ends = event_millis(&chunk.data, at)?;
                Some(ends.iter().map(|end| EventTime::completing(EventTime(*end)).0).collect())
            }
            TimeOf::Nowhere => None,
        })
    }
}

/// The operator that makes records of rows, each of which is new.
pub(crate) fn records<T: Record>(schema: &SchemaRef, time: TimeOf) -> SqlResult<OperatorFactory> {
    operator::<T, T>(schema, time, BadRecordPolicy::DeadLetter, |_, row| row)
}

/// The operator that makes records of rows and what they do. One that is left out would make all
/// later ones of its row wrong, so one that does not fit fails the job.
pub(crate) fn changes<T: Record>(schema: &SchemaRef, time: TimeOf) -> SqlResult<OperatorFactory> {
    operator::<T, Change<T>>(schema, time, BadRecordPolicy::Fail, Change::new)
}

fn operator<T: DeserializeOwned + 'static, R: Record>(
    schema: &SchemaRef,
    time: TimeOf,
    policy: BadRecordPolicy,
    make: fn(RowKind, T) -> R,
) -> SqlResult<OperatorFactory> {
    for field in schema.fields() {
        if !readable(field.data_type()) {
            let found = type_name(field.data_type());
            let message = format!("column `{}` is {found}, which no record has", field.name());
            return Err(SqlError::new(codes::TYPE_MISMATCH, message).help("CAST it"));
        }
    }
    let schema = Arc::clone(schema);
    Ok(factory(move |init| {
        let (name, schema) = (init.name.clone(), Arc::clone(&schema));
        Ok(ToStream { name, schema, policy, time, make, types: PhantomData })
    }))
}

fn readable(data_type: &DataType) -> bool {
    let array = datafusion::arrow::array::new_empty_array(data_type);
    Cells::new(&array).is_ok()
}

/// Rows → `Stream<R>`.
///
/// - Time: see [`TimeOf`]; rows that were late when they were read are late records.
/// - Errors: a row that is no `T` follows the policy.
struct ToStream<T, R> {
    name: String,
    schema: SchemaRef,
    policy: BadRecordPolicy,
    time: TimeOf,
    make: fn(RowKind, T) -> R,
    types: PhantomData<fn(T) -> R>,
}

impl<T: DeserializeOwned, R: Record> ToStream<T, R> {
    fn take(&self, chunk: &Chunk, out: &mut Vec<Timed<R>>, cx: &mut OperatorContext) -> Result<()> {
        let times = self.time.millis(chunk)?;
        let columns = self.schema.fields().iter().zip(chunk.data.columns());
        let columns = columns.map(|(field, array)| {
            let cells = Cells::new(array).map_err(|found| {
                Error::internal(format!("column of type {found} was not refused"))
            })?;
            Ok((field.name().as_str(), cells))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        for row in 0..chunk.len() {
            let time = times.as_ref().map_or(EventTime::MIN, |times| EventTime(times[row]));
            let of = RowOf { columns: &columns, row };
            match T::deserialize(of) {
                Ok(value) => {
                    let mut record = Timed::new(time, (self.make)(chunk.kind(row), value));
                    if let Some(read_at) = &chunk.read_at
                        && time != EventTime::MIN
                    {
                        record.judge(EventTime(read_at.value(row)));
                    }
                    out.push(record);
                }
                Err(refused) => {
                    let whole = Value::deserialize(of).unwrap_or_default();
                    let error = Error::data(refused.to_string());
                    let record = Timed::new(time, whole);
                    cx.refuse(self.policy, &self.name, &record, error)?;
                }
            }
        }
        Ok(())
    }
}

impl<T: DeserializeOwned, R: Record> Operator for ToStream<T, R> {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let split = batch.split();
        let mut out = Vec::with_capacity(batch.len());
        for chunk in Rows::of(batch) {
            self.take(&chunk, &mut out, cx)?;
        }
        if !out.is_empty() {
            cx.emit_batch(OUT, Batch::new(out).with_split(split));
        }
        Ok(())
    }
}
