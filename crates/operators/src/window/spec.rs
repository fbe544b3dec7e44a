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
//! Changing a job from one row to another changes its tables: tumbling windows keep theirs when they
//! get a trigger, hopping ones do not.

use std::sync::Arc;
use std::time::Duration;

use headwater_core::{BadRecordPolicy, Error, Key, Record, Result};

use crate::operator::{Operator, OperatorInit};
use crate::window::aggregate::Aggregate;
use crate::window::assigner::{FixedWindows, WindowAssigner, positive, whole};
use crate::window::count::CountWindows;
use crate::window::emit::{Settings, WindowOperator};
use crate::window::operator::EventTimeWindows;
use crate::window::processing_time::ByProcessingTime;
use crate::window::session::{Gap, SessionWindows};
use crate::window::slice::{SliceWindows, slicing::Slicing};
use crate::window::sliding::SlidingWindows;
use crate::window::trigger::{StandardTrigger, Trigger};
use crate::window::triggered::TriggeredWindows;

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
/// A value to be configured in the program and then built once per worker. Nothing is checked before
/// [`WindowSpec::check`] or [`WindowSpec::build`], so configuring needs no error handling.
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
/// # headwater_core::Result::Ok(())
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

    /// Windows that start every `max_size` and of each start one per `step`, until `max_size`: totals
    /// of the day so far, every hour.
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

    fn check_numbers(&self, operator: &str) -> Result<()> {
        let refuse = |text: String| Err(Error::plan(format!("{text} (operator {operator:?})")));
        whole("window offset", self.offset, operator)?;
        whole("allowed lateness", self.lateness, operator)?;
        if let Some(trigger) = &self.trigger {
            trigger.check(operator)?;
        }
        match self.kind {
            Kind::Tumbling { size } => positive("window size", size, operator).map(drop),
            Kind::Hopping { size, slide } => {
                positive("window size", size, operator)?;
                positive("window slide", slide, operator)?;
                if slide > size {
                    let text = "window slide must not be larger than the size, got";
                    return refuse(format!("{text} {slide:?} for a size of {size:?}"));
                }
                Ok(())
            }
            Kind::Cumulative { size, step } => {
                let (size_ms, step_ms) = (
                    positive("maximum window size", size, operator)?,
                    positive("window step", step, operator)?,
                );
                if size_ms % step_ms != 0 {
                    let text = "maximum window size must be a multiple of the step, got";
                    return refuse(format!("{text} {size:?} and a step of {step:?}"));
                }
                Ok(())
            }
            Kind::Session { gap } => positive("session gap", gap, operator).map(drop),
            Kind::Sliding { difference } => {
                positive("time difference", difference, operator).map(drop)
            }
            Kind::Count { size, slide } => {
                if size == 0 || slide == 0 || slide > size {
                    let text = "count window of size";
                    let text = format!("{text} {size} every {slide} records is not possible");
                    return refuse(format!("{text}: both must be positive, and the size as large"));
                }
                Ok(())
            }
            Kind::SessionBy { .. } | Kind::Global | Kind::Custom { .. } => Ok(()),
        }
    }

    fn check_combination(&self, operator: &str) -> Result<()> {
        let refuse = |what: &str, windows: &str| {
            let text = format!("{what} cannot be set for {windows} windows");
            Err(Error::plan(format!("{text} (operator {operator:?})")))
        };
        let (name, aligned, triggers, event_time) = match self.kind {
            Kind::Tumbling { .. } => ("tumbling", true, true, true),
            Kind::Hopping { .. } => ("hopping", true, true, true),
            Kind::Cumulative { .. } => ("cumulative", true, true, true),
            Kind::Custom { .. } => ("custom", false, true, true),
            Kind::Session { .. } | Kind::SessionBy { .. } => ("session", false, false, true),
            Kind::Sliding { .. } => ("sliding", false, false, true),
            Kind::Global => ("global", false, true, false),
            Kind::Count { .. } => ("count", false, false, false),
        };
        let discarding = self.accumulation == Accumulation::Discarding;
        if !aligned && !self.offset.is_zero() {
            return refuse("an offset", name);
        }
        if !triggers && (self.trigger.is_some() || discarding) {
            return refuse("a trigger or discarding panes", name);
        }
        if !event_time && !self.lateness.is_zero() {
            return refuse("allowed lateness", name);
        }
        if !event_time && self.on_processing_time {
            return refuse("processing time", name);
        }
        if self.on_processing_time && !self.lateness.is_zero() {
            return refuse("allowed lateness", "processing-time");
        }
        Ok(())
    }

    /// Whether these windows are of event time, so that records must have one.
    pub fn needs_event_time(&self) -> bool {
        let timeless = matches!(self.kind, Kind::Global | Kind::Count { .. });
        !timeless && !self.on_processing_time
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

    fn triggered<K: Key, A: Aggregate<In = T>, G: Trigger<T>>(
        &self,
        init: &OperatorInit,
        aggregate: &Arc<A>,
        trigger: &Arc<G>,
    ) -> Result<Box<dyn Operator>> {
        let Some(fixed) = self.fixed() else {
            let text = "a trigger cannot be set for session, sliding and count windows";
            return Err(Error::plan(format!("{text} (operator {:?})", init.name)));
        };
        let discarding = self.accumulation == Accumulation::Discarding;
        let (aggregate, trigger) = (Arc::clone(aggregate), Arc::clone(trigger));
        let settings = self.settings(init);
        let operator = TriggeredWindows::<K, A, G>::new(
            settings, fixed, aggregate, trigger, discarding,
        );
        Ok(self.clocked::<K>(Box::new(operator)))
    }

    /// The operator that emits at completion.
    fn on_time<K: Key, A: Aggregate<In = T>>(
        &self,
        init: &OperatorInit,
        aggregate: Arc<A>,
    ) -> Result<Box<dyn WindowOperator>> {
        let settings = self.settings(init);
        if let Some(slicing) = self.slicing().filter(|_| aggregate.merges()) {
            return Ok(Box::new(SliceWindows::<K, A>::new(settings, slicing, aggregate)));
        }
        if let Some(fixed) = self.fixed() {
            return Ok(Box::new(EventTimeWindows::<K, A>::new(settings, fixed, aggregate)));
        }
        Ok(match &self.kind {
            Kind::Session { gap } => {
                let gap = Gap::Fixed(positive("session gap", *gap, &init.name)?);
                Box::new(SessionWindows::<K, A>::new(settings, gap, aggregate))
            }
            Kind::SessionBy { gap } => {
                let gap = Gap::Of(Arc::clone(gap));
                Box::new(SessionWindows::<K, A>::new(settings, gap, aggregate))
            }
            Kind::Sliding { difference } => {
                let difference = positive("time difference", *difference, &init.name)?;
                Box::new(SlidingWindows::<K, A>::new(settings, difference, aggregate))
            }
            Kind::Count { size, slide } => {
                Box::new(CountWindows::<K, A>::new(&settings, *size, *slide, aggregate))
            }
            _ => return Err(Error::internal("windows without an operator")),
        })
    }

    fn clocked<K: Key>(&self, operator: Box<dyn WindowOperator>) -> Box<dyn Operator> {
        if self.on_processing_time {
            Box::new(ByProcessingTime::<K, T>::new(operator))
        } else {
            operator
        }
    }

    fn settings(&self, init: &OperatorInit) -> Settings {
        Settings {
            name: init.name.clone(),
            key_groups: init.key_groups,
            lateness: self.lateness,
            policy: self.bad_records,
        }
    }

    /// The windows, if they are known from the record alone.
    fn fixed(&self) -> Option<FixedWindows<T>> {
        let offset = ms(self.offset);
        Some(match &self.kind {
            Kind::Tumbling { size } => FixedWindows::Tumbling { size: ms(*size), offset },
            Kind::Hopping { size, slide } if size == slide => {
                FixedWindows::Tumbling { size: ms(*size), offset }
            }
            Kind::Hopping { size, slide } => {
                FixedWindows::Hopping { size: ms(*size), slide: ms(*slide), offset }
            }
            Kind::Cumulative { size, step } => {
                FixedWindows::Cumulative { size: ms(*size), step: ms(*step), offset }
            }
            Kind::Global => FixedWindows::Global,
            Kind::Custom { assigner } => FixedWindows::Custom(Arc::clone(assigner)),
            _ => return None,
        })
    }

    /// The slicing, if the windows overlap on a grid.
    fn slicing(&self) -> Option<Slicing> {
        let offset = ms(self.offset);
        match self.kind {
            Kind::Hopping { size, slide } if size != slide => {
                Some(Slicing::hopping(ms(size), ms(slide), offset))
            }
            Kind::Cumulative { size, step } => {
                Some(Slicing::Cumulative { size: ms(size), step: ms(step), offset })
            }
            _ => None,
        }
    }
}

fn ms(duration: Duration) -> i64 {
    headwater_core::time::millis(duration)
}
