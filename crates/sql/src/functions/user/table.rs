//! Table functions in Rust.
//!
//! What a call returns is iterated over as rows are asked for: a function may make its rows one by
//! one. A call that makes more than [`MAX_ROWS`] is stopped, since it may never come to an end.

use std::any::Any;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, UInt32Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use headwater_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::parameters;
use crate::bridge::columns::columns_of;
use crate::bridge::read::RowOf;
use crate::bridge::write::write;
use crate::catalog::type_name;
use crate::error::{SqlError, SqlResult, codes};
use crate::formats::cells::Cells;
use crate::formats::column::Columns;
use crate::functions::table::{Expansion, Piece, TableFunction};

/// Rows that one call makes at most.
pub const MAX_ROWS: usize = 1_000_000;

/// A table function of a closure.
pub(crate) fn table<A, I, E>(
    name: &str,
    f: impl Fn(A) -> std::result::Result<I, E> + Send + Sync + 'static,
) -> SqlResult<Arc<dyn TableFunction>>
where
    A: DeserializeOwned + 'static,
    I: IntoIterator + 'static,
    I::IntoIter: Send,
    I::Item: Serialize + DeserializeOwned,
    E: Display,
{
    let (names, types) = parameters::<A>()?;
    let columns: SchemaRef = Arc::new(Schema::new(columns_of::<I::Item>()?));
    Columns::new(&columns).map_err(|(column, found)| {
        let found = type_name(&found);
        let message = format!("column `{column}` of table function `{name}` is {found}");
        SqlError::new(codes::BAD_SCHEMA, message)
    })?;
    let call = move |args: A| match f(args) {
        Ok(rows) => Ok(rows.into_iter()),
        Err(error) => Err(error.to_string()),
    };
    let of = PhantomData::<fn(A) -> I>;
    Ok(Arc::new(UserTable { name: name.to_owned(), names, types, columns, call, of }))
}

struct UserTable<A, I, F> {
    name: String,
    /// Names and types of the arguments.
    names: Vec<String>,
    types: Vec<DataType>,
    columns: SchemaRef,
    call: F,
    of: PhantomData<fn(A) -> I>,
}

impl<A, I, F> fmt::Debug for UserTable<A, I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserTable").field(&self.name).finish()
    }
}

impl<A, I, F> UserTable<A, I, F> {
    /// A scalar function with the same arguments: how arguments are cast is told by its signature.
    fn signature(&self) -> ScalarUDF {
        let call = Arc::new(|args: &[ColumnarValue]| Ok(args[0].clone()));
        let types = self.types.clone();
        create_udf(&self.name, types, DataType::Null, Volatility::Immutable, call)
    }
}

impl<A, I, F> TableFunction for UserTable<A, I, F>
where
    A: DeserializeOwned + 'static,
    I: IntoIterator + 'static,
    I::IntoIter: Send,
    I::Item: Serialize,
    F: Fn(A) -> std::result::Result<I::IntoIter, String> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn coerce(&self, given: &[DataType]) -> SqlResult<Vec<DataType>> {
        let list = |types: &[DataType]| types.iter().map(type_name).collect::<Vec<_>>().join(", ");
        let usage = || format!("it is called {}({})", self.name, list(&self.types));
        if given.len() != self.types.len() {
            let s = if self.types.len() == 1 { "" } else { "s" };
            let (name, takes) = (&self.name, self.types.len());
            let message =
                format!("table function `{name}` takes {takes} argument{s}, got {}", given.len());
            return Err(SqlError::new(codes::BAD_CALL, message).help(usage()));
        }
        let fields: Vec<FieldRef> =
            given.iter().map(|t| Arc::new(Field::new("", t.clone(), true))).collect();
        let fits = fields_with_udf(&fields, &self.signature()).map_err(|_| {
            let message = format!("table function `{}` does not take ({})", self.name, list(given));
            SqlError::new(codes::TYPE_MISMATCH, message).help(usage())
        })?;
        Ok(fits.iter().map(|field| field.data_type().clone()).collect())
    }

    fn columns(&self, _args: &[DataType]) -> SqlResult<Vec<Field>> {
        Ok(self.columns.fields().iter().map(|field| field.as_ref().clone()).collect())
    }

    fn expand(
        self: Arc<Self>,
        args: &[ArrayRef],
        rows: usize,
        outer: bool,
    ) -> Result<Box<dyn Expansion>> {
        let args = args.to_vec();
        Ok(Box::new(Calls { function: self, args, rows, outer, row: 0, open: None, made: 0 }))
    }
}

