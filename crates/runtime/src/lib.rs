//! Runs a topology: threads, exchange, flow control, checkpoints, recovery.
//!
//! ```text
//! supervisor   one attempt after the other: restore, start, wait, restart or give up
//!   ├─ coordinator   one thread: ticks, parts, manifest, commit (drives checkpoint::Protocol)
//!   └─ workers       one thread each: a timely dataflow with one operator per group
//!        └─ group      a fused chain of operators: receive, read, advance, barrier, send
//! ```
//!
//! Reading order: [`config`] → [`handle`] → `supervisor` → `coordinator` → `dataflow` → `group`.
//!
//! Invariants: this crate never names a connector; nothing unwinds into timely; control traffic
//! never waits for data credit.

mod background;
mod buffers;
pub mod config;
mod control;
mod coordinator;
mod dataflow;
mod flow;
mod group;
pub mod handle;
mod held_back;
mod idle_board;
pub mod metrics;
mod moment;
mod one_transaction;
mod outbox;
mod parcel;
mod plan;
mod restoring;
mod source_driver;
mod splits;
mod supervisor;
mod uploads;
mod worker_part;

pub use config::{CheckpointConfig, Config, ExactlyOnceConfig, ExactlyOnceForm, RestartStrategy};
pub use handle::{JobHandle, Outcome, StopMode};
pub use metrics::{CheckpointStats, MetricsSnapshot, OperatorSnapshotMetrics};
pub use supervisor::start;
