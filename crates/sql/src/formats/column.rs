//! Columns that grow by a value at a time and can be cut back.
//!
//! A record is decoded right into its columns. When it turns out bad in its middle they are cut
//! back to where they were, so a refused record leaves nothing behind; Arrow's own builders cannot
//! do that.
//!
//! Invariant: a field of a null row is null, as expressions look at fields without their row.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, ListArray, MapArray, RecordBatch,
    RecordBatchOptions, StringArray, StructArray, Time32MillisecondArray, Time32SecondArray,
    Time64MicrosecondArray, Time64NanosecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, SchemaRef, TimeUnit};
use datafusion::arrow::error::ArrowError;

use super::text::{parse_base64, parse_date, parse_decimal, parse_time, parse_timestamp, quoted};

/// A column under construction.
pub struct Column {
    pub(crate) field: FieldRef,
    pub(crate) data: Data,
    valid: Vec<bool>,
    nulls: usize,
}

/// The values of a column; where it is null there is some value.
pub(crate) enum Data {
    Bool(Vec<bool>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Decimal(u8, i8, Vec<i128>),
    Date(Vec<i32>),
    Time(TimeUnit, Vec<i64>),
    Timestamp(TimeUnit, Option<Arc<str>>, Vec<i64>),
    Text { ends: Vec<i32>, text: String },
    Bytes { ends: Vec<i32>, bytes: Vec<u8> },
    List { ends: Vec<i32>, items: Box<Column> },
    Map { ends: Vec<i32>, entries: Fields, keys: Box<Column>, values: Box<Column> },
    Row(Vec<Column>),
}

impl Column {
    /// An empty column.
    ///
    /// # Errors
    /// The type, if no format can read it.
    pub fn new(field: &FieldRef) -> Result<Column, DataType> {
        let data = match field.data_type() {
            DataType::Boolean => Data::Bool(Vec::new()),
            DataType::Int8 => Data::I8(Vec::new()),
            DataType::Int16 => Data::I16(Vec::new()),
            DataType::Int32 => Data::I32(Vec::new()),
            DataType::Int64 => Data::I64(Vec::new()),
            DataType::Float32 => Data::F32(Vec::new()),
            DataType::Float64 => Data::F64(Vec::new()),
            DataType::Decimal128(precision, scale) => Data::Decimal(*precision, *scale, Vec::new()),
            DataType::Date32 => Data::Date(Vec::new()),
            DataType::Time32(unit) | DataType::Time64(unit) => Data::Time(*unit, Vec::new()),
            DataType::Timestamp(unit, zone) => Data::Timestamp(*unit, zone.clone(), Vec::new()),
            DataType::Utf8 => Data::Text { ends: Vec::new(), text: String::new() },
            DataType::Binary => Data::Bytes { ends: Vec::new(), bytes: Vec::new() },
            DataType::List(item) => {
                Data::List { ends: Vec::new(), items: Box::new(Column::new(item)?) }
            }
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(entries) if entries.len() == 2 => Data::Map {
                    ends: Vec::new(),
                    keys: Box::new(Column::new(&entries[0])?),
                    values: Box::new(Column::new(&entries[1])?),
                    entries: entries.clone(),
                },
                other => return Err(other.clone()),
            },
            DataType::Struct(fields) => {
                Data::Row(fields.iter().map(Column::new).collect::<Result<_, _>>()?)
            }
            other => return Err(other.clone()),
        };
        Ok(Column { field: Arc::clone(field), data, valid: Vec::new(), nulls: 0 })
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.valid.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.valid.is_empty()
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.field.name()
    }

    /// The type.
    pub fn data_type(&self) -> &DataType {
        self.field.data_type()
    }

