//! How a stream's watermarks come about: what the user declares.

use std::sync::Arc;
use std::time::Duration;

use headwater_core::{EventTime, ProcessingTime};

use crate::watermarks::alignment::Alignment;

/// What a timestamp extractor may return: a time, or none for a record that has no time.
pub trait EventTimeOf {
    /// The event time, if there is one.
    fn event_time(self) -> Option<EventTime>;
}

impl EventTimeOf for EventTime {
    fn event_time(self) -> Option<EventTime> {
        Some(self)
    }
}

impl EventTimeOf for Option<EventTime> {
    fn event_time(self) -> Option<EventTime> {
        self
    }
}

/// A user's own watermark logic for one split.
pub trait WatermarkGenerator<T>: Send {
    /// A record was read. Returns a new watermark for a punctuated generator.
    fn on_record(&mut self, record: &T, time: EventTime) -> Option<EventTime>;

    /// Called now and then in processing time. Returns a new watermark for a periodic generator.
    fn on_periodic(&mut self, now: ProcessingTime) -> Option<EventTime> {
        let _ = now;
        None
    }
}

/// Makes a generator per split.
pub type GeneratorFactory<T> = Arc<dyn Fn() -> Box<dyn WatermarkGenerator<T>> + Send + Sync>;

/// How the watermarks of a stream are generated, and what holds or moves them.
///
/// ```
/// use std::time::Duration;
/// use headwater_operators::watermarks::Watermarks;
/// let w: Watermarks<String> =
///     Watermarks::bounded(Duration::from_secs(5)).idle_after(Duration::from_secs(30));
/// ```
pub struct Watermarks<T> {
    pub(crate) base: Base<T>,
    pub(crate) idle_after: Option<Duration>,
    pub(crate) advance_when_quiet: Option<Duration>,
    pub(crate) max_future: Duration,
    pub(crate) alignment: Option<Alignment>,
}

pub(crate) enum Base<T> {
    Bounded(Duration),
    Custom(GeneratorFactory<T>),
}

impl<T> Clone for Base<T> {
    fn clone(&self) -> Self {
        match self {
            Base::Bounded(delay) => Base::Bounded(*delay),
            Base::Custom(factory) => Base::Custom(Arc::clone(factory)),
        }
    }
}

impl<T> Clone for Watermarks<T> {
    fn clone(&self) -> Self {
        Watermarks {
            base: self.base.clone(),
            idle_after: self.idle_after,
            advance_when_quiet: self.advance_when_quiet,
            max_future: self.max_future,
            alignment: self.alignment.clone(),
        }
    }
}

impl<T> Watermarks<T> {
    fn new(base: Base<T>) -> Self {
        Watermarks {
            base,
            idle_after: None,
            advance_when_quiet: None,
            max_future: Duration::from_secs(24 * 3600),
            alignment: None,
        }
    }

    /// Records may be out of order by up to `delay`: the watermark is the greatest time seen in the
    /// split, minus `delay`, minus 1 ms.
    pub fn bounded(delay: Duration) -> Self {
        Watermarks::new(Base::Bounded(delay))
    }

    /// Times never go back within a split: `bounded` with no delay.
    pub fn ascending() -> Self {
        Watermarks::bounded(Duration::ZERO)
    }

    /// The user's own generator, one per split: periodic, punctuated or both.
    ///
    /// Its last watermark is part of the checkpoint; what else it holds is not.
    pub fn custom<G: WatermarkGenerator<T> + 'static>(
        make: impl Fn() -> G + Send + Sync + 'static,
    ) -> Self {
        Watermarks::new(Base::Custom(Arc::new(move || Box::new(make()))))
    }

    /// A split whose reader has had nothing to give for this long no longer holds the watermark.
    ///
    /// Time in which the engine itself does not read (back-pressure, alignment) does not count.
    pub fn idle_after(mut self, quiet: Duration) -> Self {
        self.idle_after = Some(quiet);
        self
    }

    /// Once a split has been quiet for this long, its watermark goes on with the wall clock, so
    /// that a last window closes without a newer record.
    pub fn advance_when_quiet(mut self, quiet: Duration) -> Self {
        self.advance_when_quiet = Some(quiet);
        self
    }

    /// Records stamped further ahead of the wall clock than this (default: a day) pass and are
    /// counted, but do not move the watermark.
    pub fn max_future(mut self, bound: Duration) -> Self {
        self.max_future = bound;
        self
    }

    /// Splits that are further ahead than the alignment's drift are not read until others catch up.
    pub fn align(mut self, alignment: &Alignment) -> Self {
        self.alignment = Some(alignment.clone());
        self
    }
}
