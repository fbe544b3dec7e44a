//! Functions in Rust that a program gives to a session.
//!
//! A registered function is called by its name, of any case; `CREATE FUNCTION f AS 'name'` gives it
//! another one.

use std::sync::Arc;

use datafusion::execution::FunctionRegistry;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Session;
use crate::error::{SqlError, SqlResult, codes};
use crate::functions::user::{AggregateFunction, aggregate, scalar};

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

    /// Whether there is a scalar or an aggregate function of this name, in lower case.
    pub(super) fn has_function(&self, name: &str) -> bool {
        self.streaming.scalar_functions().contains_key(name)
            || self.streaming.aggregate_functions().contains_key(name)
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
