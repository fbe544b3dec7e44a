//! Windows: keyed aggregation over bounded spans of event time (or of counts).
//!
//! **For whoever builds on this**: describe the windows with a [`WindowSpec`] (which windows, how
//! much lateness, when they emit, what happens after an emission), choose an [`Aggregate`]
//! ([`count`], [`sum`], [`reduce`], [`fold`], [`collect`], tuples of them, or your own), and call
//! [`WindowSpec::build`] once per worker. A function of key, window and aggregate is a `flat_map`
//! on the results, as [`WindowResult`] carries all of them.
//!
//! - Shape: in `Keyed<K, T>`; at [`OUT`](crate::operator::OUT) `WindowResult<K, R>`; at
//!   [`LATE`](crate::operator::LATE) the late records as they came, without their key.
//! - Time: windows are half-open `[start, end)`; a window is complete at `W >= end - 1 ms`. A
//!   result has the time `end - 1 ms` and is never late itself. Watermarks pass unchanged.
//! - Late: a record is late when *all* its windows are gone, i.e. when the watermark under which it
//!   was read has reached `end - 1 ms + allowed lateness`. That is a property of the record (see
//!   [`Timed::watermark`](headwater_core::Timed::watermark)), so it does not depend on the number
//!   of workers, on batches or on recovery. A record that has lost some of its windows goes into
//!   the others.
//! - State: freed at `end - 1 ms + allowed lateness`; a key whose windows are gone leaves nothing.
//!
//! Which operator runs a spec (see [`spec`] for the table): tumbling and custom windows, and
//! aggregates that cannot merge, `operator` (one accumulator per key and window); hopping and
//! cumulative ones `slice` (one update per record, however many windows overlap); anything with a
//! trigger `triggered`; `session`, `sliding` and `count` their own; `processing_time` wraps any of
//! them to run on the wall clock.
//!
//! Reading order: [`result`] → [`assigner`] → [`aggregate`] → `operator` → `progress` → the rest.
//!
//! Absent by design: retractions. A session that was emitted early (within the allowed lateness)
//! and then grew is emitted again under its new bounds; the earlier result stands.

pub mod aggregate;
pub mod aggregates;
pub mod assigner;
pub mod closures;
mod count;
mod due;
mod emit;
pub mod evictor;
mod operator;
mod processing_time;
pub mod progress;
pub mod result;
mod session;
mod slice;
mod sliding;
pub mod spec;
pub mod trigger;
mod triggered;

pub use aggregate::Aggregate;
pub use aggregates::{Number, avg, count, max, min, sum};
pub use assigner::WindowAssigner;
pub use closures::{collect, fold, reduce};
pub use evictor::{CountEvictor, Evictor, TimeEvictor, evicting};
pub use result::{PaneTiming, Window, WindowResult};
pub use slice::slicing::{Slice, Slicing};
pub use spec::{Accumulation, WindowSpec};
pub use trigger::{Fire, StandardTrigger, Trigger, TriggerContext};
