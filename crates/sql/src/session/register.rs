//! Functions in Rust that a program gives to a session.
//!
//! A registered function is called by its name, of any case; `CREATE FUNCTION f AS 'name'` gives it
//! another one.

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;

use datafusion::execution::FunctionRegistry;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Session;
use crate::error::{SqlError, SqlResult, codes};
use crate::functions::user::{AggregateFunction, aggregate, scalar, table};

impl Session {
    /// Registers a scalar function: of one argument, or of a tuple of them. NULL for an argument
    /// that is no `Option` gives NULL. It must give the same for the same arguments.
    ///
    /// # Errors
    /// When there is a function of the name, or a type has no SQL type.
    ///
    /// # Examples
    /// ```
    /// use headwater_sql::session::{Session, SessionOptions};
    ///
    /// let mut session = Session::new(SessionOptions::default())?;
    /// session.register_scalar("initials", |(first, last): (String, String)| {
    ///     first.chars().take(1).chain(last.chars().take(1)).collect::<String>()
    /// })?;
    /// session.execute("SELECT initials('Ada', 'Lovelace')")?;
    /// # Ok::<(), headwater_sql::error::SqlError>(())
    /// ```
    pub fn register_scalar<A, R>(
        &mut self,
        name: &str,
        f: impl Fn(A) -> R + Send + Sync + 'static,
    ) -> SqlResult<()>
    where
        A: DeserializeOwned + 'static,
        R: Serialize + DeserializeOwned + 'static,
    {
        let name = self.free_function_name(name)?;
        let function = Arc::new(scalar(&name, f)?);
        self.streaming.register_udf(Arc::clone(&function))?;
        self.batch.register_udf(function)?;
        self.registered.insert(name);
        Ok(())
    }

    /// Registers an aggregate function.
    ///
    /// # Errors
    /// As [`Session::register_scalar`].
    pub fn register_aggregate(
        &mut self,
        name: &str,
        function: impl AggregateFunction,
    ) -> SqlResult<()> {
        let name = self.free_function_name(name)?;
        let function = Arc::new(aggregate(&name, function)?);
        self.streaming.register_udaf(Arc::clone(&function))?;
        self.batch.register_udaf(function)?;
        self.registered.insert(name);
        Ok(())
    }

    /// Registers a table function: of one argument, or of a tuple of them, it makes any number of
    /// rows. Their columns are the fields of a struct, by name; the values of a tuple, `f0`, `f1`
    /// and so on; or one value, `f0`.
    ///
    /// NULL for an argument that is no `Option` makes no row. It must make the same rows of the same
    /// arguments, and end: a call that makes more than a million rows is an error.
    ///
    /// # Errors
    /// When there is a function of the name, or a type has no SQL type.
    ///
    /// # Examples
    /// ```
    /// use headwater_sql::session::{Session, SessionOptions};
    ///
    /// let mut session = Session::new(SessionOptions::default())?;
    /// session.register_table_function("words", |text: String| {
    ///     let words: Vec<(String, i64)> =
    ///         text.split_whitespace().map(|w| (w.to_owned(), w.len() as i64)).collect();
    ///     words
    /// })?;
    /// session.execute(
    ///     "SELECT word, len FROM (VALUES ('to be or not')) AS t (line),
    ///          LATERAL TABLE(words(line)) AS w (word, len)",
    /// )?;
    /// # Ok::<(), headwater_sql::error::SqlError>(())
    /// ```
    pub fn register_table_function<A, I>(
        &mut self,
        name: &str,
        f: impl Fn(A) -> I + Send + Sync + 'static,
    ) -> SqlResult<()>
    where
        A: DeserializeOwned + 'static,
        I: IntoIterator + 'static,
        I::IntoIter: Send,
        I::Item: Serialize + DeserializeOwned,
    {
        self.register_fallible_table_function(name, move |args| Ok::<I, Infallible>(f(args)))
    }

    /// As [`Session::register_table_function`] of a function that may fail: that stops the query, with
    /// an error that has the function, the arguments and what the function says.
    ///
    /// # Errors
    /// As [`Session::register_table_function`].
    pub fn register_fallible_table_function<A, I, E>(
        &mut self,
        name: &str,
        f: impl Fn(A) -> Result<I, E> + Send + Sync + 'static,
    ) -> SqlResult<()>
    where
        A: DeserializeOwned + 'static,
        I: IntoIterator + 'static,
        I::IntoIter: Send,
        I::Item: Serialize + DeserializeOwned,
        E: Display + 'static,
    {
        let name = self.free_function_name(name)?;
        let function = table(&name, f)?;
        self.table_functions.insert(&name, function);
        self.registered.insert(name);
        Ok(())
    }

    /// Whether there is a function of this name, in lower case.
    pub(super) fn has_function(&self, name: &str) -> bool {
        self.streaming.scalar_functions().contains_key(name)
            || self.streaming.aggregate_functions().contains_key(name)
            || self.table_functions.get(name).is_some()
    }

    fn free_function_name(&self, name: &str) -> SqlResult<String> {
        let lower = name.to_ascii_lowercase();
        if self.has_function(&lower) || self.catalog.function(&lower).is_some() {
            return Err(SqlError::new(
                codes::EXISTS,
                format!("there is already a function `{name}`"),
            ));
        }
        Ok(lower)
    }
}
