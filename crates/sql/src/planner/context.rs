//! What DataFusion's planner asks: which tables, views and functions there are.
//!
//! A table answers with the plan of what it stands for (its physical columns, its computed ones,
//! its watermark), a view with the plan of its query; DataFusion puts these plans in their place.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, TableReference};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::{ExprPlanner, RelationPlanner};
use datafusion::logical_expr::{
    AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::sql::planner::ContextProvider;
use datafusion::sql::sqlparser::ast::{Query, visit_relations};

use super::prepare::hints;
use super::relations::Calls;
use super::{logical, markers, tables};
use crate::catalog::{Catalog, Relation};
use crate::error::{SqlError, SqlResult, codes};
use crate::functions;
use crate::functions::table::TableFunctions;

/// Most views within views.
const MAX_VIEW_DEPTH: usize = 64;

/// Answers from a catalog.
pub(crate) struct Context<'a> {
    /// Functions and configuration.
    pub state: &'a SessionState,
    /// Tables and views.
    pub catalog: &'a Catalog,
    /// Expression planners, ours first.
    planners: Vec<Arc<dyn ExprPlanner>>,
    /// What plans the calls in FROM.
    relations: [Arc<dyn RelationPlanner>; 1],
    /// Table functions, by the names that queries know them by.
    table_functions: TableFunctions,
    /// Views being planned, outermost first.
    views: RefCell<Vec<String>>,
    /// Views that are planned already.
    ready: RefCell<HashMap<String, SqlResult<LogicalPlan>>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        state: &'a SessionState,
        catalog: &'a Catalog,
        registered: &TableFunctions,
    ) -> Self {
        let mut table_functions = registered.clone();
        for function in catalog.functions() {
            if let Some(native) = registered.get(&native_name(&function.class)) {
                table_functions.insert(&function.name.to_ascii_lowercase(), Arc::clone(native));
            }
        }
        Context {
            state,
            catalog,
            planners: state.expr_planners().to_vec(),
            relations: [Arc::new(Calls::new(table_functions.clone()))],
            table_functions,
            views: RefCell::default(),
            ready: RefCell::default(),
        }
    }

    /// Whether there is a table function of this name.
    pub(crate) fn is_table_function(&self, name: &str) -> bool {
        self.table_functions.get(&name.to_ascii_lowercase()).is_some()
    }

    /// Plans the views that a query names, each once. Deep within the query there is less
    /// stack left for it.
    pub(crate) fn plan_ahead(&self, query: &Query) {
        let mut names = Vec::new();
        let _ = visit_relations(query, |name| {
            names.extend(name.0.last().and_then(|part| part.as_ident()).map(|i| i.value.clone()));
            ControlFlow::<()>::Continue(())
        });
        for name in names {
            let is_view = matches!(self.catalog.get(&name), Some(Relation::View(_)));
            if is_view && !self.ready.borrow().contains_key(&name) {
                let plan = self.plan_of(&TableReference::bare(name.as_str()));
                self.ready.borrow_mut().insert(name, plan);
            }
        }
    }

    fn plan_of(&self, name: &TableReference) -> SqlResult<LogicalPlan> {
        if let Some(ready) = self.ready.borrow().get(name.table()) {
            return ready.clone();
        }
        let view = match self.catalog.get(name.table()) {
            Some(Relation::View(view)) => view,
            Some(Relation::Table(table)) => {
                return tables::plan(self, &hints::with_options(name, table)?);
            }
            None => return Err(self.catalog.unknown_table(name.table())),
        };
        let mut views = self.views.borrow_mut();
        if views.len() >= MAX_VIEW_DEPTH || views.contains(&view.name) {
            let message = format!("view {:?} is made of itself", view.name);
            return Err(SqlError::new(codes::PLAN, message));
        }
        views.push(view.name.clone());
        drop(views);
        let plan = logical::raw_plan(self, (*view.query).clone())
            .and_then(|plan| logical::rename(plan, view.columns.iter().map(String::as_str)))
            .map_err(|e| SqlError { span: None, ..e }.within(format!("view {}", view.name)));
        self.views.borrow_mut().pop();
        plan
    }
}

/// The name of the function of the library that a class of CREATE FUNCTION stands for.
pub(crate) fn native_name(class: &str) -> String {
    functions::of_java_class(class).unwrap_or(class).to_ascii_lowercase()
}

impl ContextProvider for Context<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let plan = self.plan_of(&name)?;
        Ok(Arc::new(Planned { schema: Arc::new(plan.schema().as_arrow().clone()), plan }))
    }
    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }
    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relations
    }
    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        if let Some(marker) = markers::marker(name) {
            return Some(Arc::new(marker));
        }
        let name = name.to_ascii_lowercase();
        let native = self.catalog.function(&name).map(|f| native_name(&f.class));
        self.state.scalar_functions().get(&native.unwrap_or(name)).cloned()
    }
    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(&name.to_ascii_lowercase()).cloned()
    }
    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        let name = name.to_ascii_lowercase();
        let native = self.catalog.function(&name).map(|f| native_name(&f.class));
        self.state.aggregate_functions().get(&native.unwrap_or(name)).cloned()
    }
    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        let name = name.to_ascii_lowercase();
        self.state.window_functions().get(&name).cloned()
    }
    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }
    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }
    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }
    fn higher_order_function_names(&self) -> Vec<String> {
        self.state.higher_order_functions().keys().cloned().collect()
    }
    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }
    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}

/// A table or view by the plan that it stands for.
struct Planned {
    schema: SchemaRef,
    plan: LogicalPlan,
}

impl TableSource for Planned {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.plan))
    }
}
