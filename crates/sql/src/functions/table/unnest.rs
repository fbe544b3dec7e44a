//! `UNNEST(array or map)`: a row for each element.
//!
//! An array of rows gives a column for each of their fields, a map its keys and values, another
//! array one column. `WITH ORDINALITY` adds the element's number, from 1.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, UInt32Array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{nullif, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::error::ArrowError;
use headwater_core::{Error, Result};

use super::{Expansion, Piece, TableFunction};
use crate::catalog::type_name;
use crate::error::{SqlError, SqlResult, codes};

/// Name of the column of the elements.
const ELEMENT: &str = "EXPR$0";
/// Names of the columns of a map.
const ENTRY: [&str; 2] = ["KEY", "VALUE"];
/// Name of the column of the numbers.
const ORDINALITY: &str = "ORDINALITY";

/// See the module.
#[derive(Debug)]
pub(crate) struct Unnest {
    /// Elements are numbered.
    pub with_ordinality: bool,
}

impl TableFunction for Unnest {
    fn name(&self) -> &str {
        if self.with_ordinality { "UNNEST WITH ORDINALITY" } else { "UNNEST" }
    }

    fn coerce(&self, given: &[DataType]) -> SqlResult<Vec<DataType>> {
        let [given] = given else {
            let message = format!("UNNEST takes one array or map, got {} arguments", given.len());
            return Err(SqlError::new(codes::TYPE_MISMATCH, message)
                .help("take arrays apart one after the other: UNNEST(a) …, UNNEST(b) …"));
        };
        Ok(vec![match given {
            DataType::List(_) | DataType::Map(..) => given.clone(),
            DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                DataType::List(Arc::clone(item))
            }
            other => {
                let message = format!("UNNEST takes an array or a map, got {}", type_name(other));
                return Err(SqlError::new(codes::TYPE_MISMATCH, message));
            }
        }])
    }

    fn columns(&self, args: &[DataType]) -> SqlResult<Vec<Field>> {
        let args = self.coerce(args)?;
        let nullable = |name: &str, of: &FieldRef| Field::new(name, of.data_type().clone(), true);
        let mut columns = match args.first().and_then(element) {
            Some(Element { fields, is_entry: true }) => {
                ENTRY.iter().zip(&fields).map(|(name, field)| nullable(name, field)).collect()
            }
            Some(Element { fields, .. }) => {
                fields.iter().map(|field| nullable(field.name(), field)).collect()
            }
            None => match args.first() {
                Some(DataType::List(item)) => vec![nullable(ELEMENT, item)],
                _ => Vec::new(),
            },
        };
        if self.with_ordinality {
            columns.push(Field::new(ORDINALITY, DataType::Int32, true));
        }
        Ok(columns)
    }

    fn expand(
        self: Arc<Self>,
        args: &[ArrayRef],
        rows: usize,
        outer: bool,
    ) -> Result<Box<dyn Expansion>> {
        let wrong = || Error::internal("UNNEST got something else than an array or a map");
        let array = args.first().ok_or_else(wrong)?;
        let (offsets, elements): (_, ArrayRef) = match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                (list.offsets().clone(), Arc::clone(list.values()))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                (map.offsets().clone(), Arc::new(map.entries().clone()))
            }
            _ => return Err(wrong()),
        };
        let (nulls, with_ordinality) = (array.nulls().cloned(), self.with_ordinality);
        let at = Place { row: 0, element: 0 };
        Ok(Box::new(Elements { offsets, elements, nulls, rows, outer, with_ordinality, at }))
    }
}

/// The columns of an element that has several.
struct Element {
    fields: Vec<FieldRef>,
    is_entry: bool,
}

fn element(array: &DataType) -> Option<Element> {
    let (of, is_entry) = match array {
        DataType::List(item) => (item, false),
        DataType::Map(entries, _) => (entries, true),
        _ => return None,
    };
    match of.data_type() {
        DataType::Struct(fields) => {
            Some(Element { fields: fields.iter().map(Arc::clone).collect(), is_entry })
        }
        _ => None,
    }
}

/// Where it goes on: the row, and how many of its elements were taken.
struct Place {
    row: usize,
    element: usize,
}

struct Elements {
    offsets: OffsetBuffer<i32>,
    elements: ArrayRef,
    nulls: Option<NullBuffer>,
    rows: usize,
    outer: bool,
    with_ordinality: bool,
    at: Place,
}

