//! The tables, views and functions that statements name.
//!
//! Invariants: names are case-sensitive; tables and views share their names; a table's columns,
//! key and watermark are checked when it is created, its options when it is first used.

mod create;
mod like;
mod show_create;
mod table;
mod types;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{ObjectName, Spanned};

use crate::error::{SqlError, SqlResult, codes};
use crate::syntax::{CreateFunction, CreateView, ObjectKind};

pub use create::{TypeOf, is_proctime, table, table_as};
pub use show_create::is_secret;
pub use table::*;
pub use types::{sql_type, type_name};

/// The one catalog.
pub const CATALOG: &str = "default_catalog";
/// The one database.
pub const DATABASE: &str = "default_database";

/// A table or view.
#[derive(Clone, Debug)]
pub enum Relation {
    /// A table.
    Table(Arc<Table>),
    /// A view.
    View(Arc<View>),
}

/// The tables, views and functions there are.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    tables: BTreeMap<String, Arc<Table>>,
    views: BTreeMap<String, Arc<View>>,
    functions: BTreeMap<String, Arc<Function>>,
}

/// The last part of a name whose other parts are the one catalog and database.
///
/// # Errors
/// When it names another catalog or database.
pub fn simple_name(name: &ObjectName) -> SqlResult<String> {
    let parts: Vec<&str> =
        name.0.iter().filter_map(|p| p.as_ident()).map(|i| i.value.as_str()).collect();
    match parts.as_slice() {
        [table] | [DATABASE, table] | [CATALOG, DATABASE, table] => Ok((*table).to_owned()),
        _ => {
            Err(SqlError::new(codes::UNKNOWN_OBJECT, format!("no catalog or database of `{name}`"))
                .at(name.span())
                .help(format!("there is one: {CATALOG}.{DATABASE}")))
        }
    }
}

impl Catalog {
    /// A catalog with nothing in it.
    pub fn new() -> Self {
        Catalog::default()
    }

    /// Adds a table; whether it is new. `name` is for the error's place.
    ///
    /// # Errors
    /// When there is a table or view of its name, unless `if_not_exists`.
    pub fn create_table(
        &mut self,
        table: Table,
        name: &ObjectName,
        if_not_exists: bool,
    ) -> SqlResult<bool> {
        if let Some(kind) = self.kind_of(&table.name) {
            return if if_not_exists { Ok(false) } else { Err(exists(kind, &table.name, name)) };
        }
        self.tables.insert(table.name.clone(), Arc::new(table));
        Ok(true)
    }

    /// Adds a view; whether it is new or other than before.
    ///
    /// # Errors
    /// When there is a table of its name, or a view and neither `OR REPLACE` nor `IF NOT EXISTS`.
    pub fn create_view(&mut self, create: &CreateView) -> SqlResult<bool> {
        let name = simple_name(&create.name)?;
        match self.kind_of(&name) {
            Some(ObjectKind::View) if create.or_replace => {}
            Some(_) if create.if_not_exists => return Ok(false),
            Some(kind) => return Err(exists(kind, &name, &create.name)),
            None => {}
        }
        let mut seen = std::collections::BTreeSet::new();
        if let Some(twice) = create.columns.iter().find(|c| !seen.insert(c.value.as_str())) {
            return Err(SqlError::new(
                codes::DUPLICATE_COLUMN,
                format!("view `{name}` has two columns `{}`", twice.value),
            )
            .at(twice.span));
        }
        let view = View {
            name: name.clone(),
            columns: create.columns.iter().map(|c| c.value.clone()).collect(),
            query: create.query.clone(),
            text: create.text.clone(),
            materialized: create.materialized,
            comment: create.comment.clone(),
            temporary: create.temporary,
        };
        self.views.insert(name, Arc::new(view));
        Ok(true)
    }

    /// Adds a function; whether it is new.
    ///
    /// # Errors
    /// When there is a function of its name, unless `IF NOT EXISTS`.
    pub fn create_function(&mut self, create: &CreateFunction) -> SqlResult<bool> {
        let name = simple_name(&create.name)?;
        if self.function(&name).is_some() {
            return if create.if_not_exists {
                Ok(false)
            } else {
                Err(exists(ObjectKind::Function, &name, &create.name))
            };
        }
        let function = Function {
            name: name.clone(),
            class: create.class.clone(),
            language: create.language.clone(),
            temporary: create.temporary,
        };
        self.functions.insert(name, Arc::new(function));
        Ok(true)
    }

