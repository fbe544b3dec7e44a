//! CREATE and DROP.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::logical_expr::ExprSchemable;
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query};

use super::Session;
use super::outcome::Outcome;
use super::run::Mode;
use crate::catalog::{self, Relation, Table, View};
use crate::error::{SqlError, SqlResult, codes};
use crate::planner::context::{Context, native_name};
use crate::planner::tables;
use crate::syntax::{self, CreateFunction, CreateTable, CreateView, Insert, ObjectKind};

impl Session {
    pub(super) fn create_table(&mut self, create: &CreateTable) -> SqlResult<Outcome> {
        let table = self.table_of(create)?;
        let name = table.name.clone();
        let new = self.catalog.create_table(table, &create.name, create.if_not_exists)?;
        Ok(done("table", &name, new))
    }

    pub(super) fn table_of(&self, create: &CreateTable) -> SqlResult<Table> {
        let like = create.like.as_ref().map(|like| self.catalog.table(&like.table)).transpose()?;
        let types = |expr: &Expr, schema: &SchemaRef| self.type_of(expr, schema);
        catalog::table(create, like.as_deref(), &types)
    }

    /// Type and nullability of an expression over columns.
    fn type_of(
        &self,
        expr: &Expr,
        schema: &SchemaRef,
    ) -> SqlResult<(datafusion::arrow::datatypes::DataType, bool)> {
        let cx = Context::new(&self.streaming, &self.catalog, &self.table_functions);
        let schema = DFSchema::try_from(Schema::clone(schema))?;
        let expr = tables::planned(&cx, expr, &schema)?;
        Ok((expr.get_type(&schema)?, expr.nullable(&schema)?))
    }

    pub(super) fn create_table_as(
        &mut self,
        create: &CreateTable,
        query: &Query,
    ) -> SqlResult<Outcome> {
        let Some(insert) = self.create_table_to_fill(create, query)? else {
            return Ok(done("table", &create.name.to_string(), false));
        };
        let started = self.insert(std::slice::from_ref(&insert));
        if started.is_err() {
            // A table without its rows is of no use, and in the way of the next try.
            self.catalog.drop(ObjectKind::Table, &create.name, true)?;
        }
        started
    }

    /// Makes the table of a `CREATE TABLE AS`, and gives the INSERT that fills it; none: there is
    /// the table already.
    ///
    /// # Errors
    /// When the table can't be made.
    pub fn create_table_to_fill(
        &mut self,
        create: &CreateTable,
        query: &Query,
    ) -> SqlResult<Option<Insert>> {
        let table = self.table_as(create, query)?;
        if !self.catalog.create_table(table, &create.name, create.if_not_exists)? {
            return Ok(None);
        }
        Ok(Some(Insert {
            target: create.name.clone(),
            columns: Vec::new(),
            partition: Vec::new(),
            overwrite: false,
            hints: Vec::new(),
            query: Box::new(query.clone()),
        }))
    }

    fn table_as(&self, create: &CreateTable, query: &Query) -> SqlResult<Table> {
        let plan = self.plan(query, Mode::Streaming)?;
        // What a query gives may be NULL as far as a table is concerned.
        let fields = plan.schema().fields().iter();
        let fields = fields.map(|f| Field::new(f.name(), f.data_type().clone(), true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let types = |expr: &Expr, schema: &SchemaRef| self.type_of(expr, schema);
        catalog::table_as(create, &schema, &types)
    }

    pub(super) fn check_table_as(&mut self, create: &CreateTable, query: &Query) -> SqlResult<()> {
        let table = self.table_as(create, query)?;
        self.catalog.create_table(table, &create.name, create.if_not_exists)?;
        self.check_query(query)
    }

    pub(super) fn create_view(&mut self, create: &CreateView) -> SqlResult<Outcome> {
        // A view that cannot be planned is refused now, not when it is first read.
        let plan = self.plan(&create.query, Mode::Streaming)?;
        if !create.columns.is_empty() && create.columns.len() != plan.schema().fields().len() {
            let (named, given) = (create.columns.len(), plan.schema().fields().len());
            let message = format!("{named} columns are named, the query has {given}");
            return Err(SqlError::new(codes::INSERT_MISMATCH, message));
        }
        let new = self.catalog.create_view(create)?;
        Ok(done("view", &create.name.to_string(), new))
    }

    pub(super) fn create_function(&mut self, create: &CreateFunction) -> SqlResult<Outcome> {
        let native = native_name(&create.class);
        if !self.has_function(&native) {
            let message = format!("no function is known for '{}'", create.class);
            let error = SqlError::new(codes::UNKNOWN_CLASS, message).at(create.class_span);
            let registered = self.registered.iter().map(String::as_str);
            return Err(if native.contains('.') {
                error.help(
                    "Java classes can't be loaded; those of the published benchmarks are known",
                )
            } else {
                error.names(&native, "registered functions", registered)
            });
        }
        let name = catalog::simple_name(&create.name)?;
        let new = self.catalog.create_function(create)?;
        Ok(done("function", &name, new))
    }

    pub(super) fn drop_object(&mut self, drop: &syntax::Drop) -> SqlResult<Outcome> {
        let gone = self.catalog.drop(drop.kind, &drop.name, drop.if_exists)?;
        let (kind, name) = (drop.kind.name(), &drop.name);
        Ok(Outcome::Done(if gone {
            format!("{kind} {name} dropped")
        } else {
            format!("there is no {kind} {name}")
        }))
    }

    /// A table that is written, with the options that a hint changes.
    pub(super) fn sink_table(
        &self,
        name: &ObjectName,
        hints: &[syntax::TableOption],
    ) -> SqlResult<Arc<Table>> {
        let table = match self.catalog.relation(name)? {
            Relation::Table(table) => table,
            Relation::View(view) => {
                let message = format!("nothing can be written to view `{}`", view.name);
                return Err(SqlError::new(codes::NOT_A_SINK, message));
            }
        };
        if hints.is_empty() {
            return Ok(table);
        }
        let mut hinted = Table::clone(&table);
        hinted.options.extend(hints.iter().map(|o| (o.key.clone(), o.value.clone())));
        Ok(Arc::new(hinted))
    }

    /// The columns of a table or view.
    pub(super) fn columns_of(&self, name: &ObjectName) -> SqlResult<(SchemaRef, Relation)> {
        let relation = self.catalog.relation(name)?;
        let schema = match &relation {
            Relation::Table(table) => Arc::clone(&table.schema),
            Relation::View(view) => self.view_schema(view)?,
        };
        Ok((schema, relation))
    }

    fn view_schema(&self, view: &View) -> SqlResult<SchemaRef> {
        let plan = self.plan(&view.query, Mode::Streaming)?;
        let fields = plan.schema().fields().iter().enumerate().map(|(at, field)| {
            let name = view.columns.get(at).unwrap_or_else(|| field.name());
            field.as_ref().clone().with_name(name)
        });
        Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
    }
}

fn done(kind: &str, name: &str, new: bool) -> Outcome {
    Outcome::Done(if new {
        format!("{kind} {name} created")
    } else {
        format!("{kind} {name} is there already")
    })
}
