//! SQL within a job that is written in Rust: its streams are tables, and the rows of queries are
//! streams again, all in one graph with one checkpoint.
//!
//! Streams keep their event time: the column that a table has for it is a rowtime attribute under
//! the stream's own watermarks, and a stream made of a query has the event time of the query's
//! rowtime attribute, or the last moment of a row's window.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{Expr, Query};
use headwater_api::raw::{self, Graph, Origin};
use headwater_api::{Job, Stream};
use headwater_core::{Change, Record};

use super::run::Mode;
use super::settings::RUNTIME_MODE;
use super::{Outcome, Session, SessionOptions};
use crate::bridge::columns::{columns_of, refuse_unlike};
use crate::bridge::from_stream::{CONNECTOR, NUMBER, StreamTable};
use crate::bridge::short_name;
use crate::bridge::to_stream::{TimeOf, changes, records};
use crate::catalog::{ColumnKind, Table, type_name};
use crate::connectors::ChangelogMode;
use crate::error::{SqlError, SqlResult, codes};
use crate::planner::build::{add_outputs, add_query};
use crate::planner::changelog::{Delivery, changing, delivery};
use crate::planner::growth::{refuse_unbounded, unbounded};
use crate::planner::job::query_step;
use crate::planner::step::Step;
use crate::syntax::{self, CreateTable, Insert, Statement};

/// The function of Flink by which a table takes over the watermarks of its stream.
const SOURCE_WATERMARK: &str = "SOURCE_WATERMARK";

/// A session whose tables may be streams of a job, and whose queries run in that job.
///
/// # Examples
/// ```
/// use headwater_api::Job;
/// use headwater_connect::{blackhole::blackhole, collection::collection};
/// use headwater_core::{Error, EventTime};
/// use headwater_operators::watermarks::Watermarks;
/// use headwater_sql::session::JobSession;
///
/// let mut job = Job::new("clicks");
/// let clicks = job
///     .source("clicks", collection(vec![("ana".to_owned(), 1_000), ("bo".to_owned(), 61_000)]))
///     .event_time(|click| EventTime(click.1), Watermarks::ascending());
/// let mut sql = JobSession::new(&job)?;
/// sql.add_timed_stream("clicks", &clicks, "at")?;
/// let per_minute = sql.query(
///     "SELECT f0 AS `user`, COUNT(*) AS n, window_start
///      FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '1' MINUTE))
///      GROUP BY window_start, window_end, f0",
/// )?;
/// per_minute.to_stream::<(String, u64, EventTime)>()?.sink("out", blackhole());
/// # job.build()?;
/// # Ok::<(), Error>(())
/// ```
pub struct JobSession {
    session: Session,
    graph: Graph,
}

impl JobSession {
    /// A session without tables.
    ///
    /// # Errors
    /// When its threads cannot be started.
    pub fn new(job: &Job) -> SqlResult<Self> {
        JobSession::with(job, SessionOptions::default())
    }

    /// As [`JobSession::new`], with options; how the job is run is not theirs to say.
    ///
    /// # Errors
    /// As [`JobSession::new`].
    pub fn with(job: &Job, options: SessionOptions) -> SqlResult<Self> {
        let mut session = Session::new(options)?;
        session.settings_mut().set(RUNTIME_MODE, "streaming")?;
        Ok(JobSession { session, graph: raw::graph(job) })
    }

    /// The session, for its catalog, functions and settings.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session, to register functions and change settings.
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Makes a table of a stream; its columns are the fields of `T`.
    ///
    /// # Errors
    /// When the name is taken, the stream is of another job, or a field of `T` has no SQL type.
    pub fn add_stream<T: Record>(&mut self, name: &str, stream: &Stream<T>) -> SqlResult<()> {
        let origin = self.origin(stream)?;
        let table = StreamTable::of::<T>(&origin, None);
        self.add(name, columns_of::<T>()?, table)
    }