impl Elements {
    /// The first element of a row among all, and how many it has.
    fn range(&self, row: usize) -> (usize, usize) {
        // What a NULL's offsets say is not to be looked at.
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return (0, 0);
        }
        let (start, end) = (self.offsets[row] as usize, self.offsets[row + 1] as usize);
        (start, end - start)
    }

    fn columns(&self, wanted: &UInt32Array) -> Result<Vec<ArrayRef>, ArrowError> {
        let taken = take(&self.elements, wanted, None)?;
        let Some(rows) = taken.as_struct_opt() else { return Ok(vec![taken]) };
        let Some(nulls) = rows.nulls() else { return Ok(rows.columns().to_vec()) };
        // A field of a row that is NULL is NULL.
        let is_null = BooleanArray::new(!nulls.inner(), None);
        rows.columns().iter().map(|column| nullif(column, &is_null)).collect()
    }
}

impl Expansion for Elements {
    fn next(&mut self, most: usize) -> Result<Option<Piece>> {
        let mut of: Vec<u32> = Vec::new();
        let mut wanted: Vec<Option<u32>> = Vec::new();
        let mut numbers: Vec<Option<i32>> = Vec::new();
        while self.at.row < self.rows && of.len() < most {
            let (start, len) = self.range(self.at.row);
            if len == 0 && self.outer {
                of.push(self.at.row as u32);
                wanted.push(None);
                numbers.push(None);
            }
            let end = len.min(self.at.element + most - of.len().min(most));
            for element in self.at.element..end {
                of.push(self.at.row as u32);
                wanted.push(Some((start + element) as u32));
                numbers.push(Some(element as i32 + 1));
            }
            self.at = match end < len {
                true => Place { element: end, ..self.at },
                false => Place { row: self.at.row + 1, element: 0 },
            };
        }
        if of.is_empty() {
            return Ok(None);
        }
        let mut columns = self
            .columns(&UInt32Array::from(wanted))
            .map_err(|e| Error::internal("cannot take elements of an array").because(e))?;
        if self.with_ordinality {
            columns.push(Arc::new(Int32Array::from(numbers)));
        }
        Ok(Some(Piece { of: UInt32Array::from(of), columns }))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::ListArray;
    use datafusion::arrow::datatypes::Int32Type;

    use super::*;

    fn pieces(array: &ArrayRef, most: usize, outer: bool) -> Vec<(Vec<u32>, String)> {
        let unnest = Arc::new(Unnest { with_ordinality: true });
        let args = [Arc::clone(array)];
        let mut expansion = unnest.expand(&args, array.len(), outer).unwrap();
        let mut pieces = Vec::new();
        while let Some(piece) = expansion.next(most).unwrap() {
            let text = |c: &ArrayRef| {
                let cells = (0..c.len()).map(|row| {
                    let cell = datafusion::arrow::util::display::array_value_to_string(c, row);
                    if c.is_null(row) { "-".to_owned() } else { cell.unwrap() }
                });
                cells.collect::<Vec<_>>().join(" ")
            };
            let texts: Vec<String> = piece.columns.iter().map(text).collect();
            pieces.push((piece.of.values().to_vec(), texts.join(" | ")));
        }
        pieces
    }

    fn lists() -> ArrayRef {
        let rows = vec![
            Some(vec![Some(1), None, Some(3)]),
            None,
            Some(vec![]),
            Some(vec![Some(4), Some(5)]),
        ];
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows))
    }

    #[test]
    fn elements_come_in_order_however_many_at_once() {
        let all = pieces(&lists(), 100, false);
        assert_eq!(all, [(vec![0, 0, 0, 3, 3], "1 - 3 4 5 | 1 2 3 1 2".to_owned())]);
        let two = pieces(&lists(), 2, false);
        assert_eq!(
            two,
            [
                (vec![0, 0], "1 - | 1 2".to_owned()),
                (vec![0, 3], "3 4 | 3 1".to_owned()),
                (vec![3], "5 | 2".to_owned())
            ]
        );
    }

    #[test]
    fn outer_keeps_rows_without_elements_and_slices_are_seen_as_such() {
        let outer = pieces(&lists(), 3, true);
        assert_eq!(
            outer,
            [
                (vec![0, 0, 0], "1 - 3 | 1 2 3".to_owned()),
                (vec![1, 2, 3], "- - 4 | - - 1".to_owned()),
                (vec![3], "5 | 2".to_owned())
            ]
        );
        let sliced = pieces(&lists().slice(2, 2), 100, true);
        assert_eq!(sliced, [(vec![0, 1, 1], "- 4 5 | - 1 2".to_owned())]);
    }
}
