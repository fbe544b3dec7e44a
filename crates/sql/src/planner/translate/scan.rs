//! Where rows come from: tables, their watermarks, and rows that are in the text.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{EmptyRelation, TableScan, Values};

use super::Translator;
use super::calc::{column_of, meaning};
use crate::connectors::{self, ChangelogMode};
use crate::error::{SqlError, SqlResult, codes};
use crate::planner::nodes::WatermarkNode;
use crate::planner::step::{Identity, Op, SourceHandle, Step, TimeKind, Traits};
use crate::planner::tables::connector_table;

impl Translator {
    pub(super) fn scan(&mut self, scan: &TableScan) -> SqlResult<Arc<Step>> {
        let Some(source) = connector_table(scan) else {
            let message = format!("table {} is no table of the catalog", scan.table_name);
            return Err(SqlError::internal(message));
        };
        let table = &source.table;
        let all = (0..source.schema.fields().len()).collect::<Vec<_>>();
        let wanted = scan.projection.clone().unwrap_or_else(|| all.clone());
        // What any query of the job reads of the table is read once.
        let read = self.read.get(&table.name);
        let mut read: Vec<usize> = read.map_or(all, |r| r.iter().copied().collect());
        if read.is_empty() {
            // Rows are counted, and none of their columns is read: one that is small will do.
            let small = source.schema.fields().iter().position(|f| f.data_type().is_primitive());
            read.push(small.unwrap_or(0));
        }
        let schema = Arc::new(source.schema.project(&read)?);
        // State holds values of these types: a column of another type is another column.
        let text = |c: &usize| {
            let field = source.schema.field(*c);
            format!("{}: {}", field.name(), field.data_type())
        };
        let columns = read.iter().map(text).map(Identity::short).collect();
        let mut time = vec![None; read.len()];
        let (op, changelog, bounded) = match self.connectors.stream(table) {
            Some(stream) => {
                let rowtime = stream.rowtime.as_deref().and_then(|name| schema.index_of(name).ok());
                if let Some(rowtime) = rowtime {
                    time[rowtime] = Some(TimeKind::Row);
                }
                let (table, stream) = (Arc::clone(table), Arc::clone(stream));
                let changelog = stream.changelog.clone();
                (Op::Stream { table, stream }, changelog, false)
            }
            None => {
                let read = connectors::source(table, Some(&schema), &self.connectors)?;
                let (changelog, bounded) = (read.changelog.clone(), read.bounded);
                let (table, source) = (Arc::clone(table), SourceHandle(read));
                (Op::Scan { table, source }, changelog, bounded)
            }
        };
        let key = primary_key(table, &source.schema, &read);
        let upserts = matches!(changelog, ChangelogMode::Upsert(_));
        let changes = changelog != ChangelogMode::Append;
        let traits = Traits {
            updates: changes,
            deletes: changes,
            upserts,
            keys: key.clone().into_iter().collect(),
            time,
            window: None,
            bounded,
        };
        let identity = Identity { rows: table.name.clone(), columns };
        let mut step = self.make(op, Vec::new(), schema, traits, identity);
        if upserts {
            step = self.normalize(step, key, &table.name)?;
        }
        let places: Option<Vec<usize>> =
            wanted.iter().map(|w| read.iter().position(|r| r == w)).collect();
        let places = places.ok_or_else(|| SqlError::internal("a column is read by no source"))?;
        let schema = Arc::new(source.schema.project(&wanted)?);
        self.pick(step, &places, schema)
    }

    /// A full changelog of rows that say the new row of a key only.
    fn normalize(
        &mut self,
        input: Arc<Step>,
        key: Option<Vec<usize>>,
        table: &str,
    ) -> SqlResult<Arc<Step>> {
        let Some(keys) = key else {
            let message = format!("table {table} gives the newest row per key and has no key");
            return Err(SqlError::new(codes::BAD_KEY, message)
                .help("declare PRIMARY KEY (…) NOT ENFORCED, and read its columns"));
        };
        let traits = Traits { upserts: false, ..input.traits.clone() };
        let (schema, identity) = (Arc::clone(&input.schema), input.identity.clone());
        Ok(self.make(Op::Normalize { keys }, vec![input], schema, traits, identity))
    }

    pub(super) fn watermark(&mut self, node: &WatermarkNode) -> SqlResult<Arc<Step>> {
        let input = self.step(&node.input, None)?;
        let schema = node.input.schema();
        let rowtime = self.physical(&node.rowtime, schema)?;
        let expr = self.physical(&node.expr, schema)?;
        let rowtime = column_of(&rowtime)
            .ok_or_else(|| SqlError::internal("the rowtime attribute is no column"))?;
        let mut traits = input.traits.clone();
        traits.time[rowtime] = Some(TimeKind::Row);
        let said = meaning(&expr, &input.identity.columns)?;
        let of = &input.identity.columns[rowtime];
        let rows = format!("{} watermark {of} as {said}", input.identity.rows);
        let identity =
            Identity { rows: Identity::short(rows), columns: input.identity.columns.clone() };
        let (table, options) = (node.table.clone(), node.options.clone());
        let schema = Arc::clone(&input.schema);
        let op = Op::Watermark { rowtime, expr, table, options };
        Ok(self.make(op, vec![input], schema, traits, identity))
    }

    pub(super) fn empty(&mut self, empty: &EmptyRelation) -> SqlResult<Arc<Step>> {
        let schema = Arc::new(empty.schema.as_arrow().clone());
        let options = RecordBatchOptions::new()
            .with_row_count(Some(usize::from(empty.produce_one_row && schema.fields().is_empty())));
        let arrays = schema
            .fields()
            .iter()
            .map(|f| datafusion::arrow::array::new_empty_array(f.data_type()))
            .collect();
        Ok(self.rows(RecordBatch::try_new_with_options(schema, arrays, &options)?))
    }

    pub(super) fn values(&mut self, values: &Values) -> SqlResult<Arc<Step>> {
        let schema = Arc::new(values.schema.as_arrow().clone());
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let one =
            RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?;
        let none = DFSchema::empty();
        let mut columns: Vec<Vec<ArrayRef>> = vec![Vec::new(); schema.fields().len()];
        for row in &values.values {
            for (column, expr) in columns.iter_mut().zip(row) {
                column.push(self.physical(expr, &none)?.evaluate(&one)?.into_array(1)?);
            }
        }
        let arrays = columns
            .iter()
            .map(|parts| concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()));
        let batch = RecordBatch::try_new(schema, arrays.collect::<Result<_, _>>()?)?;
        Ok(self.rows(batch))
    }

    fn rows(&mut self, batch: RecordBatch) -> Arc<Step> {
        let schema = batch.schema();
        let text = |f: &FieldRef| format!("{}: {}", f.name(), f.data_type());
        let columns = schema.fields().iter().map(text).collect();
        let rows = Identity::short(format!("values {:?}", batch.columns()));
        let time = vec![None; schema.fields().len()];
        let traits = Traits { time, bounded: true, ..Traits::default() };
        self.make(Op::Values(batch), Vec::new(), schema, traits, Identity { rows, columns })
    }
}

/// The primary key among the columns read, if all of it is.
fn primary_key(
    table: &crate::catalog::Table,
    schema: &Schema,
    read: &[usize],
) -> Option<Vec<usize>> {
    if table.primary_key.is_empty() {
        return None;
    }
    let place = |column: &usize| {
        let name = table.schema.field(*column).name();
        let connector = schema.index_of(name).ok()?;
        read.iter().position(|r| *r == connector)
    };
    table.primary_key.iter().map(place).collect()
}