    /// As [`JobSession::add_stream`], with the event time of the stream in column `rowtime`: a
    /// rowtime attribute of type `TIMESTAMP_LTZ(3)` under the stream's watermarks. It takes the
    /// place of the field of that name, or is one more column.
    ///
    /// # Errors
    /// As [`JobSession::add_stream`], or when the stream has no event time.
    pub fn add_timed_stream<T: Record>(
        &mut self,
        name: &str,
        stream: &Stream<T>,
        rowtime: &str,
    ) -> SqlResult<()> {
        let origin = self.origin(stream)?;
        refuse_untimed(&origin, name)?;
        let mut columns = columns_of::<T>()?;
        let utc = Some("UTC".into());
        let time = Field::new(rowtime, DataType::Timestamp(TimeUnit::Millisecond, utc), true);
        match columns.iter_mut().find(|column| column.name() == rowtime) {
            Some(column) => *column = time,
            None => columns.push(time),
        }
        self.add(name, columns, StreamTable::of::<T>(&origin, Some(rowtime.to_owned())))
    }

    /// As [`JobSession::add_stream`] with columns as CREATE TABLE declares them: types of one's
    /// choice, computed columns, a watermark. `WATERMARK FOR c AS SOURCE_WATERMARK()` makes `c` the
    /// event time of the stream, under its watermarks.
    ///
    /// # Errors
    /// As [`JobSession::add_timed_stream`], or when the columns are declared wrongly.
    pub fn add_stream_as<T: Record>(
        &mut self,
        name: &str,
        stream: &Stream<T>,
        columns: &str,
    ) -> SqlResult<()> {
        let origin = self.origin(stream)?;
        let mut create = declared(name, columns)?;
        let takes_over = create.watermark.as_ref().is_some_and(|w| is_source_watermark(&w.expr));
        let rowtime = create.watermark.take_if(|_| takes_over).map(|w| w.column.value);
        if rowtime.is_some() {
            refuse_untimed(&origin, name)?;
        }
        let mut table = self.session.table_of(&create)?;
        refuse_unlike_fields::<T>(&table, rowtime.as_deref())?;
        refuse_no_timestamp(&table, rowtime.as_deref())?;
        let stream = StreamTable::of::<T>(&origin, rowtime);
        table.options = self.options_of(stream);
        self.session.catalog.create_table(table, &create.name, false)?;
        Ok(())
    }

    /// Makes a table of a stream of changes, such as another system's change log: rows are added,
    /// replaced and removed.
    ///
    /// # Errors
    /// As [`JobSession::add_stream`].
    pub fn add_changelog<T: Record>(
        &mut self,
        name: &str,
        stream: &Stream<Change<T>>,
    ) -> SqlResult<()> {
        let origin = self.origin(stream)?;
        let table = StreamTable::of_changes::<T>(&origin, None);
        self.add(name, columns_of::<T>()?, table)
    }

    /// Runs statements that make tables, views and functions or change settings; an INSERT or a
    /// statement set becomes a part of the job.
    ///
    /// # Errors
    /// Why the first one failed that did, or that it is a query: see [`JobSession::query`].
    pub fn execute(&mut self, text: &str) -> SqlResult<Vec<Outcome>> {
        let statements = syntax::parse(text)?;
        let mut outcomes = Vec::with_capacity(statements.len());
        for parsed in &statements {
            outcomes.push(match &parsed.statement {
                Statement::Insert(insert) => self.insert(std::slice::from_ref(insert))?,
                Statement::StatementSet(inserts) => self.insert(inserts)?,
                Statement::Query(_) => {
                    return Err(SqlError::unsupported("a query without a place for its rows")
                        .help("use query(text)?.to_stream(), or INSERT INTO a table"));
                }
                Statement::CreateTableAs(..) => {
                    return Err(SqlError::unsupported("CREATE TABLE … AS within a job in Rust")
                        .help("CREATE TABLE, then INSERT INTO it"));
                }
                _ => self.session.run(parsed)?,
            });
        }
        Ok(outcomes)
    }

