//! Raw: the record is the value of the table's one column.

use datafusion::arrow::datatypes::{DataType, SchemaRef};

use super::cells::{Cells, Values};
use super::column::{Columns, Data};
use crate::connectors::options::{OptionKind, OptionSpec, Options};

/// The options of raw records.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new("raw.charset", OptionKind::Choice(&["utf-8"]), "how text is encoded")
        .or("utf-8"),
    OptionSpec::new(
        "raw.endianness",
        OptionKind::Choice(&["big-endian", "little-endian"]),
        "the order of the bytes of numbers",
    )
    .or("big-endian"),
];

/// What a table says about its raw records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Raw {
    little_endian: bool,
}

impl Raw {
    /// Reads the options.
    pub fn of(options: &Options<'_>, prefix: &str) -> Raw {
        let order = options.choice(&format!("{prefix}raw.endianness"));
        Raw { little_endian: order.as_deref() == Some("little-endian") }
    }

    /// Whether a record can be such a column.
    pub fn carries(schema: &SchemaRef) -> bool {
        let one = |data_type: &DataType| {
            matches!(
                data_type,
                DataType::Utf8
                    | DataType::Binary
                    | DataType::Boolean
                    | DataType::Int8
                    | DataType::Int16
                    | DataType::Int32
                    | DataType::Int64
                    | DataType::Float32
                    | DataType::Float64
            )
        };
        schema.fields().len() == 1 && one(schema.field(0).data_type())
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The record is no value of the column's type.
    pub fn read(&self, record: &[u8], columns: &mut Columns) -> Result<(), String> {
        if let Some(column) = columns.columns.first_mut() {
            macro_rules! number {
                ($values:ident, $type:ty) => {{
                    let bytes = record.try_into().map_err(|_| size(record, size_of::<$type>()))?;
                    $values.push(match self.little_endian {
                        true => <$type>::from_le_bytes(bytes),
                        false => <$type>::from_be_bytes(bytes),
                    });
                    column.pushed();
                }};
            }
            match &mut column.data {
                Data::Bool(values) => {
                    values.push(*record.first().ok_or_else(|| size(record, 1))? != 0);
                    column.pushed();
                }
                Data::I8(values) => number!(values, i8),
                Data::I16(values) => number!(values, i16),
                Data::I32(values) => number!(values, i32),
                Data::I64(values) => number!(values, i64),
                Data::F32(values) => number!(values, f32),
                Data::F64(values) => number!(values, f64),
                _ => column.push_bytes(record)?,
            }
        }
        columns.row_done();
        Ok(())
    }

    /// Writes a cell; null is no bytes.
    pub fn write(&self, cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
        if cells.is_null(row) {
            return;
        }
        macro_rules! number {
            ($value:expr) => {
                match self.little_endian {
                    true => out.extend_from_slice(&$value.to_le_bytes()),
                    false => out.extend_from_slice(&$value.to_be_bytes()),
                }
            };
        }
        match &cells.values {
            Values::Text(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::Bytes(values) => out.extend_from_slice(values.value(row)),
            Values::Bool(values) => out.push(values.value(row).into()),
            Values::I8(values) => number!(values[row]),
            Values::I16(values) => number!(values[row]),
            Values::I32(values) => number!(values[row]),
            Values::I64(values) => number!(values[row]),
            Values::F32(values) => number!(values.value(row)),
            Values::F64(values) => number!(values.value(row)),
            _ => {}
        }
    }
}

fn size(record: &[u8], wanted: usize) -> String {
    format!("{} bytes, expected are {wanted}", record.len())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::ArrayRef;
    use datafusion::arrow::datatypes::{Field, Schema};

    use super::*;

    #[test]
    fn a_record_is_its_column() {
        for (data_type, record) in [
            (DataType::Utf8, &b"line"[..]),
            (DataType::Binary, &[0xff, 0]),
            (DataType::Int32, &[0, 0, 1, 2]),
            (DataType::Float64, &1.5_f64.to_be_bytes()),
            (DataType::Boolean, &[1]),
        ] {
            let schema = Arc::new(Schema::new(vec![Field::new("v", data_type.clone(), true)]));
            assert!(Raw::carries(&schema));
            let mut columns = Columns::new(&schema).unwrap();
            let raw = Raw::default();
            raw.read(record, &mut columns).unwrap();
            let column: ArrayRef = Arc::clone(columns.finish().unwrap().column(0));
            let mut out = Vec::new();
            raw.write(&Cells::new(&column).unwrap(), 0, &mut out);
            assert_eq!(out, record, "{data_type}");
            if data_type == DataType::Int32 {
                let reason = raw.read(b"123", &mut columns).unwrap_err();
                assert_eq!(reason, "3 bytes, expected are 4");
                assert_eq!(columns.len(), 0);
            }
        }
    }
}
