//! Table functions: of one row's arguments they make any number of rows.
//!
//! A function is started on a batch of arguments and then asked for its rows piece by piece, so
//! that what comes of one batch is never in memory at once. Both ways of running a query go through
//! [`Expansion`]: the streaming operator and the batch plan give the same rows in the same order.
//!
//! Invariants: rows come in the order of the rows they are made of; a function keeps nothing from
//! one row to the next, so a row that is taken back is taken apart as it was when it was added.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, UInt32Array};
use datafusion::arrow::datatypes::{DataType, Field};
use headwater_core::Result;

use crate::error::SqlResult;

mod unnest;

pub(crate) use unnest::Unnest;

/// A table function.
pub(crate) trait TableFunction: fmt::Debug + Send + Sync {
    /// Its name; two functions of one session have different ones.
    fn name(&self) -> &str;

    /// The types that arguments of these types are cast to.
    ///
    /// # Errors
    /// When it does not take them.
    fn coerce(&self, given: &[DataType]) -> SqlResult<Vec<DataType>>;

    /// The columns that it makes of arguments of these types, with the names that they have where
    /// the query gives them none.
    ///
    /// # Errors
    /// When it does not take them.
    fn columns(&self, args: &[DataType]) -> SqlResult<Vec<Field>>;

    /// Starts on a batch of `rows` rows.
    ///
    /// With `outer` a row of which it makes none gives one row of NULLs.
    ///
    /// # Errors
    /// Of kind `Internal`: the arguments are not of the types that it takes.
    fn expand(
        self: Arc<Self>,
        args: &[ArrayRef],
        rows: usize,
        outer: bool,
    ) -> Result<Box<dyn Expansion>>;
}

/// The rows that a table function makes of one batch, as far as they have not been taken.
pub(crate) trait Expansion: Send {
    /// The next rows, at most `most` of them; none: that was all.
    ///
    /// # Errors
    /// Of kind `User`: the function failed. Of kind `Data`: a value is none that it takes or that
    /// its columns hold.
    fn next(&mut self, most: usize) -> Result<Option<Piece>>;
}

/// Some rows that a table function made.
pub(crate) struct Piece {
    /// The row of the batch that each is made of; never goes back.
    pub of: UInt32Array,
    /// Their columns.
    pub columns: Vec<ArrayRef>,
}

/// The table functions that a program registered, by their names in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableFunctions(BTreeMap<String, Arc<dyn TableFunction>>);

impl TableFunctions {
    /// Adds a function by a name in lower case.
    pub(crate) fn insert(&mut self, name: &str, function: Arc<dyn TableFunction>) {
        self.0.insert(name.to_owned(), function);
    }

    /// The function of a name in lower case.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<dyn TableFunction>> {
        self.0.get(name)
    }

    /// Their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