    /// Plans a query over the tables of this session.
    ///
    /// # Errors
    /// When it is no query, or can't be planned on unbounded rows.
    pub fn query(&mut self, text: &str) -> SqlResult<JobQuery<'_>> {
        let statements = syntax::parse(text)?;
        let [parsed] = statements.as_slice() else {
            let message = format!("one query is expected, there are {}", statements.len());
            return Err(SqlError::new(codes::PLAN, message));
        };
        let Statement::Query(query) = &parsed.statement else {
            return Err(SqlError::new(codes::PLAN, "a query is expected: SELECT …")
                .help("other statements are for execute(text)"));
        };
        let plan = self.session.plan(query, Mode::Streaming)?;
        Ok(JobQuery { session: self, plan, query: query.clone() })
    }

    fn insert(&mut self, inserts: &[Insert]) -> SqlResult<Outcome> {
        let session = &self.session;
        let tuning = session.tuning(inserts.iter().map(|i| i.query.as_ref()))?;
        let job = session.insert_job(inserts)?;
        if !tuning.consents {
            refuse_unbounded(&job.grows)?;
        }
        add_outputs(&mut self.graph.borrow_mut(), &job.outputs, &tuning)?;
        let names: Vec<String> = inserts.iter().map(|i| i.target.to_string()).collect();
        Ok(Outcome::Done(format!("the job writes to {}", names.join(", "))))
    }

    fn origin<T>(&self, stream: &Stream<T>) -> SqlResult<Origin> {
        let origin = raw::origin(stream);
        if !std::rc::Rc::ptr_eq(&origin.graph, &self.graph) {
            let message = "the stream is of another job than the session";
            return Err(SqlError::new(codes::PLAN, message));
        }
        Ok(origin)
    }

    fn add(&mut self, name: &str, columns: Vec<Field>, stream: StreamTable) -> SqlResult<()> {
        let table = Table {
            name: name.to_owned(),
            columns: vec![ColumnKind::Physical; columns.len()],
            schema: Arc::new(Schema::new(columns.into_iter().collect::<Fields>())),
            primary_key: Vec::new(),
            watermark: None,
            options: self.options_of(stream),
            option_spans: Default::default(),
            partitioned_by: Vec::new(),
            comment: None,
            column_comments: Default::default(),
            temporary: true,
        };
        let ident = datafusion::sql::sqlparser::ast::Ident::with_quote('`', name);
        self.session.catalog.create_table(table, &vec![ident].into(), false)?;
        Ok(())
    }

    /// The options of the table that a stream is.
    fn options_of(&mut self, stream: StreamTable) -> std::collections::BTreeMap<String, String> {
        let streams = Arc::make_mut(&mut self.session.streams);
        streams.push(Arc::new(stream));
        let number = (streams.len() - 1).to_string();
        [("connector".to_owned(), CONNECTOR.to_owned()), (NUMBER.to_owned(), number)].into()
    }
}

/// The statement that declares these columns.
fn declared(name: &str, columns: &str) -> SqlResult<CreateTable> {
    let quoted = name.replace('`', "``");
    let text =
        format!("CREATE TEMPORARY TABLE `{quoted}` (\n{columns}\n) WITH ('connector' = 'stream')");
    let mut statements = syntax::parse(&text)?;
    match (statements.pop().map(|parsed| parsed.statement), statements.is_empty()) {
        (Some(Statement::CreateTable(create)), true) => Ok(create),
        _ => {
            Err(SqlError::new(codes::BAD_COLUMN, "columns are expected, as CREATE TABLE has them"))
        }
    }
}

fn is_source_watermark(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(f) if f.name.to_string().eq_ignore_ascii_case(SOURCE_WATERMARK))
}

fn refuse_untimed(origin: &Origin, table: &str) -> SqlResult<()> {
    if origin.timed {
        return Ok(());
    }
    let message = format!("the stream of table `{table}` has no event time");
    Err(SqlError::new(codes::NO_TIME_ATTRIBUTE, message)
        .help("give it one first: stream.event_time(|record| …, Watermarks::bounded(…))")
        .help("or declare WATERMARK FOR column AS column - INTERVAL '5' SECOND by add_stream_as"))
}

