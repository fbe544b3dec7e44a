//! The description of windows, and the choice of the operator that runs them.
//!
//! | windows | aggregate merges | trigger or discarding | operator | state tables |
//! |---|---|---|---|---|
//! | tumbling, custom | any | no | `operator` | `windows` |
//! | hopping, cumulative | yes | no | `slice` | `slices`, `late panes` |
//! | hopping, cumulative | no | no | `operator` | `windows` |
//! | these, global | any | yes (global: always) | `triggered` | `windows`, `triggers` |
//! | session | must | refused | `session` | `sessions` |
//! | sliding | must | refused | `sliding` | `times`, `late panes` |
//! | count | if overlapping | refused | `count` | `counts` |
//!
//! Changing a job from one row to another changes its tables: tumbling windows keep theirs when
//! they get a trigger, hopping ones do not.

mod build;
mod check;

use std::sync::Arc;
use std::time::Duration;

use headwater_core::{BadRecordPolicy, Error, Key, Record, Result};

use crate::operator::{Operator, OperatorInit};
use crate::window::aggregate::Aggregate;
use crate::window::assigner::WindowAssigner;
use crate::window::trigger::{StandardTrigger, Trigger};

/// What the next pane of a window contains after one was emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accumulation {
    /// All records so far: each pane replaces the one before.
    #[default]
    Accumulating,
    /// The records since the last pane: panes add up.
    Discarding,
}

/// Which windows, how late, when they emit.
///
/// A value to be configured in the program and then built once per worker. Nothing is checked
/// before [`WindowSpec::check`] or [`WindowSpec::build`], so configuring needs no error handling.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use headwater_core::KeyGroupRange;
/// use headwater_operators::OperatorInit;
/// use headwater_operators::window::{WindowSpec, count};
///
/// let spec = WindowSpec::<String>::hopping(Duration::from_secs(10), Duration::from_secs(2))
///     .allowed_lateness(Duration::from_secs(30));
/// let counts = Arc::new(count());
/// let init = OperatorInit {
///     name: "words".into(),
///     worker: 0,
///     workers: 1,
///     key_groups: KeyGroupRange::all(1024),
/// };
/// let operator = spec.build::<u64, _>(&init, &counts)?;
/// # let _ = operator;
/// # Ok::<(), headwater_core::Error>(())
/// ```
pub struct WindowSpec<T> {
    kind: Kind<T>,
    offset: Duration,
    lateness: Duration,
    trigger: Option<StandardTrigger>,
    accumulation: Accumulation,
    on_processing_time: bool,
    bad_records: BadRecordPolicy,
}

enum Kind<T> {
    Tumbling { size: Duration },
    Hopping { size: Duration, slide: Duration },
    Cumulative { size: Duration, step: Duration },
    Session { gap: Duration },
    SessionBy { gap: Arc<dyn Fn(&T) -> Duration + Send + Sync> },
    Sliding { difference: Duration },
    Global,
    Count { size: u64, slide: u64 },
    Custom { assigner: Arc<dyn WindowAssigner<T>> },
}

impl<T: Record> WindowSpec<T> {
    fn of(kind: Kind<T>) -> Self {
        WindowSpec {
            kind,
            offset: Duration::ZERO,
            lateness: Duration::ZERO,
            trigger: None,
            accumulation: Accumulation::Accumulating,
            on_processing_time: false,
            bad_records: BadRecordPolicy::default(),
        }
    }

    /// Windows of `size`, one after the other.
    pub fn tumbling(size: Duration) -> Self {
        Self::of(Kind::Tumbling { size })
    }

    /// Windows of `size` that start every `slide` (Flink: sliding).
    pub fn hopping(size: Duration, slide: Duration) -> Self {
        Self::of(Kind::Hopping { size, slide })
    }

    /// Windows that start every `max_size` and of each start one per `step`, until `max_size`:
    /// totals of the day so far, every hour.
    pub fn cumulative(max_size: Duration, step: Duration) -> Self {
        Self::of(Kind::Cumulative { size: max_size, step })
    }

    /// Runs of records with less than `gap` between them.
    pub fn session(gap: Duration) -> Self {
        Self::of(Kind::Session { gap })
    }

    /// Runs of records, each of which says how long after it a session ends.
    pub fn session_by(gap: impl Fn(&T) -> Duration + Send + Sync + 'static) -> Self {
        Self::of(Kind::SessionBy { gap: Arc::new(gap) })
    }

