//! Windows over a keyed stream.
//!
//! ```
//! use std::time::Duration;
//! use headwater_api::{Job, windowed::Tumbling};
//! use headwater_connect::{collection::collection, blackhole::blackhole};
//! use headwater_core::EventTime;
//! use headwater_operators::watermarks::Watermarks;
//!
//! let mut job = Job::new("counts");
//! let counts = job
//!     .source("clicks", collection(vec![("ana".to_string(), 1_000i64)]))
//!     .event_time(|(_, at)| EventTime(*at), Watermarks::bounded(Duration::from_secs(5)))
//!     .key_by(|(user, _)| user.clone())
//!     .window(Tumbling::of(Duration::from_secs(60)).allowed_lateness(Duration::from_secs(30)))
//!     .count("clicks per minute");
//! counts.results().sink("out", blackhole());
//! counts.late().sink("late", blackhole());
//! # job.build()?;
//! # Ok::<(), headwater_core::Error>(())
//! ```

use std::sync::Arc;
use std::time::Duration;

use headwater_core::{Error, Key, Record};
use headwater_operators::OperatorInit;
use headwater_operators::operator::LATE;
use headwater_operators::window::{
    Aggregate, Trigger, WindowAssigner, WindowResult, WindowSpec, collect, count, fold, reduce,
};
use headwater_topology::node::OperatorFactory;

use crate::keyed::KeyedStream;
use crate::stream::Stream;

/// A keyed stream in windows; an aggregation makes it a step.
pub struct WindowedStream<K, T> {
    pub(crate) keyed: KeyedStream<K, T>,
    pub(crate) windows: WindowSpec<T>,
}

impl<K: Key, T: Record> WindowedStream<K, T> {
    /// Aggregates the records of each key and window as they come.
    ///
    /// - Shape: one result per key and window, or per firing of the trigger.
    /// - State: an accumulator per key and window (or slice), freed when the window is gone.
    pub fn aggregate<A: Aggregate<In = T>>(
        self,
        name: &str,
        aggregate: A,
    ) -> Windowed<K, T, A::Out> {
        let aggregate = Arc::new(aggregate);
        self.check(name, aggregate.as_ref());
        let windows = self.windows;
        let factory: OperatorFactory =
            Arc::new(move |init: &OperatorInit| windows.build::<K, A>(init, &aggregate));
        step(&self.keyed, name, factory)
    }

    /// Like [`WindowedStream::aggregate`], emitting by a trigger of your own.
    pub fn aggregate_with_trigger<A: Aggregate<In = T>, G: Trigger<T>>(
        self,
        name: &str,
        aggregate: A,
        trigger: G,
    ) -> Windowed<K, T, A::Out> {
        let (aggregate, trigger) = (Arc::new(aggregate), Arc::new(trigger));
        self.check(name, aggregate.as_ref());
        let windows = self.windows;
        let factory: OperatorFactory = Arc::new(move |init: &OperatorInit| {
            windows.build_with_trigger::<K, A, G>(init, &aggregate, &trigger)
        });
        step(&self.keyed, name, factory)
    }

    /// Counts the records of each key and window.
    pub fn count(self, name: &str) -> Windowed<K, T, u64> {
        self.aggregate(name, count())
    }

    /// Combines the records of each key and window two by two.
    pub fn reduce(
        self,
        name: &str,
        combine: impl Fn(T, T) -> T + Send + Sync + 'static,
    ) -> Windowed<K, T, T> {
        self.aggregate(name, reduce(combine))
    }

    /// Folds the records of each key and window into a value that starts as `initial`.
    pub fn fold<S: Record + Sync>(
        self,
        name: &str,
        initial: S,
        add: impl Fn(&mut S, &T) + Send + Sync + 'static,
    ) -> Windowed<K, T, S> {
        self.aggregate(name, fold(initial, add))
    }

    /// Collects the records of each key and window and hands them, with key and window, to `f`.
    ///
    /// State: all records of the window. Prefer [`WindowedStream::aggregate`] followed by `map` on
    /// the results where an accumulator will do.
    pub fn process<U, I>(
        self,
        name: &str,
        f: impl Fn(WindowResult<K, Vec<T>>) -> I + Send + Sync + 'static,
    ) -> Stream<U>
    where
        U: Record,
        I: IntoIterator<Item = U> + 'static,
    {
        self.aggregate(name, collect()).results().flat_map(f)
    }

    fn check<A: Aggregate<In = T>>(&self, name: &str, aggregate: &A) {
        let stream = &self.keyed.stream;
        if let Err(e) = self.windows.check(name, aggregate) {
            stream.fail(e);
        }
        if !stream.timed && self.windows.needs_event_time() {
            let message = format!("the records that reach window {name:?} have no event time");
            let hint = "call .event_time(…) on the stream, or use processing-time windows";
            stream.fail(Error::plan(message).hint(hint));
        }
    }
}

fn step<K: Key, T: Record, R>(
    keyed: &KeyedStream<K, T>,
    name: &str,
    factory: OperatorFactory,
) -> Windowed<K, T, R> {
    let node = keyed.stream.step_boxed(Some(name), "window", &["out", "late"], factory);
    let mut results = keyed.stream.derive(node, 0);
    // Results carry the end of their window, also where windows are of processing time.
    results.timed = true;
    Windowed { results, late: keyed.stream.derive(node, LATE) }
}

/// What windows give: results, and the records that came too late for all of their windows.
pub struct Windowed<K, T, R> {
    results: Stream<WindowResult<K, R>>,
    late: Stream<T>,
}

impl<K, T, R> Windowed<K, T, R> {
    /// The results; each has the time of its window's last millisecond.
    pub fn results(&self) -> Stream<WindowResult<K, R>> {
        self.results.clone()
    }

    /// The late records, as they came. They are counted whether or not anyone reads them.
    pub fn late(&self) -> Stream<T> {
        self.late.clone()
    }
}

macro_rules! windows {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) = $spec:ident;)*) => {
        $($(#[$doc])*
        pub struct $name;
        impl $name {
            #[doc = concat!("See [`WindowSpec::", stringify!($spec), "`].")]
            #[must_use]
            pub fn of<T: Record>($($arg: $type),*) -> WindowSpec<T> {
                WindowSpec::$spec($($arg),*)
            }
        })*
    };
}

windows! {
    /// Windows of one size, one after the other.
    Tumbling(size: Duration) = tumbling;
    /// Windows of `size` that start every `slide`.
    Hopping(size: Duration, slide: Duration) = hopping;
    /// Growing windows: every `step`, up to `max_size`.
    Cumulative(max_size: Duration, step: Duration) = cumulative;
    /// Runs of records with less than a gap between them.
    Session(gap: Duration) = session;
    /// Every set of records that are at most `difference` apart.
    Sliding(difference: Duration) = sliding;
    /// One window of everything.
    Global() = global;
    /// Every `size` records.
    Count(size: u64) = count;
    /// Windows of your own making.
    Custom(assigner: impl WindowAssigner<T>) = custom;
}