    /// Cuts back to so many values, and what was begun of another.
    pub fn truncate(&mut self, len: usize) {
        let len = len.min(self.len());
        let last = |ends: &[i32]| len.checked_sub(1).map_or(0, |i| ends[i] as usize);
        match &mut self.data {
            Data::Bool(values) => values.truncate(len),
            Data::I8(values) => values.truncate(len),
            Data::I16(values) => values.truncate(len),
            Data::I32(values) | Data::Date(values) => values.truncate(len),
            Data::I64(values) | Data::Time(_, values) | Data::Timestamp(_, _, values) => {
                values.truncate(len);
            }
            Data::F32(values) => values.truncate(len),
            Data::F64(values) => values.truncate(len),
            Data::Decimal(_, _, values) => values.truncate(len),
            Data::Text { ends, text } => {
                text.truncate(last(ends));
                ends.truncate(len);
            }
            Data::Bytes { ends, bytes } => {
                bytes.truncate(last(ends));
                ends.truncate(len);
            }
            Data::List { ends, items } => {
                items.truncate(last(ends));
                ends.truncate(len);
            }
            Data::Map { ends, keys, values, .. } => {
                keys.truncate(last(ends));
                values.truncate(last(ends));
                ends.truncate(len);
            }
            Data::Row(columns) => columns.iter_mut().for_each(|column| column.truncate(len)),
        }
        self.nulls -= self.valid[len..].iter().filter(|valid| !**valid).count();
        self.valid.truncate(len);
    }

    /// Adds a null.
    pub fn push_null(&mut self) {
        match &mut self.data {
            Data::Bool(values) => values.push(false),
            Data::I8(values) => values.push(0),
            Data::I16(values) => values.push(0),
            Data::I32(values) | Data::Date(values) => values.push(0),
            Data::I64(values) | Data::Time(_, values) | Data::Timestamp(_, _, values) => {
                values.push(0);
            }
            Data::F32(values) => values.push(0.0),
            Data::F64(values) => values.push(0.0),
            Data::Decimal(_, _, values) => values.push(0),
            Data::Text { ends, text } => ends.push(text.len() as i32),
            Data::Bytes { ends, bytes } => ends.push(bytes.len() as i32),
            Data::List { ends, items } => ends.push(items.len() as i32),
            Data::Map { ends, keys, .. } => ends.push(keys.len() as i32),
            Data::Row(columns) => columns.iter_mut().for_each(Column::push_null),
        }
        self.valid.push(false);
        self.nulls += 1;
    }

    /// Adds a null, or where the column may not be null some value.
    pub fn push_nothing(&mut self) {
        self.push_null();
        if !self.field.is_nullable() {
            self.nulls -= 1;
            if let Some(last) = self.valid.last_mut() {
                *last = true;
            }
        }
    }

    /// Adds what a text says; not for lists, maps and rows.
    ///
    /// # Errors
    /// Why the text is no value of the column's type.
    pub fn push_text(&mut self, from: &str) -> Result<(), String> {
        let unlike = |what: &str| format!("{} is no {what}", quoted(from));
        match &mut self.data {
            Data::Text { ends, text } => {
                text.push_str(from);
                ends.push(end(text.len())?);
            }
            Data::Bool(values) => values.push(match from.trim() {
                t if t.eq_ignore_ascii_case("true") => true,
                t if t.eq_ignore_ascii_case("false") => false,
                _ => return Err(unlike("BOOLEAN")),
            }),
            Data::I8(values) => values.push(integer(from, "TINYINT")?),
            Data::I16(values) => values.push(integer(from, "SMALLINT")?),
            Data::I32(values) => values.push(integer(from, "INT")?),
            Data::I64(values) => values.push(integer(from, "BIGINT")?),
            Data::F32(values) => {
                values.push(from.trim().parse().map_err(|_| unlike("FLOAT"))?);
            }
            Data::F64(values) => {
                values.push(from.trim().parse().map_err(|_| unlike("DOUBLE"))?);
            }
            Data::Decimal(precision, scale, values) => {
                values.push(parse_decimal(from, *precision, *scale)?);
            }
            Data::Date(values) => values.push(parse_date(from)?),
            Data::Time(unit, values) => values.push(parse_time(from, *unit)?),
            Data::Timestamp(unit, zone, values) => {
                values.push(parse_timestamp(from, *unit, zone.is_some())?);
            }
            Data::Bytes { .. } => return self.push_bytes(&parse_base64(from)?),
            Data::List { .. } => return Err(unlike("ARRAY")),
            Data::Map { .. } => return Err(unlike("MAP")),
            Data::Row(_) => return Err(unlike("ROW")),
        }
        self.pushed();
        Ok(())
    }

