//! A session: tables, settings, and statements one after the other.
//!
//! A statement is planned when it runs, with what the statements before it made. A SELECT over
//! tables that end gives its rows; over others it gives rows as they come. An INSERT is a job.
//!
//! Reading order: [`outcome`] → [`settings`] → [`run`] → [`live`] → [`fold`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use datafusion::execution::session_state::SessionState;
use headwater_runtime::Config;

use crate::bridge::from_stream::StreamTable;
use crate::catalog::Catalog;
use crate::connectors::SharedOutput;
use crate::error::{SqlError, SqlResult};
use crate::functions;
use crate::functions::table::TableFunctions;
use crate::planner::engine;
use crate::stack::{ROOM, with_room};
use crate::syntax::{self, Insert, Parsed, Statement};

mod ddl;
pub mod evolution;
mod explain;
pub mod fold;
mod hints;
pub mod in_job;
mod left_out;
pub mod live;
pub mod outcome;
mod register;
mod run;
pub mod settings;
mod show;

pub use in_job::{JobQuery, JobSession};
pub use live::{LiveEvent, LiveQuery};
pub use outcome::{Job, Outcome, RowSet};
pub use run::collect;
pub use settings::Settings;

/// What a session is made with.
#[derive(Clone, Default)]
pub struct SessionOptions {
    /// How jobs are run.
    pub config: Config,
    /// Jobs may keep state that is never freed.
    pub allow_unbounded_state: bool,
    /// INSERTs of one text run as one job, when all its statements were read.
    pub one_job: bool,
    /// Where `print` tables print; none: the standard output.
    pub out: Option<SharedOutput>,
    /// Set by whoever wants the running statement to end; a session looks at it and leaves it as
    /// it is. Live queries and jobs are stopped by their handles instead.
    pub cancelled: Option<Arc<AtomicBool>>,
}

/// See the module.
pub struct Session {
    options: SessionOptions,
    settings: Settings,
    catalog: Catalog,
    streaming: SessionState,
    batch: SessionState,
    /// Table functions that the program registered.
    table_functions: TableFunctions,
    /// Shared with the jobs that run bounded queries on it: they may outlive the session.
    runtime: Arc<tokio::runtime::Runtime>,
    /// The streams of a job that are tables.
    streams: Arc<Vec<Arc<StreamTable>>>,
    /// Names of functions that the program registered, in lower case.
    registered: BTreeSet<String>,
}

impl Session {
    /// A session without tables.
    ///
    /// # Errors
    /// When its threads cannot be started.
    pub fn new(options: SessionOptions) -> SqlResult<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("headwater-batch")
            .thread_stack_size(ROOM)
            .enable_all()
            .build()
            .map_err(|e| {
                SqlError::internal(format!("cannot start the threads of a session: {e}"))
            })?;
        Ok(Session {
            options,
            settings: Settings::default(),
            catalog: Catalog::new(),
            streaming: engine::session_state(functions::Mode::Streaming)?,
            batch: engine::session_state(functions::Mode::Batch)?,
            table_functions: TableFunctions::default(),
            runtime: Arc::new(runtime),
            streams: Arc::default(),
            registered: BTreeSet::new(),
        })
    }

    /// The tables, views and functions.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What is set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is set, to change it.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Names of all functions, for completion.
    pub fn function_names(&self) -> Vec<String> {
        let state = &self.streaming;
        let mut names: Vec<String> = state.scalar_functions().keys().cloned().collect();
        names.extend(state.aggregate_functions().keys().cloned());
        names.extend(state.window_functions().keys().cloned());
        names.extend(self.table_functions.names().map(str::to_owned));
        names.sort_unstable();
        names.dedup();
        names.retain(|n| !n.starts_with("__"));
        names
    }

    /// Runs the statements of a text one after the other, up to the first that fails.
    ///
    /// # Errors
    /// Why the first one failed that did; what the ones before it did stays done.
    pub fn execute(&mut self, text: &str) -> SqlResult<Vec<Outcome>> {
        with_room(|| self.execute_all(text))
    }

    fn execute_all(&mut self, text: &str) -> SqlResult<Vec<Outcome>> {
        let statements = syntax::parse(text)?;
        let mut outcomes = Vec::with_capacity(statements.len());
        let mut inserts: Vec<Insert> = Vec::new();
        for parsed in &statements {
            match &parsed.statement {
                Statement::Insert(insert) if self.options.one_job => inserts.push(insert.clone()),
                Statement::StatementSet(set) if self.options.one_job => {
                    inserts.extend(set.iter().cloned());
                }
                Statement::CreateTableAs(table, query) if self.options.one_job => {
                    inserts.extend(self.create_table_to_fill(table, query)?);
                }
                _ => outcomes.push(self.run(parsed)?),
            }
        }
        if !inserts.is_empty() {
            outcomes.push(self.insert(&inserts)?);
        }
        Ok(outcomes)
    }

    /// Plans every statement of a text and runs none: tables and settings are made, queries
    /// checked.
    ///
    /// # Errors
    /// Why the first one failed that did.
    pub fn check(&mut self, text: &str) -> SqlResult<usize> {
        with_room(|| self.check_all(text))
    }

    fn check_all(&mut self, text: &str) -> SqlResult<usize> {
        let statements = syntax::parse(text)?;
        for parsed in &statements {
            match &parsed.statement {
                Statement::Query(query) => self.check_query(query)?,
                Statement::Insert(insert) => self.check_inserts(std::slice::from_ref(insert))?,
                Statement::StatementSet(inserts) => self.check_inserts(inserts)?,
                Statement::CreateTableAs(table, query) => self.check_table_as(table, query)?,
                _ => _ = self.run(parsed)?,
            }
        }
        Ok(statements.len())
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// Why it failed.
    pub fn run(&mut self, parsed: &Parsed) -> SqlResult<Outcome> {
        with_room(|| self.run_statement(&parsed.statement))
    }

    fn run_statement(&mut self, statement: &Statement) -> SqlResult<Outcome> {
        match statement {
            Statement::Query(query) => self.select(query),
            Statement::Insert(insert) => self.insert(std::slice::from_ref(insert)),
            Statement::StatementSet(inserts) => self.insert(inserts),
            Statement::Explain(explain) => self.explain(explain),
            Statement::CreateTable(table) => self.create_table(table),
            Statement::CreateTableAs(table, query) => self.create_table_as(table, query),
            Statement::CreateView(view) => self.create_view(view),
            Statement::CreateFunction(function) => self.create_function(function),
            Statement::Drop(drop) => self.drop_object(drop),
            Statement::Set { key, value } => self.set(key.as_deref(), value.as_deref()),
            Statement::Reset(key) => {
                self.settings.reset(key.as_deref())?;
                Ok(Outcome::Done("reset".to_owned()))
            }
            Statement::Show(show) => self.show(show),
            Statement::Describe(name) => self.describe(name),
            Statement::Use(name) => self.use_database(name),
            Statement::Copy(_) => Err(SqlError::unsupported("COPY")
                .help("CREATE TABLE … WITH ('connector' = 'filesystem', …), then INSERT INTO it")),
        }
    }
}

impl Session {
    fn check_inserts(&self, inserts: &[Insert]) -> SqlResult<()> {
        let mode = self.mode_of(inserts.iter().map(|i| i.query.as_ref()))?;
        self.check_mode(inserts, mode)
    }
}