/// Refuses declared columns to which `T` has no field.
fn refuse_unlike_fields<T: Record>(table: &Table, rowtime: Option<&str>) -> SqlResult<()> {
    // A type that cannot be looked into may have any.
    let Ok(fields) = columns_of::<T>() else { return Ok(()) };
    for column in table.read_columns() {
        let name = table.field(column).name();
        if let ColumnKind::Metadata { .. } = table.columns[column] {
            let message = format!("column `{name}`: a stream has no metadata");
            return Err(SqlError::new(codes::BAD_COLUMN, message)
                .help("its event time: WATERMARK FOR column AS SOURCE_WATERMARK()"));
        }
        if rowtime != Some(name) && fields.iter().all(|field| field.name() != name) {
            let message =
                format!("table `{}`: {} has no field `{name}`", table.name, short_name::<T>());
            let names = fields.iter().map(|f| f.name().as_str());
            return Err(SqlError::new(codes::UNKNOWN_COLUMN, message).names(name, "fields", names));
        }
    }
    Ok(())
}

fn refuse_no_timestamp(table: &Table, rowtime: Option<&str>) -> SqlResult<()> {
    let Some(name) = rowtime else { return Ok(()) };
    let field = table.field(table.column(name)?);
    if matches!(field.data_type(), DataType::Timestamp(..)) {
        return Ok(());
    }
    let found = type_name(field.data_type());
    let message = format!("column `{name}` has the watermark and is {found}, not TIMESTAMP_LTZ(3)");
    Err(SqlError::new(codes::BAD_WATERMARK, message))
}

/// A planned query of a [`JobSession`].
pub struct JobQuery<'a> {
    session: &'a mut JobSession,
    plan: LogicalPlan,
    query: Box<Query>,
}

impl JobQuery<'_> {
    /// The columns of its rows.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(self.plan.schema().as_arrow().clone())
    }

    /// The rows as a stream of the job: fields of `T` by the names of columns, of tuples by their
    /// places. A row that is no `T` when it comes is dead-lettered.
    ///
    /// # Errors
    /// When the query changes rows that it gave, `T` has a field that is no column, or types do not
    /// fit.
    pub fn to_stream<T: Record>(&self) -> SqlResult<Stream<T>> {
        let step = self.step()?;
        if !step.traits.append_only() {
            let by = changing(&step).map_or_else(String::new, |s| format!(" ({})", s.label()));
            let message = format!("the query changes rows that it gave{by}, a stream has new ones");
            return Err(SqlError::new(codes::SINK_NEEDS_APPEND, message)
                .help(format!("to_changelog::<{}>() gives each change", short_name::<T>()))
                .help("or aggregate per window: a window gives its rows once"));
        }
        refuse_unlike::<T>(&step.schema)?;
        let time = TimeOf::of(&step);
        self.stream(&step, &Delivery::Append, records::<T>(&step.schema, time)?, time)
    }

    /// The changes of the query's result as a stream of the job; see [`JobQuery::to_stream`]. A row
    /// that is no `T` when it comes fails the job.
    ///
    /// # Errors
    /// When `T` has a field that is no column, or types do not fit.
    pub fn to_changelog<T: Record>(&self) -> SqlResult<Stream<Change<T>>> {
        let step = self.step()?;
        refuse_unlike::<T>(&step.schema)?;
        let time = TimeOf::of(&step);
        let delivery = delivery(&step, &ChangelogMode::Retract, "the stream")?;
        self.stream(&step, &delivery, changes::<T>(&step.schema, time)?, time)
    }

    fn step(&self) -> SqlResult<Arc<Step>> {
        let session = &self.session.session;
        let connectors = session.streaming_connectors([self.query.as_ref()])?;
        query_step(&session.streaming, self.plan.clone(), &connectors)
    }

    fn stream<R>(
        &self,
        step: &Arc<Step>,
        delivery: &Delivery,
        last: headwater_topology::node::OperatorFactory,
        time: TimeOf,
    ) -> SqlResult<Stream<R>> {
        let tuning = self.session.session.tuning([self.query.as_ref()])?;
        if !tuning.consents {
            refuse_unbounded(&unbounded(std::iter::once(step)))?;
        }
        let graph = &self.session.graph;
        let last = ("to-stream", last);
        let node = add_query(&mut graph.borrow_mut(), step, delivery, last, &tuning)?;
        Ok(raw::stream(graph, node, 0, time != TimeOf::Nowhere))
    }
}