/// The calls for the rows of one batch.
struct Calls<A, I: IntoIterator, F> {
    function: Arc<UserTable<A, I, F>>,
    args: Vec<ArrayRef>,
    rows: usize,
    outer: bool,
    row: usize,
    /// What is left of the rows of the current call.
    open: Option<I::IntoIter>,
    /// Rows that the current call has made.
    made: usize,
}

impl<A, I, F> Calls<A, I, F>
where
    A: DeserializeOwned,
    I: IntoIterator,
    F: Fn(A) -> std::result::Result<I::IntoIter, String>,
{
    /// Calls the function for the current row; none: an argument is NULL that may not be.
    fn call(&self, columns: &[(&str, Cells<'_>)]) -> Result<Option<I::IntoIter>> {
        let args = match A::deserialize(RowOf { columns, row: self.row }) {
            Ok(args) => args,
            Err(refused) if refused.is_null() => return Ok(None),
            Err(refused) => return Err(Error::data(self.failed(&refused.to_string()))),
        };
        self.guard(|| (self.function.call)(args))?
            .map(Some)
            .map_err(|why| Error::user(self.failed(&why)))
    }

    /// Runs code of the user.
    fn guard<R>(&self, code: impl FnOnce() -> R) -> Result<R> {
        catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
            Error::user(self.failed(&format!("panicked: {}", said(payload.as_ref()))))
        })
    }

    /// What failed: the function and the row's arguments, cut where they are long.
    fn failed(&self, why: &str) -> String {
        const SHOWN: usize = 60;
        let arg = |array: &ArrayRef| {
            if array.is_null(self.row) {
                return "NULL".to_owned();
            }
            let text = array_value_to_string(array, self.row).unwrap_or_default();
            let mut shown: String = text.chars().take(SHOWN).collect();
            if shown.len() < text.len() {
                shown.push('…');
            }
            if *array.data_type() == DataType::Utf8 { format!("'{shown}'") } else { shown }
        };
        let args = self.args.iter().map(arg).collect::<Vec<_>>().join(", ");
        format!("table function {}({args}): {why}", self.function.name)
    }
}

impl<A, I, F> Expansion for Calls<A, I, F>
where
    A: DeserializeOwned,
    I: IntoIterator,
    I::IntoIter: Send,
    I::Item: Serialize,
    F: Fn(A) -> std::result::Result<I::IntoIter, String> + Send + Sync,
{
    fn next(&mut self, most: usize) -> Result<Option<Piece>> {
        let function = Arc::clone(&self.function);
        let args = self.args.clone();
        let cells = function.names.iter().zip(&args).map(|(name, array)| {
            let cells = Cells::new(array)
                .map_err(|found| Error::plan(format!("an argument of {name} is {found}")))?;
            Ok((name.as_str(), cells))
        });
        let cells = cells.collect::<Result<Vec<_>>>()?;
        let mut out = Columns::new(&function.columns)
            .map_err(|(column, found)| Error::internal(format!("{column} is {found}")))?;
        let mut of: Vec<u32> = Vec::new();
        while self.row < self.rows && of.len() < most {
            let mut open = match self.open.take() {
                Some(open) => Some(open),
                None => self.call(&cells)?,
            };
            let next = match &mut open {
                Some(rows) => self.guard(|| rows.next())?,
                None => None,
            };
            match next {
                Some(_) if self.made == MAX_ROWS => {
                    let why = format!("it makes more than {MAX_ROWS} rows");
                    return Err(Error::user(self.failed(&why))
                        .hint("does it come to an end? Put the rest into other rows otherwise"));
                }
                Some(row) => {
                    write(&row, &mut out, None)
                        .map_err(|e| Error::data(self.failed(&e.to_string())))?;
                    out.row_done();
                    of.push(self.row as u32);
                    self.made += 1;
                    self.open = open;
                }
                None => {
                    if self.outer && self.made == 0 {
                        out.columns.iter_mut().for_each(|column| column.push_null());
                        out.row_done();
                        of.push(self.row as u32);
                    }
                    self.row += 1;
                    self.made = 0;
                }
            }
        }
        if of.is_empty() {
            return Ok(None);
        }
        let rows = out
            .finish()
            .map_err(|e| Error::data(format!("table function {}: {e}", function.name)))?;
        Ok(Some(Piece { of: UInt32Array::from(of), columns: rows.columns().to_vec() }))
    }
}

/// What a panic said.
fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".to_owned())
}
