//! Headwater: a stream processor as a library, a cluster and a query engine.
//!
//! A job is a graph of named sources, steps and sinks, written with closures over your own serde
//! types. It runs on all cores of this machine, keeps event time, windows and state, writes
//! checkpoints, and goes on after a crash as if nothing had happened.
//!
//! # A complete program
//!
//! Counts clicks per user and minute. With [`main()`] the program has a command line: `run` (with
//! `--workers`, `--checkpoint-dir`, `--for` and more) and `explain`.
//!
//! ```
//! use headwater::prelude::*;
//!
//! #[derive(Clone, Debug, Serialize, Deserialize)]
//! struct Click {
//!     user: String,
//!     at: EventTime,
//! }
//!
//! #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
//! struct Clicks {
//!     user: String,
//!     minute: EventTime,
//!     count: u64,
//! }
//!
//! fn clicks_per_minute(job: &mut Job) -> Result<()> {
//!     let click = |user: &str, at| Click { user: user.to_owned(), at: EventTime(at) };
//!     let clicks = job
//!         .source("clicks", collection(vec![click("ana", 1_000), click("bo", 61_000)]))
//!         .event_time(|c| c.at, Watermarks::bounded(secs(5)).idle_after(secs(30)));
//!     let counts = clicks
//!         .key_by(|c| c.user.clone())
//!         .window(Tumbling::of(mins(1)).allowed_lateness(secs(30)))
//!         .count("counts");
//!     counts
//!         .results()
//!         .map(|w| Clicks { user: w.key, minute: w.window.start, count: w.value })
//!         .sink("counts out", console());
//!     counts.late().sink("late clicks", blackhole());
//!     Ok(())
//! }
//!
//! # #[allow(unused)]
//! fn main() -> headwater::Exit {
//! #   if true { return test(); }
//!     headwater::main("clicks", clicks_per_minute)
//! }
//! # fn test() -> headwater::Exit {
//! #     let mut job = Job::new("clicks");
//! #     clicks_per_minute(&mut job).unwrap();
//! #     let mut job = job.start(Config { workers: 2, ..Config::default() }).unwrap();
//! #     assert!(matches!(job.wait().unwrap(), Outcome::Finished { .. }));
//! #     headwater::Exit::OK
//! # }
//! ```
//!
//! # Embedding
//!
//! A library that runs jobs beside other work uses [`RunJob::start`], which installs no signal
//! handler and no logger; the handle stops the job, waits for it and tells its metrics, which
//! [`metrics_http`] renders and serves.
//!
//! Reading order: [`prelude`] → [`run`] → [`cli`] → [`connectors`], [`window`], [`process`] →
//! [`metrics_http`].

pub mod cli;
pub mod connectors;
pub mod exit;
pub mod logs;
pub mod metrics_http;
pub mod prelude;
pub mod process;
pub mod run;
pub mod time;
pub mod watermarks;
pub mod window;

mod dead_letters;

pub use cli::main;
pub use exit::Exit;
pub use headwater_api::{Job, KeyedStream, Processed, Stream, Windowed, WindowedStream};
pub use headwater_core::{
    BadRecordPolicy, DeadLetter, Epoch, Error, ErrorKind, EventTime, Key, ProcessingTime, Record,
    Result, Timed,
};
#[cfg(feature = "kafka")]
pub use headwater_formats as formats;
#[cfg(feature = "kafka")]
pub use headwater_kafka as kafka;
pub use headwater_runtime::handle::Stopper;
pub use headwater_runtime::{
    CheckpointConfig, CheckpointStats, Config, ExactlyOnceConfig, ExactlyOnceForm, JobHandle,
    MetricsSnapshot, OperatorSnapshotMetrics, Outcome, RestartStrategy, StopMode, start,
};
#[cfg(feature = "sql")]
pub use headwater_sql as sql;
pub use headwater_topology::{OperatorTotals, Topology};
pub use run::RunJob;

/// The version of this build, as `headwater --version` prints it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
