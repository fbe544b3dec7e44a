//! A stream as a table: records become rows, with the event time that they are stamped with.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, UInt8Array};
use datafusion::arrow::datatypes::SchemaRef;
use headwater_api::raw::Origin;
use headwater_core::{
    BadRecordPolicy, Batch, Change, Error, EventTime, Record, Result, RowKind, Timed,
};
use headwater_operators::operator::OUT;
use headwater_operators::{Operator, OperatorContext, Port};
use headwater_topology::node::OperatorFactory;
use headwater_topology::{NodeId, Partitioning};
use serde::Serialize;

use super::write::write;
use crate::catalog::type_name;
use crate::connectors::ChangelogMode;
use crate::error::{SqlError, SqlResult, codes};
use crate::formats::column::Columns;
use crate::operators::chunks::arrow_error;
use crate::operators::factory;
use crate::rows::{Chunk, kind_code};

/// The connector of tables that are streams of the job.
pub(crate) const CONNECTOR: &str = "stream";
/// The option that says which.
pub(crate) const NUMBER: &str = "number";

/// Makes the operator that gives rows of these columns.
type Make = dyn Fn(&SchemaRef) -> SqlResult<OperatorFactory> + Send + Sync;

/// A stream that is a table.
pub struct StreamTable {
    /// The node whose output it is.
    pub node: NodeId,
    /// The output.
    pub port: Port,
    /// How records get to the next step.
    pub partitioning: Partitioning,
    /// The column that is the records' event time, with their watermarks.
    pub rowtime: Option<String>,
    /// What the rows do.
    pub changelog: ChangelogMode,
    make: Box<Make>,
}

impl fmt::Debug for StreamTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {:?}/{}", self.node, self.port)
    }
}

impl StreamTable {
    /// A stream whose records are rows that are added.
    pub(crate) fn of<T: Record>(origin: &Origin, rowtime: Option<String>) -> Self {
        Self::with::<T, T>(origin, rowtime, ChangelogMode::Append, |record| {
            (RowKind::Insert, record)
        })
    }

    /// A stream whose records say what they do.
    pub(crate) fn of_changes<T: Record>(origin: &Origin, rowtime: Option<String>) -> Self {
        fn parts<T>(change: &Change<T>) -> (RowKind, &T) {
            (change.kind, &change.row)
        }
        Self::with::<Change<T>, T>(origin, rowtime, ChangelogMode::Retract, parts)
    }

    fn with<T: Record, R: Serialize + 'static>(
        origin: &Origin,
        rowtime: Option<String>,
        changelog: ChangelogMode,
        parts: fn(&T) -> (RowKind, &R),
    ) -> Self {
        let (time, policy) = (rowtime.clone(), origin.policy);
        let make = move |schema: &SchemaRef| {
            let time = time.as_ref().and_then(|name| schema.index_of(name).ok());
            // What cannot be made is found out now.
            columns(schema)?;
            let schema = Arc::clone(schema);
            Ok(factory(move |init| {
                Ok(FromStream {
                    name: init.name.clone(),
                    policy,
                    columns: columns(&schema)?,
                    time,
                    parts,
                    types: PhantomData,
                })
            }))
        };
        StreamTable {
            node: origin.node,
            port: origin.port,
            partitioning: origin.partitioning.clone(),
            rowtime,
            changelog,
            make: Box::new(make),
        }
    }

    /// The operator that gives rows of these columns.
    pub(crate) fn operator(&self, schema: &SchemaRef) -> SqlResult<OperatorFactory> {
        (self.make)(schema)
    }
}

fn columns(schema: &SchemaRef) -> SqlResult<Columns> {
    Columns::new(schema).map_err(|(name, found)| {
        let message = format!("column `{name}` of a stream can't be {}", type_name(&found));
        SqlError::new(codes::BAD_SCHEMA, message)
    })
}

/// `Stream<T> → rows`.
///
/// - Time: that of the records; whether a row is late is what the records say.
/// - Errors: a record that does not fit its columns follows the stream's policy.
struct FromStream<T, R> {
    name: String,
    policy: BadRecordPolicy,
    columns: Columns,
    time: Option<usize>,
    parts: fn(&T) -> (RowKind, &R),
    types: PhantomData<fn(T)>,
}

impl<T: Record, R: Serialize> FromStream<T, R> {
    fn push(&mut self, record: &Timed<T>) -> std::result::Result<RowKind, String> {
        let row = self.columns.len();
        let (kind, fields) = (self.parts)(&record.value);
        let written = write(fields, &mut self.columns, self.time).map_err(|e| e.to_string());
        let written = written.and_then(|()| {
            if let Some(column) = self.time.and_then(|at| self.columns.columns.get_mut(at)) {
                if record.time == EventTime::MIN {
                    return Err("the record has no event time".to_owned());
                }
                column.push_timestamp(record.time.0)?;
            }
            Ok(())
        });
        match written {
            Ok(()) => self.columns.row_done(),
            Err(reason) => {
                self.columns.truncate(row);
                return Err(reason);
            }
        }
        if let Some(column) = self.columns.misplaced_null(row) {
            let reason = format!("field `{column}`: it is nothing, and the column is NOT NULL");
            self.columns.truncate(row);
            return Err(reason);
        }
        Ok(kind)
    }
}

impl<T: Record, R: Serialize> Operator for FromStream<T, R> {
    fn process(&mut self, _port: Port, batch: Batch, cx: &mut OperatorContext) -> Result<()> {
        let split = batch.split();
        let records = batch.take::<T>();
        let (mut kinds, mut changes) = (Vec::with_capacity(records.len()), false);
        let (mut read_at, mut late) = (Vec::with_capacity(records.len()), false);
        for (at, record) in records.iter().enumerate() {
            cx.at = at;
            match self.push(record) {
                Ok(kind) => {
                    changes |= kind != RowKind::Insert;
                    kinds.push(kind_code(kind));
                    late |= record.late_by > 0;
                    read_at.push(record.watermark(EventTime::MIN).0);
                }
                Err(reason) => {
                    cx.refuse(self.policy, &self.name, record, Error::data(reason))?;
                }
            }
        }
        let data = self.columns.finish().map_err(arrow_error)?;
        let kinds = changes.then(|| UInt8Array::from(kinds));
        let read_at = late.then(|| Int64Array::from(read_at));
        cx.emit_batch(OUT, Batch::from(Chunk { data, kinds, read_at }).with_split(split));
        Ok(())
    }
}
