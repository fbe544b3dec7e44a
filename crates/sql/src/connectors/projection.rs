//! Which columns of a table a source has to give.
//!
//! Columns are wanted by name, rows within columns too: of `bid ROW<auction, price, …>` a query
//! that says `bid.price` wants one field. What is not wanted is not made.
//!
//! Invariant: the wanted columns are columns of the table with their types, but for fields left out
//! of rows.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Fields, Schema, SchemaRef};

use crate::catalog::{ColumnKind, Table};
use crate::error::{SqlError, SqlResult};

/// The columns to give.
#[derive(Clone, Debug)]
pub struct Projection {
    /// The columns, in the order they are given.
    pub schema: SchemaRef,
    /// What each of them is in the table.
    columns: Vec<Wanted>,
    /// All fields of the table's records, whether wanted or not.
    pub record: SchemaRef,
}

#[derive(Clone, Debug)]
struct Wanted {
    /// Index in the table's schema.
    index: usize,
    /// The connector's name of a metadata column.
    metadata: Option<String>,
}

impl Projection {
    /// The columns that are `wanted` of a table; none: all that its connector reads.
    ///
    /// # Errors
    /// Our bug: a column is wanted that the table does not have, or not like that.
    pub fn new(table: &Table, wanted: Option<&SchemaRef>) -> SqlResult<Self> {
        let schema = match wanted {
            Some(wanted) => Arc::clone(wanted),
            None => Arc::new(table.schema.project(&table.read_columns())?),
        };
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let index = table.column(field.name())?;
            if !is_part(table.field(index).data_type(), field.data_type()) {
                return Err(SqlError::internal(format!(
                    "column `{}` of table `{}` was wanted as {}",
                    field.name(),
                    table.name,
                    field.data_type()
                )));
            }
            let metadata = match &table.columns[index] {
                ColumnKind::Physical => None,
                ColumnKind::Metadata { key, .. } => Some(key.clone()),
                ColumnKind::Computed(_) => {
                    let name = field.name();
                    return Err(SqlError::internal(format!("computed column `{name}` was wanted")));
                }
            };
            columns.push(Wanted { index, metadata });
        }
        let record = Arc::new(table.schema.project(&table.physical())?);
        Ok(Projection { schema, columns, record })
    }

    /// The wanted columns that are fields of the records: their places in what is given, and they.
    pub fn physical(&self) -> (Vec<usize>, SchemaRef) {
        let wanted = self.columns.iter().enumerate().filter(|(_, c)| c.metadata.is_none());
        let places: Vec<usize> = wanted.map(|(place, _)| place).collect();
        let fields: Fields = places.iter().map(|&i| Arc::clone(&self.schema.fields()[i])).collect();
        (places, Arc::new(Schema::new(fields)))
    }

    /// The wanted metadata columns: their places in what is given, and the connector's names.
    pub fn metadata(&self) -> Vec<(usize, &str)> {
        let all = self.columns.iter().enumerate();
        all.filter_map(|(place, c)| Some((place, c.metadata.as_deref()?))).collect()
    }

    /// Where columns of the table are in what is given; none if one is not wanted.
    pub fn places_of(&self, indices: &[usize]) -> Option<Vec<usize>> {
        let place = |wanted: &usize| self.columns.iter().position(|c| c.index == *wanted);
        indices.iter().map(place).collect()
    }
}

/// Whether a type is another with fields of rows left out.
fn is_part(whole: &DataType, part: &DataType) -> bool {
    match (whole, part) {
        (DataType::Struct(whole), DataType::Struct(part)) => part.iter().all(|field| {
            let of = whole.iter().find(|w| w.name() == field.name());
            of.is_some_and(|of| is_part(of.data_type(), field.data_type()))
        }),
        _ => whole == part,
    }
}
