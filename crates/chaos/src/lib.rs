//! Kills a running job again and again, and verifies what it wrote.
//!
//! ```text
//! chaos (harness) ── starts, kills, restarts ──> chaos-job ── exactly-once file sinks ──> out/
//!       └── at the end: verifier( expected from the generator's definition, files in out/ )
//! ```
//! The job is ordinary user code: a generated stream, out of order, with late and malformed
//! records, through an echo, tumbling windows, sessions and a process function with timers. The
//! verifier shares with it the definition of the input ([`workload`]) and the types of the rows
//! ([`rows`]), and nothing of the engine: it computes the expected output on its own ([`model`]).
//!
//! [`kafka`] does the same from topic to topic, with kills of the broker and late commits besides.
//!
//! A verifier that finds nothing proves nothing unless it finds what is there: [`plants`] are
//! faults built into the job on request, one test each.
//!
//! Reading order: [`workload`] → [`rows`] → [`job`] → [`model`] → [`history`] → [`findings`] →
//! [`verifier`] → [`harness`] → [`crash_points`] → [`plants`] → [`kafka`].

pub mod crash_points;
pub mod findings;
pub mod harness;
pub mod history;
pub mod job;
pub mod kafka;
pub mod metrics;
pub mod model;
pub mod plants;
pub mod process;
pub mod rows;
pub mod totals;
pub mod verifier;
pub mod workload;
