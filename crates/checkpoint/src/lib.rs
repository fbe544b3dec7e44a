//! The checkpoint protocol, its manifest and segments, and the location they live in.
//!
//! A checkpoint is one *manifest* (a small JSON file) and the *segments* (files of state entries)
//! it lists. Workers upload what changed in an epoch as delta segments; when every worker has done
//! so the manifest is written by create-if-absent under the next sequence number. That one write is
//! the moment at which the checkpoint exists, and it is also the fence: of two attempts that
//! believe they own a job only one can create number *n*, the other learns that it is no longer the
//! owner.
//!
//! ```text
//! DIR/job.json                               name and key groups of the job, written once
//! DIR/latest                                 a hint: the number of some manifest that exists
//! DIR/manifest/00000000000000000042.json     the log of the job: checkpoints and attempt starts
//! DIR/segments/<attempt>/<epoch>-<worker>-<n>.seg
//! ```
//!
//! Recovery reads `latest` and probes the numbers after it; a listing never decides anything. Every
//! byte of every file is under a checksum, and damage is either refused by name or, where no output
//! can be duplicated by it, answered by the next older checkpoint with a warning.
//!
//! Reading order: [`protocol`] (what happens when, without any I/O) → [`segment`] → [`manifest`]
//! and [`envelope`] → [`location`] → [`job_log`] → [`mod@restore`] → [`merge`] → [`inspect`];
//! [`mod@crash_point`] is for tests that kill the process.
//!
//! This crate starts no thread and reads no clock: the caller brings time, threads and names.

pub mod crash_point;
pub mod envelope;
pub mod inspect;
pub mod job_log;
pub mod location;
pub mod manifest;
pub mod merge;
pub mod protocol;
pub mod restore;
pub mod segment;

pub use crash_point::{CRASH_POINTS, crash_point};
pub use job_log::{AttemptStart, GrowingSegment, JobFile, JobLog, Retired, SegmentStore};
pub use location::Location;
pub use manifest::{Manifest, ManifestKind, SegmentRef, StateInfo};
pub use merge::{plan_merge, replace_segments};
pub use protocol::{Decision, End, Event, Protocol, ProtocolOptions, ProtocolStart};
pub use restore::{Restored, restore};
pub use segment::{BlockFilter, SegmentBuilder, SegmentMeta, SegmentReader};