    /// Every distinct set of records that are at most `difference` apart (Kafka Streams:
    /// SlidingWindows).
    pub fn sliding(difference: Duration) -> Self {
        Self::of(Kind::Sliding { difference })
    }

    /// One window of everything: emits by its trigger, and at the end of a bounded input.
    pub fn global() -> Self {
        Self::of(Kind::Global)
    }

    /// Every `size` records of a key.
    pub fn count(size: u64) -> Self {
        Self::of(Kind::Count { size, slide: size })
    }

    /// Every `slide` records of a key, the last `size` of them.
    pub fn count_hopping(size: u64, slide: u64) -> Self {
        Self::of(Kind::Count { size, slide })
    }

    /// Windows of your own making.
    pub fn custom(assigner: impl WindowAssigner<T>) -> Self {
        Self::of(Kind::Custom { assigner: Arc::new(assigner) })
    }

    /// Shifts tumbling, hopping and cumulative windows from multiples of their size, slide or size
    /// since 1970 UTC: 15 minutes for windows from quarter past, 18 hours for days in UTC+6.
    pub fn offset(mut self, offset: Duration) -> Self {
        self.offset = offset;
        self
    }

    /// Keeps complete windows for so much longer event time, and emits them again for each record
    /// that comes in it.
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.lateness = lateness;
        self
    }

    /// Emits by this trigger instead of at completion only.
    pub fn trigger(mut self, trigger: StandardTrigger) -> Self {
        self.trigger = Some(trigger);
        self
    }

    /// What a pane contains after another; all records by default.
    pub fn accumulation(mut self, accumulation: Accumulation) -> Self {
        self.accumulation = accumulation;
        self
    }

    /// Takes the time at which records arrive here instead of their event time.
    pub fn on_processing_time(mut self) -> Self {
        self.on_processing_time = true;
        self
    }

    /// What happens to records that no window or the aggregate takes; dead letters by default.
    pub fn bad_records(mut self, policy: BadRecordPolicy) -> Self {
        self.bad_records = policy;
        self
    }

    /// Checks this description for use with `aggregate`, when the topology is built.
    ///
    /// # Errors
    /// A plan error that names the number or the combination that is wrong, and `operator`.
    pub fn check<A: Aggregate<In = T>>(&self, operator: &str, aggregate: &A) -> Result<()> {
        self.check_numbers(operator)?;
        self.check_combination(operator)?;
        let (kind, merges) = match self.kind {
            Kind::Session { .. } | Kind::SessionBy { .. } => ("session", true),
            Kind::Sliding { .. } => ("sliding", true),
            Kind::Count { size, slide } => ("overlapping count", slide < size),
            _ => ("", false),
        };
        if merges && !aggregate.merges() {
            let text = format!("{kind} windows need an aggregate that merges");
            return Err(Error::plan(format!("{text} (operator {operator:?})"))
                .hint("use reduce, or implement Aggregate with merge, instead of fold"));
        }
        Ok(())
    }

    /// Builds the operator for one worker.
    ///
    /// # Errors
    /// Those of [`WindowSpec::check`].
    pub fn build<K: Key, A: Aggregate<In = T>>(
        &self,
        init: &OperatorInit,
        aggregate: &Arc<A>,
    ) -> Result<Box<dyn Operator>> {
        self.check(&init.name, &**aggregate)?;
        let discarding = self.accumulation == Accumulation::Discarding;
        let global = matches!(self.kind, Kind::Global);
        if self.trigger.is_some() || discarding || global {
            let trigger = self.trigger.clone().unwrap_or_else(StandardTrigger::on_time);
            return self.triggered::<K, A, _>(init, aggregate, &Arc::new(trigger));
        }
        Ok(self.clocked::<K>(self.on_time::<K, A>(init, Arc::clone(aggregate))?))
    }

    /// Builds the operator for one worker, with a trigger of your own making.
    ///
    /// # Errors
    /// Those of [`WindowSpec::check`]; the windows do not take a trigger.
    pub fn build_with_trigger<K: Key, A: Aggregate<In = T>, G: Trigger<T>>(
        &self,
        init: &OperatorInit,
        aggregate: &Arc<A>,
        trigger: &Arc<G>,
    ) -> Result<Box<dyn Operator>> {
        self.check(&init.name, &**aggregate)?;
        self.triggered::<K, A, G>(init, aggregate, trigger)
    }
}