    /// Adds bytes as they are; only to a column of bytes or, if they are UTF-8, of text.
    ///
    /// # Errors
    /// Why they are no value of the column's type.
    pub fn push_bytes(&mut self, from: &[u8]) -> Result<(), String> {
        match &mut self.data {
            Data::Bytes { ends, bytes } => {
                bytes.extend_from_slice(from);
                ends.push(end(bytes.len())?);
                self.pushed();
                Ok(())
            }
            _ => match std::str::from_utf8(from) {
                Ok(text) => self.push_text(text),
                Err(e) => Err(format!("not UTF-8 from byte {} on", e.valid_up_to())),
            },
        }
    }

    /// Adds a number; only to a column of numbers, dates, times or timestamps, in their units.
    ///
    /// # Errors
    /// It does not fit, or the column has another type.
    pub fn push_number(&mut self, number: i64) -> Result<(), String> {
        let beyond = |_| format!("{number} is out of range");
        match &mut self.data {
            Data::I8(values) => values.push(number.try_into().map_err(beyond)?),
            Data::I16(values) => values.push(number.try_into().map_err(beyond)?),
            Data::I32(values) | Data::Date(values) => {
                values.push(number.try_into().map_err(beyond)?);
            }
            Data::I64(values) | Data::Time(_, values) | Data::Timestamp(_, _, values) => {
                values.push(number);
            }
            Data::F32(values) => values.push(number as f32),
            Data::F64(values) => values.push(number as f64),
            _ => return self.push_text(&number.to_string()),
        }
        self.pushed();
        Ok(())
    }

    /// Adds a point in time given in milliseconds since 1970; only to a column of timestamps.
    ///
    /// # Errors
    /// It does not fit, or the column has another type.
    pub fn push_timestamp(&mut self, millis: i64) -> Result<(), String> {
        let Data::Timestamp(unit, _, _) = self.data else {
            return self.push_number(millis);
        };
        let value = match unit {
            TimeUnit::Second => Some(millis.div_euclid(1_000)),
            TimeUnit::Millisecond => Some(millis),
            TimeUnit::Microsecond => millis.checked_mul(1_000),
            TimeUnit::Nanosecond => millis.checked_mul(1_000_000),
        };
        self.push_number(value.ok_or_else(|| format!("{millis} ms are out of range"))?)
    }

    /// Adds a decimal in units of its scale; only to a column of decimals.
    ///
    /// # Errors
    /// The column has another type.
    pub fn push_decimal(&mut self, unscaled: i128) -> Result<(), String> {
        match &mut self.data {
            Data::Decimal(_, _, values) => values.push(unscaled),
            _ => return Err("a decimal in a column of another type".into()),
        }
        self.pushed();
        Ok(())
    }

    /// Adds a float; only to a column of floats.
    ///
    /// # Errors
    /// The column has another type.
    pub fn push_float(&mut self, value: f64) -> Result<(), String> {
        match &mut self.data {
            Data::F32(values) => values.push(value as f32),
            Data::F64(values) => values.push(value),
            _ => return Err("a float in a column of another type".into()),
        }
        self.pushed();
        Ok(())
    }

    /// Adds a list of what `fill` adds to the items' column.
    ///
    /// # Errors
    /// Those of `fill`, or the column is no list; it may end in a part of the list.
    pub fn push_list(
        &mut self,
        fill: impl FnOnce(&mut Column) -> Result<(), String>,
    ) -> Result<(), String> {
        let Data::List { ends, items } = &mut self.data else {
            return Err("a list in a column of another type".into());
        };
        fill(items)?;
        ends.push(end(items.len())?);
        self.pushed();
        Ok(())
    }

    /// Adds a map of what `fill` adds to the columns of keys and values.
    ///
    /// # Errors
    /// Those of `fill`, or the column is no map; it may end in a part of the map.
    pub fn push_map(
        &mut self,
        fill: impl FnOnce(&mut Column, &mut Column) -> Result<(), String>,
    ) -> Result<(), String> {
        let Data::Map { ends, keys, values, .. } = &mut self.data else {
            return Err("a map in a column of another type".into());
        };
        fill(keys, values)?;
        ends.push(end(keys.len())?);
        self.pushed();
        Ok(())
    }