    /// Drops something; whether there was something.
    ///
    /// # Errors
    /// When there is nothing of this kind and name, unless `if_exists`.
    pub fn drop(
        &mut self,
        kind: ObjectKind,
        name: &ObjectName,
        if_exists: bool,
    ) -> SqlResult<bool> {
        let simple = simple_name(name)?;
        let gone = match kind {
            ObjectKind::Table => self.tables.remove(&simple).is_some(),
            ObjectKind::View => self.views.remove(&simple).is_some(),
            ObjectKind::Function => self.remove_function(&simple),
        };
        // A table and a view can't have one name; a function may have any.
        let other = match kind {
            ObjectKind::Function => None,
            _ => self.kind_of(&simple),
        };
        if gone || if_exists && other.is_none() {
            return Ok(gone);
        }
        if let Some(other) = other {
            let other = other.name();
            return Err(SqlError::new(codes::WRONG_KIND, format!("`{simple}` is a {other}"))
                .at(name.span())
                .help(format!("write DROP {} {simple}", other.to_ascii_uppercase())));
        }
        let names: Vec<&str> = match kind {
            ObjectKind::Table => self.tables.keys().map(String::as_str).collect(),
            ObjectKind::View => self.views.keys().map(String::as_str).collect(),
            ObjectKind::Function => self.functions.keys().map(String::as_str).collect(),
        };
        let what = kind.name();
        Err(SqlError::new(codes::UNKNOWN_OBJECT, format!("no {what} `{simple}`"))
            .at(name.span())
            .names(&simple, &format!("{what}s"), names))
    }

    /// A table or view by its name.
    pub fn get(&self, name: &str) -> Option<Relation> {
        match self.tables.get(name) {
            Some(table) => Some(Relation::Table(Arc::clone(table))),
            None => self.views.get(name).map(|view| Relation::View(Arc::clone(view))),
        }
    }

    /// A table or view by the name in a statement.
    ///
    /// # Errors
    /// When there is none, with the nearest name.
    pub fn relation(&self, name: &ObjectName) -> SqlResult<Relation> {
        let simple = simple_name(name)?;
        self.get(&simple).ok_or_else(|| self.unknown_table(&simple).at(name.span()))
    }

    /// A table by the name in a statement.
    ///
    /// # Errors
    /// When there is none, or it is a view.
    pub fn table(&self, name: &ObjectName) -> SqlResult<Arc<Table>> {
        match self.relation(name)? {
            Relation::Table(table) => Ok(table),
            Relation::View(view) => {
                Err(SqlError::new(codes::WRONG_KIND, format!("`{}` is a view", view.name))
                    .at(name.span()))
            }
        }
    }

    /// A view by the name in a statement.
    ///
    /// # Errors
    /// When there is none, or it is a table.
    pub fn view(&self, name: &ObjectName) -> SqlResult<Arc<View>> {
        match self.relation(name)? {
            Relation::View(view) => Ok(view),
            Relation::Table(table) => {
                Err(SqlError::new(codes::WRONG_KIND, format!("`{}` is a table", table.name))
                    .at(name.span()))
            }
        }
    }

    /// A function by its name, of any case.
    pub fn function(&self, name: &str) -> Option<Arc<Function>> {
        self.functions.values().find(|f| f.name.eq_ignore_ascii_case(name)).map(Arc::clone)
    }

    /// All tables by name.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values()
    }

    /// All views by name.
    pub fn views(&self) -> impl Iterator<Item = &Arc<View>> {
        self.views.values()
    }

    /// All functions by name.
    pub fn functions(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.functions.values()
    }

    /// The error that there is no table or view of a name.
    pub fn unknown_table(&self, name: &str) -> SqlError {
        let names = self.tables.keys().chain(self.views.keys()).map(String::as_str);
        SqlError::new(codes::UNKNOWN_TABLE, format!("no table `{name}`"))
            .names(name, "tables", names)
    }

    fn kind_of(&self, name: &str) -> Option<ObjectKind> {
        if self.tables.contains_key(name) {
            return Some(ObjectKind::Table);
        }
        self.views.contains_key(name).then_some(ObjectKind::View)
    }

    fn remove_function(&mut self, name: &str) -> bool {
        let key = self.function(name).map(|f| f.name.clone());
        key.is_some_and(|key| self.functions.remove(&key).is_some())
    }
}

fn exists(kind: ObjectKind, name: &str, at: &ObjectName) -> SqlError {
    SqlError::new(codes::EXISTS, format!("there is already a {} `{name}`", kind.name()))
        .at(at.span())
        .help(match kind {
            ObjectKind::View => "write CREATE OR REPLACE VIEW, or DROP VIEW first",
            _ => "write CREATE … IF NOT EXISTS, or DROP it first",
        })
}

#[cfg(test)]
mod tests;
