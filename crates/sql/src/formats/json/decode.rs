//! From an object to a row.

use super::super::column::{Column, Columns, Data};
use super::Json;
use super::parser::{Kind, Parser, unlike, utf8, without_blanks};

/// Reads a record; the columns are as before if it cannot be read.
pub(super) fn record(options: &Json, record: &[u8], columns: &mut Columns) -> Result<(), String> {
    let text = utf8(record)?;
    let mut parser = Parser::new(text);
    if parser.is_at_end() {
        return Ok(());
    }
    let rows = columns.len();
    let mut decoder = Decoder { options, scratch: String::new() };
    let read = decoder.document(&mut parser, &mut columns.columns, rows);
    match read {
        Ok(()) => columns.row_done(),
        Err(_) => columns.truncate(rows),
    }
    read
}

/// Reads values into columns.
pub(crate) struct Decoder<'o> {
    pub(crate) options: &'o Json,
    pub(crate) scratch: String,
}

impl Decoder<'_> {
    fn document(
        &mut self,
        parser: &mut Parser<'_>,
        columns: &mut [Column],
        row: usize,
    ) -> Result<(), String> {
        if parser.value()? != Kind::Object {
            return Err("expected an object at column 1".into());
        }
        self.object(parser, columns, row)?;
        if !parser.is_at_end() {
            return Err(format!(
                "something follows the object at column {}",
                parser.position() + 1
            ));
        }
        Ok(())
    }

    /// Reads the fields of an object into columns that have `row` values each.
    pub(crate) fn object(
        &mut self,
        parser: &mut Parser<'_>,
        columns: &mut [Column],
        row: usize,
    ) -> Result<(), String> {
        parser.enter()?;
        // Fields mostly come in the columns' order.
        let mut expected = 0;
        let mut first = true;
        loop {
            let find = |key: &str| match columns.get(expected) {
                Some(column) if column.name() == key => Some(expected),
                _ => columns.iter().position(|column| column.name() == key),
            };
            let Some(found) = parser.key(first, &mut self.scratch, find)? else { break };
            first = false;
            let Some(index) = found else {
                parser.skip(&mut self.scratch)?;
                continue;
            };
            expected = index + 1;
            let column = &mut columns[index];
            // Of a field that is there twice the last counts.
            column.truncate(row);
            self.field(parser, column, row)?;
        }
        for column in columns.iter_mut().filter(|column| column.len() == row) {
            if self.options.fail_on_missing_field {
                return Err(format!("field `{}` is missing", column.name()));
            }
            column.push_null();
        }
        Ok(())
    }

    fn field(
        &mut self,
        parser: &mut Parser<'_>,
        column: &mut Column,
        row: usize,
    ) -> Result<(), String> {
        let before = parser.clone();
        let read = self.value(parser, column);
        match read {
            Err(reason) if self.options.ignore_parse_errors => {
                parser.back_to(&before);
                // Where the record itself is broken there is no next field.
                parser.skip(&mut self.scratch).map_err(|_| reason)?;
                column.truncate(row);
                column.push_null();
                Ok(())
            }
            Err(reason) => Err(format!("field `{}`: {reason}", column.name())),
            Ok(()) => Ok(()),
        }
    }

    /// Reads one value into a column.
    pub(crate) fn value(
        &mut self,
        parser: &mut Parser<'_>,
        column: &mut Column,
    ) -> Result<(), String> {
        match (parser.value()?, &mut column.data) {
            (Kind::Null, _) => {
                column.push_null();
                return Ok(());
            }
            (Kind::Text, _) => return column.push_text(parser.string(&mut self.scratch)?),
            (Kind::Number, data) => {
                let number = parser.number()?;
                return match data {
                    Data::Date(_) | Data::Time(..) | Data::Timestamp(..)
                        if self.options.numeric =>
                    {
                        let count = number.parse().map_err(|_| unlike(number, "time"))?;
                        column.push_number(count)
                    }
                    Data::Bool(_) => Err(unlike(number, "BOOLEAN")),
                    Data::Date(_) => Err(unlike(number, "date like 2020-12-30")),
                    Data::Time(..) => Err(unlike(number, "time like 12:13:14.123")),
                    Data::Timestamp(..) => Err(format!(
                        "{number} is no timestamp like 2020-12-30 12:13:14.123; declare the column \
                         BIGINT and convert it by TO_TIMESTAMP_LTZ"
                    )),
                    Data::Bytes { .. } => Err(unlike(number, "base64")),
                    Data::I8(_) | Data::I16(_) | Data::I32(_) | Data::I64(_) => {
                        column.push_text(&whole(number))
                    }
                    _ => column.push_text(number),
                };
            }
            (Kind::Bool(value), Data::Bool(values)) => values.push(value),
            (Kind::Bool(value), _) => return bool_as_text(column, value),
            (Kind::Object | Kind::Array, Data::Text { .. }) => {
                let from = parser.position();
                parser.skip(&mut self.scratch)?;
                return column.push_text(&without_blanks(parser.since(from)));
            }
            (Kind::Object, Data::Row(columns)) => {
                let row = columns.first().map_or(0, Column::len);
                self.object(parser, columns, row)?;
            }
            (Kind::Object, Data::Map { ends, keys, values, .. }) => {
                parser.enter()?;
                let mut first = true;
                loop {
                    let pushed = parser.key(first, &mut self.scratch, |key| keys.push_text(key))?;
                    let Some(pushed) = pushed else { break };
                    pushed?;
                    self.value(parser, values)?;
                    first = false;
                }
                ends.push(i32::try_from(keys.len()).map_err(|_| "too many entries".to_owned())?);
            }
            (Kind::Array, Data::List { ends, items }) => {
                parser.enter()?;
                let mut first = true;
                while parser.item(first)? {
                    self.value(parser, items)?;
                    first = false;
                }
                ends.push(i32::try_from(items.len()).map_err(|_| "too many items".to_owned())?);
            }
            (Kind::Object, _) => return Err(format!("an object is no {}", name(column))),
            (Kind::Array, _) => return Err(format!("an array is no {}", name(column))),
        }
        column.pushed();
        Ok(())
    }
}

fn bool_as_text(column: &mut Column, value: bool) -> Result<(), String> {
    let text = if value { "true" } else { "false" };
    match column.data {
        Data::Text { .. } => column.push_text(text),
        _ => Err(format!("{text} is no {}", name(column))),
    }
}

/// The type in SQL's words.
fn name(column: &Column) -> String {
    crate::catalog::type_name(column.field.data_type())
}

/// A number without a fraction that is nothing, and without an exponent where that is easy.
fn whole(number: &str) -> std::borrow::Cow<'_, str> {
    if !number.contains(['.', 'e', 'E']) {
        return number.into();
    }
    match super::super::text::parse_decimal(number, 38, 19) {
        Ok(value) if value % 10_i128.pow(19) == 0 => (value / 10_i128.pow(19)).to_string().into(),
        _ => number.into(),
    }
}