    /// Adds a row of what `fill` adds to each of its columns.
    ///
    /// # Errors
    /// Those of `fill`, or the column has no rows; it may end in a part of the row.
    pub fn push_row(
        &mut self,
        mut fill: impl FnMut(&mut Column) -> Result<(), String>,
    ) -> Result<(), String> {
        let Data::Row(columns) = &mut self.data else {
            return Err("a row in a column of another type".into());
        };
        columns.iter_mut().try_for_each(&mut fill)?;
        self.pushed();
        Ok(())
    }

    /// The name of a column that may not be null and is, in this one from a row on.
    fn misplaced_null(&self, from: usize) -> Option<&str> {
        let null = |column: &Column, row: usize| !column.valid[row];
        if !self.field.is_nullable() && self.nulls > 0 && (from..self.len()).any(|i| null(self, i))
        {
            return Some(self.name());
        }
        let Data::Row(columns) = &self.data else { return None };
        let there = |row: &usize| self.valid[*row];
        columns.iter().find_map(|column| {
            let required = !column.field.is_nullable() && column.nulls > 0;
            let missing = required && (from..self.len()).filter(there).any(|i| null(column, i));
            missing.then(|| column.name())
        })
    }

    /// Marks what was added to the data as a value.
    pub(crate) fn pushed(&mut self) {
        self.valid.push(true);
    }

    /// Takes the values out.
    ///
    /// # Errors
    /// A column that may not be null is.
    pub fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let len = self.len();
        let nulls = (self.nulls > 0).then(|| NullBuffer::from(std::mem::take(&mut self.valid)));
        self.valid.clear();
        self.nulls = 0;
        fn scalars<T: datafusion::arrow::datatypes::ArrowNativeType>(
            values: &mut Vec<T>,
        ) -> ScalarBuffer<T> {
            std::mem::take(values).into()
        }
        Ok(match &mut self.data {
            Data::Bool(values) => Arc::new(BooleanArray::new(std::mem::take(values).into(), nulls)),
            Data::I8(values) => Arc::new(Int8Array::try_new(scalars(values), nulls)?),
            Data::I16(values) => Arc::new(Int16Array::try_new(scalars(values), nulls)?),
            Data::I32(values) => Arc::new(Int32Array::try_new(scalars(values), nulls)?),
            Data::I64(values) => Arc::new(Int64Array::try_new(scalars(values), nulls)?),
            Data::F32(values) => Arc::new(Float32Array::try_new(scalars(values), nulls)?),
            Data::F64(values) => Arc::new(Float64Array::try_new(scalars(values), nulls)?),
            Data::Decimal(precision, scale, values) => {
                let array = Decimal128Array::try_new(scalars(values), nulls)?;
                Arc::new(array.with_precision_and_scale(*precision, *scale)?)
            }
            Data::Date(values) => Arc::new(Date32Array::try_new(scalars(values), nulls)?),
            Data::Time(unit, values) => {
                let narrow = |values: &mut Vec<i64>| -> ScalarBuffer<i32> {
                    std::mem::take(values).into_iter().map(|v| v as i32).collect()
                };
                match unit {
                    TimeUnit::Second => {
                        Arc::new(Time32SecondArray::try_new(narrow(values), nulls)?)
                    }
                    TimeUnit::Millisecond => {
                        Arc::new(Time32MillisecondArray::try_new(narrow(values), nulls)?)
                    }
                    TimeUnit::Microsecond => {
                        Arc::new(Time64MicrosecondArray::try_new(scalars(values), nulls)?)
                    }
                    TimeUnit::Nanosecond => {
                        Arc::new(Time64NanosecondArray::try_new(scalars(values), nulls)?)
                    }
                }
            }
            Data::Timestamp(unit, zone, values) => {
                let (values, zone) = (scalars(values), zone.clone());
                match unit {
                    TimeUnit::Second => Arc::new(
                        TimestampSecondArray::try_new(values, nulls)?.with_timezone_opt(zone),
                    ),
                    TimeUnit::Millisecond => Arc::new(
                        TimestampMillisecondArray::try_new(values, nulls)?.with_timezone_opt(zone),
                    ),
                    TimeUnit::Microsecond => Arc::new(
                        TimestampMicrosecondArray::try_new(values, nulls)?.with_timezone_opt(zone),
                    ),
                    TimeUnit::Nanosecond => Arc::new(
                        TimestampNanosecondArray::try_new(values, nulls)?.with_timezone_opt(zone),
                    ),
                }
            }
            Data::Text { ends, text } => {
                let bytes = std::mem::take(text).into_bytes();
                Arc::new(StringArray::try_new(offsets(ends), bytes.into(), nulls)?)
            }
            Data::Bytes { ends, bytes } => {
                let bytes = std::mem::take(bytes);
                Arc::new(BinaryArray::try_new(offsets(ends), bytes.into(), nulls)?)
            }
            Data::List { ends, items } => {
                let values = items.finish()?;
                let item = Arc::clone(&items.field);
                Arc::new(ListArray::try_new(item, offsets(ends), values, nulls)?)
            }
            Data::Map { ends, entries, keys, values } => {
                let columns = vec![keys.finish()?, values.finish()?];
                let rows = StructArray::try_new(entries.clone(), columns, None)?;
                let (field, sorted) = match self.field.data_type() {
                    DataType::Map(field, sorted) => (Arc::clone(field), *sorted),
                    other => {
                        let field = Field::new("entries", other.clone(), false);
                        (Arc::new(field), false)
                    }
                };
                Arc::new(MapArray::try_new(field, offsets(ends), rows, nulls, sorted)?)
            }
            Data::Row(columns) if columns.is_empty() => {
                Arc::new(StructArray::new_empty_fields(len, nulls))
            }
            Data::Row(columns) => {
                let fields: Fields = columns.iter().map(|c| Arc::clone(&c.field)).collect();
                let columns = columns.iter_mut().map(Column::finish);
                let columns = columns.collect::<Result<Vec<_>, _>>()?;
                Arc::new(StructArray::try_new(fields, columns, nulls)?)
            }
        })
    }
}

