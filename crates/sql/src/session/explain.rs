//! EXPLAIN.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::Query;

use super::Session;
use super::live::LiveSink;
use super::outcome::Outcome;
use super::run::Mode;
use crate::connectors::ChangelogMode;
use crate::error::{SqlError, SqlResult};
use crate::planner::build::{Tuning, topology};
use crate::planner::explain::{Details, intervals, physical};
use crate::planner::growth::refuse_unbounded;
use crate::planner::job::{Routed, StreamJob, stream_job};
use crate::syntax::{Explain, ExplainDetail, Insert, Statement};

impl Session {
    pub(super) fn explain(&mut self, explain: &Explain) -> SqlResult<Outcome> {
        if explain.analyze {
            return self.explain_analyze(explain.of.as_ref());
        }
        let has = |detail| explain.details.contains(&detail);
        let details = Details {
            changelog: has(ExplainDetail::ChangelogMode),
            state: has(ExplainDetail::State),
        };
        match explain.of.as_ref() {
            Statement::Query(query) => match self.mode_of([query.as_ref()])? {
                Mode::Batch => self.explain_batch(query),
                Mode::Streaming => {
                    let job = self.query_job(query)?;
                    explain_job(&job, details, &self.tuning([query.as_ref()])?)
                }
            },
            Statement::Insert(insert) => {
                self.explain_inserts(std::slice::from_ref(insert), details)
            }
            Statement::StatementSet(inserts) => self.explain_inserts(inserts, details),
            _ => Err(SqlError::unsupported("EXPLAIN of this statement")
                .help("queries, INSERT and EXECUTE STATEMENT SET have plans")),
        }
    }

    /// Runs a bounded query, and shows what each step of its plan did and took.
    fn explain_analyze(&self, of: &Statement) -> SqlResult<Outcome> {
        let Statement::Query(query) = of else {
            return Err(SqlError::unsupported("EXPLAIN ANALYZE of this statement")
                .help("it runs a SELECT; /metrics of a running job has its figures"));
        };
        if self.mode_of([query.as_ref()])? == Mode::Streaming {
            return Err(SqlError::unsupported("EXPLAIN ANALYZE of a streaming query").help(
                "/metrics of a running job has its figures: headwater run --metrics-address",
            ));
        }
        let plan = self.plan(query, Mode::Batch)?;
        let mut rows = 0;
        let (query, warnings) = self.run_batch(plan, |batch| rows += batch.num_rows())?;
        let mut text = format!(
            "== Physical Plan (bounded, as it ran) ==\n{}\nrows: {rows}\n",
            query.measured()
        );
        for warning in warnings {
            text.push_str(&format!("warning: {warning}\n"));
        }
        Ok(Outcome::Text(text))
    }

    fn explain_inserts(&mut self, inserts: &[Insert], details: Details) -> SqlResult<Outcome> {
        match self.mode_of(inserts.iter().map(|i| i.query.as_ref()))? {
            Mode::Streaming => {
                let job = self.insert_job(inserts)?;
                let tuning = self.tuning(inserts.iter().map(|i| i.query.as_ref()))?;
                explain_job(&job, details, &tuning)
            }
            Mode::Batch => {
                let mut text = String::new();
                for insert in inserts {
                    if let Outcome::Text(part) = self.explain_batch(&insert.query)? {
                        text.push_str(&format!("== INSERT INTO {} ==\n{part}", insert.target));
                    }
                }
                Ok(Outcome::Text(text))
            }
        }
    }

    /// The plan of a SELECT on unbounded rows.
    fn query_job(&self, query: &Query) -> SqlResult<StreamJob> {
        let routed = Routed {
            plan: self.plan(query, Mode::Streaming)?,
            name: "select".to_owned(),
            sink: Arc::new(LiveSink::new()),
            accepts: ChangelogMode::Retract,
        };
        let connectors = self.streaming_connectors([query])?;
        stream_job(&self.streaming, vec![routed], &connectors)
    }

    fn explain_batch(&self, query: &Query) -> SqlResult<Outcome> {
        let plan = self.plan(query, Mode::Batch)?;
        let logical = plan.display_indent().to_string();
        let (optimized, physical) = self.batch_plans(plan)?;
        let [logical, optimized, physical] =
            [&logical, &optimized, &physical].map(|plan| intervals(plan));
        Ok(Outcome::Text(format!(
            "== Logical Plan ==\n{logical}\n\n== Optimized Plan ==\n{optimized}\n\n\
             == Physical Plan (bounded) ==\n{physical}"
        )))
    }

    /// Plans a query and starts nothing.
    pub(super) fn check_query(&self, query: &Query) -> SqlResult<()> {
        match self.mode_of([query])? {
            Mode::Batch => {
                let plan = self.plan(query, Mode::Batch)?;
                self.batch_plans(plan).map(|_| ())
            }
            Mode::Streaming => {
                let job = self.query_job(query)?;
                topology("check", &job.outputs, &self.tuning([query])?).map(|_| ())
            }
        }
    }

    /// Plans inserts and starts nothing.
    pub(super) fn check_mode(&self, inserts: &[Insert], mode: Mode) -> SqlResult<()> {
        let tuning = self.tuning(inserts.iter().map(|i| i.query.as_ref()))?;
        match mode {
            Mode::Streaming => {
                let job = self.insert_job(inserts)?;
                if !tuning.consents {
                    refuse_unbounded(&job.grows)?;
                }
                topology("check", &job.outputs, &tuning).map(|_| ())
            }
            Mode::Batch => self.batch_topology("check", inserts, &tuning).map(|_| ()),
        }
    }
}

fn explain_job(job: &StreamJob, details: Details, tuning: &Tuning) -> SqlResult<Outcome> {
    let mut text = String::from("== Logical Plan ==\n");
    for plan in &job.plans {
        let plan = plan.display_indent().to_string();
        text.push_str(&format!("{}\n", intervals(&plan)));
    }
    text.push_str("\n== Physical Plan ==\n");
    text.push_str(&physical(&job.outputs, details));
    text.push_str("\n== Topology ==\n");
    text.push_str(&topology("explain", &job.outputs, tuning)?.describe());
    if details.state {
        for grows in &job.grows {
            text.push_str(&format!("\nstate that grows for ever: {grows}\n"));
        }
    }
    Ok(Outcome::Text(text))
}
