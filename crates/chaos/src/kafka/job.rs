//! The job that is killed, and how to start it as a process.
//!
//! ```text
//! payments ─ event_time ─ by key ─┬─ totals ───> totals
//!                                 └─ windows ──> windows
//! ```

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use headwater_api::Job;
use headwater_api::windowed::Tumbling;
use headwater_checkpoint::crash_point::CRASH_POINT_VAR;
use headwater_core::{EventTime, Result};
use headwater_formats::json;
use headwater_kafka as kafka;
use headwater_operators::process::{Cx, Process};
use headwater_operators::watermarks::Watermarks;
use headwater_operators::window::{WindowResult, count, sum};
use serde::{Deserialize, Serialize};

use super::plants::{Plant, faulty_sink};
use super::records::{BOUND_MS, Payment, TotalRow, WINDOW_MS, WindowRow};
use crate::process::{Running, tail};

/// Name of the source.
pub const SOURCE: &str = "payments";
/// Name of the sink of the totals.
pub const TOTALS_OUT: &str = "totals out";

/// How output becomes visible exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// By a marker per sink and epoch.
    PerSink,
    /// In one transaction with positions and state.
    OneTransaction,
}

impl Form {
    /// Both.
    pub const ALL: [Form; 2] = [Form::PerSink, Form::OneTransaction];

    /// Time from one epoch to the next, unless said otherwise.
    pub fn epoch(self) -> Duration {
        match self {
            Form::PerSink => Duration::from_millis(500),
            Form::OneTransaction => Duration::from_millis(20),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::PerSink => "per-sink",
            Form::OneTransaction => "one-transaction",
        })
    }
}

impl FromStr for Form {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let form = Form::ALL.into_iter().find(|form| form.to_string() == name);
        form.ok_or_else(|| format!("no form is named {name:?}: per-sink or one-transaction"))
    }
}

/// The topics of a run.
#[derive(Clone, Debug)]
pub struct Topics {
    /// Name of the job, which its control topics are named after.
    pub job: String,
    /// What is read.
    pub input: String,
    /// Where the totals go.
    pub totals: String,
    /// Where the windows go.
    pub windows: String,
}

/// Where the job reads and writes.
#[derive(Clone, Debug)]
pub struct JobOptions {
    /// `host:port` of the broker.
    pub bootstrap: String,
    /// The topics.
    pub topics: Topics,
    /// `transaction.timeout.ms`.
    pub transaction_timeout: Duration,
    /// A fault to build in.
    pub plant: Option<Plant>,
}

/// Builds the job.
pub fn job(options: &JobOptions) -> Job {
    let JobOptions { bootstrap, topics, transaction_timeout, plant } = options;
    let timeout = transaction_timeout.as_millis().to_string();
    let cluster = kafka::cluster(bootstrap).option("transaction.timeout.ms", timeout);
    let mut job = Job::new(&topics.job);
    let source = cluster.source(topics.input.as_str()).group(&topics.job);
    let watermarks = Watermarks::bounded(Duration::from_millis(BOUND_MS as u64));
    let by_key = job
        .source(SOURCE, source.value(json::<Payment>()))
        .event_time(|payment| EventTime(payment.time), watermarks)
        .key_by(|payment| payment.key);

    let totals = cluster.sink(&topics.totals).key(|row: &TotalRow| row.key.to_string());
    let totals = faulty_sink(totals.value(json()), bootstrap, topics, *plant);
    by_key.process("totals", Totals).out().sink(TOTALS_OUT, totals);

    let windows = by_key
        .window(Tumbling::of(Duration::from_millis(WINDOW_MS as u64)))
        .aggregate("windows", (count(), sum(|payment: &Payment| payment.amount)));
    let row = |w: WindowResult<u32, (u64, i64)>| WindowRow {
        key: w.key,
        start: w.window.start.0,
        count: w.value.0,
        sum: w.value.1,
    };
    let out = cluster.sink(&topics.windows).key(|row: &WindowRow| row.key.to_string());
    windows.results().map(row).sink("windows out", out.value(json()));
    job
}

/// Running totals: a row per record.
struct Totals;

/// State of a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Sums {
    count: u64,
    sum: i64,
}

impl Process for Totals {
    type Key = u32;
    type In = Payment;
    type Out = TotalRow;
    type State = Sums;

    fn process(&self, cx: &mut Cx<'_, Self>, payment: Payment) -> Result<()> {
        let state = cx.state();
        state.count += 1;
        state.sum += payment.amount;
        let row =
            TotalRow { key: payment.key, count: state.count, sum: state.sum, seq: payment.seq };
        cx.emit(row);
        Ok(())
    }
}

/// How to start the job.
#[derive(Clone, Debug)]
pub struct JobCommand {
    /// The program.
    pub program: PathBuf,
    /// Where checkpoints and log go.
    pub dir: PathBuf,
    /// Where it reads and writes.
    pub options: JobOptions,
    /// How output becomes visible.
    pub form: Form,
    /// Time from one epoch to the next.
    pub epoch: Duration,
    /// Worker threads.
    pub workers: usize,
}

impl JobCommand {
    /// Starts the job, which goes on from its last epoch; up to a crash point if one is given.
    ///
    /// # Errors
    /// The program or its log cannot be opened.
    pub fn start(&self, crash_point: Option<&str>) -> io::Result<Running> {
        let JobOptions { bootstrap, topics, transaction_timeout, plant } = &self.options;
        let mut command = Command::new(&self.program);
        command.args(["--bootstrap", bootstrap, "--job", &topics.job, "--input", &topics.input]);
        command.args(["--totals", &topics.totals, "--windows", &topics.windows]);
        command.args(["--form", &self.form.to_string()]);
        command.args(["--epoch", &format!("{:?}", self.epoch)]);
        command.args(["--transaction-timeout", &format!("{transaction_timeout:?}")]);
        command.args(["--workers", &self.workers.to_string()]);
        command.arg("--checkpoint-dir").arg(self.dir.join("checkpoints"));
        if let Some(plant) = plant {
            command.args(["--plant", plant.name()]);
        }
        match crash_point {
            Some(point) => command.env(CRASH_POINT_VAR, point),
            None => command.env_remove(CRASH_POINT_VAR),
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::new(command, &self.log())
    }

    /// Where everything is that the job says on stderr.
    pub fn log(&self) -> PathBuf {
        self.dir.join("job.log")
    }

    /// What the job said last, for a message.
    pub fn log_tail(&self) -> String {
        tail(&self.log())
    }
}
