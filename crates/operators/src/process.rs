//! Process functions: user code with state and timers per key, one record at a time.
//!
//! A [`Process`] sees the records of one key in the order they arrive and acts through its [`Cx`]:
//! it reads and changes the key's state, registers timers, and emits. Everything it keeps lives in
//! [`Table`](headwater_state::Table)s, so a checkpoint holds exactly what was processed before its
//! barrier, timers included. [`ProcessOperator`] runs it; [`crate::broadcast`] runs it with a
//! second, broadcast input.
//!
//! Invariants:
//! - a record that is refused has emitted nothing; its changes of state and timers stay;
//! - event-time timers fire in order of time within a key, when the watermark reaches them, each
//!   once; a timer registered by a timer that is due too fires in the same advance of the
//!   watermark;
//! - cleared state, fired timers and expired entries leave nothing behind.
//!
//! Reading order: this file → [`cx`] → [`states`] → [`value`], [`list`], [`map`], [`reducing`],
//! [`aggregating`] → [`side`] → [`ttl`] → [`operator`].
//!
//! Absent by design: no clock, no I/O, no access to another key's state (but see
//! [`crate::broadcast::BroadcastCx::for_each_key`]).

pub mod aggregating;
pub mod cx;
mod entry;
pub mod function;
pub mod list;
pub mod map;
pub mod operator;
mod parts;
pub mod reducing;
mod runner;
pub mod side;
pub mod states;
pub mod ttl;
pub mod value;

use headwater_core::{EventTime, Key, ProcessingTime, Record, Result};

pub use aggregating::AggregatingState;
pub use cx::Cx;
pub use function::{FnCx, ProcessFn, process_fn};
pub use list::ListState;
pub use map::MapState;
pub use operator::ProcessOperator;
pub use reducing::ReducingState;
pub use side::{Side, SidePorts};
pub use states::{Declared, States};
pub use ttl::TimeDomain;
pub use value::ValueState;

pub(crate) use entry::{Entry, Missing, Moment};
pub(crate) use parts::{AnyTable, Parts};
pub(crate) use runner::Runner;

/// A keyed function with state and timers.
///
/// - Shape: `KeyedStream<K, In> → Stream<Out>` plus declared side outputs; 0..n outputs per record;
///   order kept per key.
/// - Time: forwards watermarks; timers fire before the watermark is passed on, so what they emit at
///   their own time is on time downstream.
/// - State: one [`Process::State`] per key plus what [`Process::declare`] adds; freed by
///   [`Cx::clear_state`] and the like, or by a time to live.
/// - Errors: an `Err` refuses the record by the step's policy (by default it goes to the dead
///   letters). What the record had emitted is withdrawn; changes of state and timers it made before
///   the error **stay**, so check first and change then. A timer that fails is refused in the same
///   way, and is gone. Errors of kind plan and internal (a state that was not declared) always fail
///   the attempt.
///
/// The value is shared by all workers: it holds configuration, not state.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use headwater_core::{EventTime, Result};
/// use headwater_operators::process::{Cx, Process, Side, States};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Payment { amount: u64 }
/// #[derive(Clone, Default, Serialize, Deserialize)]
/// struct Account { seen: Option<EventTime>, total: u64 }
///
/// const REJECTED: Side<Payment> = Side::new("rejected");
/// struct Watchdog { quiet: Duration }
///
/// impl Process for Watchdog {
///     type Key = String;
///     type In = Payment;
///     type Out = String;
///     type State = Account;
///
///     fn declare(&self, states: &mut States<Self>) {
///         states.side(REJECTED);
///     }
///     fn process(&self, cx: &mut Cx<Self>, p: Payment) -> Result<()> {
///         if p.amount == 0 {
///             cx.emit_to(REJECTED, p);
///             return Ok(());
///         }
///         let now = cx.event_time();
///         let account = cx.state();
///         account.seen = Some(now);
///         account.total += p.amount;
///         cx.timer_at(now + self.quiet);
///         Ok(())
///     }
///     fn on_timer(&self, cx: &mut Cx<Self>, at: EventTime) -> Result<()> {
///         if cx.state().seen.is_some_and(|t| t + self.quiet <= at) {
///             cx.emit(format!("{} is quiet", cx.key()));
///             cx.clear_state();
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// # Source
/// Flink's `KeyedProcessFunction`, Kafka Streams' `Processor`; here state is declared by constants,
/// is never decoded on access, and errors follow a policy.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a process function",
    note = "implement `Process` for it, or wrap a closure with `process_fn(..)`"
)]
pub trait Process: Sized + Send + Sync + 'static {
    /// What the stream is keyed by.
    type Key: Key;
    /// What comes in.
    type In: Record;
    /// What goes out at the main output.
    type Out: Record;
    /// The state of one key; `()` if there is none.
    type State: Record + Default;

    /// Declares side outputs and further named states, before anything is processed.
    fn declare(&self, states: &mut States<Self>) {
        let _ = states;
    }

    /// Processes one record.
    ///
    /// # Errors
    /// Refuses the record by the step's policy.
    fn process(&self, cx: &mut Cx<'_, Self>, record: Self::In) -> Result<()>;

    /// The watermark has reached the timer `at` of the key.
    ///
    /// # Errors
    /// Refuses the timer by the step's policy.
    fn on_timer(&self, cx: &mut Cx<'_, Self>, at: EventTime) -> Result<()> {
        let _ = (cx, at);
        Ok(())
    }

    /// Processing time has reached the timer `at` of the key.
    ///
    /// # Errors
    /// Refuses the timer by the step's policy.
    fn on_processing_timer(&self, cx: &mut Cx<'_, Self>, at: ProcessingTime) -> Result<()> {
        let _ = (cx, at);
        Ok(())
    }
}