/// The columns of a record under construction.
pub struct Columns {
    schema: SchemaRef,
    /// The columns.
    pub columns: Vec<Column>,
    rows: usize,
}

impl Columns {
    /// Empty columns.
    ///
    /// # Errors
    /// The name and type of a column that no format can read.
    pub fn new(schema: &SchemaRef) -> Result<Columns, (String, DataType)> {
        let columns = schema
            .fields()
            .iter()
            .map(|field| Column::new(field).map_err(|refused| (field.name().clone(), refused)));
        Ok(Columns {
            schema: Arc::clone(schema),
            columns: columns.collect::<Result<_, _>>()?,
            rows: 0,
        })
    }

    /// The columns' names and types.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Number of whole rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Says that a value was added to every column.
    pub fn row_done(&mut self) {
        self.rows += 1;
        debug_assert!(self.columns.iter().all(|c| c.len() == self.rows), "columns are even");
    }

    /// The name of a column that may not be null and is, from a row on.
    pub fn misplaced_null(&self, from: usize) -> Option<&str> {
        self.columns.iter().find_map(|column| column.misplaced_null(from))
    }

    /// Cuts back to so many rows, and what was added of another.
    pub fn truncate(&mut self, rows: usize) {
        self.columns.iter_mut().for_each(|column| column.truncate(rows));
        self.rows = self.rows.min(rows);
    }

    /// Takes the rows out.
    ///
    /// # Errors
    /// A column that may not be null is.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns = self.columns.iter_mut().map(Column::finish);
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }
}

/// The offsets of values that end there.
fn offsets(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let mut offsets = Vec::with_capacity(ends.len() + 1);
    offsets.push(0);
    offsets.append(ends);
    // Ends only grow, so this checks what holds.
    OffsetBuffer::new(offsets.into())
}

/// A position in a column's bytes.
fn end(bytes: usize) -> Result<i32, String> {
    i32::try_from(bytes).map_err(|_| "more than 2 GiB of text in one batch".to_owned())
}

fn integer<T: TryFrom<i64>>(text: &str, name: &str) -> Result<T, String> {
    let text = text.trim();
    let beyond = || format!("{} is out of range for {name}", quoted(text));
    let number = text.parse::<i64>().map_err(|e| match e.kind() {
        std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => beyond(),
        _ => format!("{} is no {name}", quoted(text)),
    })?;
    T::try_from(number).map_err(|_| beyond())
}
