//! Tests for jobs, without a runtime: the real topology on one thread, with a manual clock.
//!
//! A [`TestJob`] runs a job's own steps by direct calls. The test stands in for its sources and
//! reads its sinks, both by name; it moves the clock, and it can crash the job at any moment.
//!
//! ```
//! use std::time::Duration;
//! use headwater_api::{Job, windowed::Tumbling};
//! use headwater_connect::{blackhole::blackhole, collection::collection};
//! use headwater_core::{EventTime, Result};
//! use headwater_operators::watermarks::Watermarks;
//! use headwater_testkit::{TestJob, at, expect};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Line { text: String, at: EventTime }
//! #[derive(Clone, Serialize, Deserialize)]
//! struct WordCount { word: String, count: u64 }
//!
//! fn word_counts(job: &mut Job) -> Result<()> {
//!     let counts = job
//!         .source("lines", collection(Vec::<Line>::new())) // in a test, any source will do
//!         .event_time(|line| line.at, Watermarks::bounded(Duration::from_secs(5)))
//!         .flat_map(|l| l.text.split(' ').map(str::to_owned).collect::<Vec<_>>())
//!         .key_by(|word| word.clone())
//!         .window(Tumbling::of(Duration::from_secs(60)))
//!         .count("counts");
//!     counts.late().sink("late words", blackhole());
//!     counts
//!         .results()
//!         .map(|w| WordCount { word: w.key, count: w.value })
//!         .sink("counts out", blackhole());
//!     Ok(())
//! }
//!
//! let line = |time: &str, text: &str| Line { text: text.into(), at: at(time) };
//! let mut t = TestJob::new(word_counts);
//! t.send("lines", [line("12:00:10", "a b a")]);
//! t.expect::<WordCount>("counts out", expect![[""]]); // the minute is not over
//! t.crash_and_restore(); // any test can do this, anywhere
//! t.send("lines", [line("12:01:05", "c")]); // 5 s behind it the minute is complete
//! let mut counts = t.lines::<WordCount>("counts out");
//! counts.sort();
//! assert_eq!(counts, [r#"{"word":"a","count":2}"#, r#"{"word":"b","count":1}"#]);
//! t.send("lines", [line("12:00:30", "late")]);
//! t.expect::<String>("late words", expect![[r#"
//!     "late"
//! "#]]);
//! ```
//!
//! - [`TestJob`]: the driver for tests written in Rust; [`Driver`] is the same with errors
//!   returned.
//! - [`assert_same_for_any_batching`]: does the result depend on batches, barriers or crashes?
//! - [`Cases`]: tests as text files, each of which is also run with crashes everywhere.
//!
//! What this does not do: run more than one worker (so partitioned streams are direct calls), open
//! a connector, commit to a sink, or run a job against the wall clock; that is the runtime's.
//!
//! Reading order: [`test_job`] → [`driver`] → [`batching`] → [`cases`].

pub mod batching;
pub mod cases;
pub mod driver;
mod event_time_step;
mod lines;
pub mod moment;
mod sink_log;
mod state_dump;
pub mod test_job;

pub use batching::{assert_same_for_any_batching, assert_same_with_crashes, assert_same_with_seed};
pub use cases::{CaseJob, Cases};
pub use driver::{DEFAULT_SPLIT, DEFAULT_START, Driver};
pub use expect_test::{Expect, expect};
pub use moment::{IntoEventTime, at};
pub use test_job::TestJob;
