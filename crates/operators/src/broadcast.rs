//! Broadcast state: a keyed stream joined with a stream that every worker sees whole.
//!
//! A [`BroadcastProcess`] is a [`Process`] with a second input. Its records go to all workers, and
//! each worker keeps the same map of *rules* from them, which the function reads as it processes
//! keyed records and timers.
//!
//! Invariants:
//! - keyed records and timers only read the rules; only broadcast records change them, and in the
//!   same way on each worker, so that all workers hold the same rules at a barrier;
//! - a checkpoint therefore holds the rules once, from worker 0, and every worker restores them.
//!
//! Broadcast records that reach the workers by several paths (splits) may arrive in another order
//! on each; changes should then not depend on order. The watermark is the minimum of *both* inputs:
//! a broadcast stream needs event time with an idle timeout, or timers wait for it.
//!
//! Absent by design: the rules are not keyed, so they are held in memory whole on each worker; the
//! broadcast input cannot emit but through the keys it visits, as every worker would emit a copy.
//!
//! Reading order: this file → [`cx`] → [`operator`].

pub mod cx;
pub mod operator;

use std::collections::BTreeMap;

use headwater_core::{Key, Record, Result};

use crate::operator::Port;
use crate::process::Process;

pub use cx::BroadcastCx;
pub use operator::BroadcastOperator;

/// Input of keyed records.
pub const KEYED: Port = 0;
/// Input of broadcast records: every worker gets all.
pub const BROADCAST: Port = 1;

/// The rules of a broadcast process function: its broadcast state.
pub type Rules<P> = BTreeMap<<P as BroadcastProcess>::RuleKey, <P as BroadcastProcess>::Rule>;

/// A keyed function that reads rules which a broadcast stream sets.
///
/// Implement [`Process`] for the keyed side (records, timers, state), where
/// [`Cx::rules`](crate::process::Cx::rules) reads the rules; and this for the broadcast side.
///
/// - Shape: `KeyedStream<K, In>` and `Stream<Update>` to all workers `→ Stream<Out>`.
/// - Time: no order is kept between the two inputs.
/// - State: the rules, whole on each worker and once in a checkpoint; keyed state as of
///   [`Process`].
/// - Errors: a refused update goes the way of the step's policy, on each worker that refuses it.
///
/// # Examples
/// ```
/// use headwater_core::Result;
/// use headwater_operators::broadcast::{BroadcastCx, BroadcastProcess};
/// use headwater_operators::process::{Cx, Process};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Payment { kind: String, amount: u64 }
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Limit { kind: String, amount: u64 }
///
/// struct Limits;
/// impl Process for Limits {
///     type Key = String;
///     type In = Payment;
///     type Out = String;
///     type State = u64;
///     fn process(&self, cx: &mut Cx<Self>, p: Payment) -> Result<()> {
///         let limit = cx.rules()?.get(&p.kind).copied().unwrap_or(u64::MAX);
///         *cx.state() += p.amount;
///         if *cx.state() > limit {
///             cx.emit(format!("{} spends too much on {}", cx.key(), p.kind));
///         }
///         Ok(())
///     }
/// }
/// impl BroadcastProcess for Limits {
///     type Update = Limit;
///     type RuleKey = String;
///     type Rule = u64;
///     fn on_broadcast(&self, cx: &mut BroadcastCx<Self>, limit: Limit) -> Result<()> {
///         cx.rules().insert(limit.kind, limit.amount);
///         Ok(())
///     }
/// }
/// ```
///
/// # Source
/// Flink's `KeyedBroadcastProcessFunction`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a broadcast process function",
    note = "implement `BroadcastProcess` for it, beside `Process`"
)]
pub trait BroadcastProcess: Process {
    /// What comes in by broadcast.
    type Update: Record;
    /// What a rule is found by.
    type RuleKey: Key + Ord;
    /// A rule.
    type Rule: Record;

    /// Takes in one broadcast record, on every worker.
    ///
    /// # Errors
    /// Refuses the record by the step's policy. Changes made before the error stay; so change the
    /// rules before visiting keys, lest an error that only some worker's keys raise leaves the
    /// workers with different rules.
    fn on_broadcast(&self, cx: &mut BroadcastCx<'_, Self>, update: Self::Update) -> Result<()>;
}
