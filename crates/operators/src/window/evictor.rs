//! Evictors: which records of a window still count when it emits.
//!
//! An evictor turns an aggregate into one that keeps the window's records as a list, evicts from
//! that list before each emission, and only then aggregates. Evicted records are gone for later
//! panes too (as in Flink). When nothing is left, nothing is emitted.

use std::time::Duration;

use headwater_core::{Record, Result, Timed};

use crate::window::aggregate::Aggregate;
use crate::window::result::Window;

/// Decides which records of a window are kept when it emits.
pub trait Evictor<T>: Send + Sync + 'static {
    /// Removes records, which are in order of arrival (sessions: of merging).
    fn evict(&self, records: &mut Vec<Timed<T>>, window: Window);
}

/// Keeps the last `0` records to arrive.
///
/// # Examples
/// ```
/// use headwater_operators::window::{CountEvictor, evicting, sum};
/// let of_the_last_ten = evicting(CountEvictor(10), sum(|v: &u64| *v));
/// # let _ = of_the_last_ten;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CountEvictor(pub usize);

impl<T: Record> Evictor<T> for CountEvictor {
    fn evict(&self, records: &mut Vec<Timed<T>>, _window: Window) {
        records.drain(..records.len().saturating_sub(self.0));
    }
}

/// Keeps the records that are less than `0` of event time older than the newest in the window.
#[derive(Clone, Copy, Debug)]
pub struct TimeEvictor(pub Duration);

impl<T: Record> Evictor<T> for TimeEvictor {
    fn evict(&self, records: &mut Vec<Timed<T>>, _window: Window) {
        if let Some(newest) = records.iter().map(|record| record.time).max() {
            let from = newest.saturating_sub(self.0);
            records.retain(|record| record.time > from);
        }
    }
}

/// Aggregates, at each emission, what `evictor` leaves of the window's records.
///
/// State: every record that was not evicted.
pub fn evicting<A: Aggregate>(
    evictor: impl Evictor<A::In>,
    aggregate: A,
) -> impl Aggregate<In = A::In, Acc = Vec<Timed<A::In>>, Out = A::Out> {
    Evicting { evictor, aggregate }
}

struct Evicting<E, A> {
    evictor: E,
    aggregate: A,
}

impl<A: Aggregate, E: Evictor<A::In>> Aggregate for Evicting<E, A> {
    type In = A::In;
    type Acc = Vec<Timed<A::In>>;
    type Out = A::Out;

    fn create(&self) -> Self::Acc {
        Vec::new()
    }
    fn add(&self, acc: &mut Self::Acc, record: &Timed<A::In>) -> Result<()> {
        acc.push(record.clone());
        Ok(())
    }
    fn merge(&self, acc: &mut Self::Acc, later: &Self::Acc) -> Result<()> {
        acc.extend_from_slice(later);
        Ok(())
    }
    fn prepare(&self, acc: &mut Self::Acc, window: Window) -> bool {
        self.evictor.evict(acc, window);
        !acc.is_empty()
    }
    fn finish(&self, acc: &Self::Acc) -> Result<A::Out> {
        let mut inner = self.aggregate.create();
        for record in acc {
            self.aggregate.add(&mut inner, record)?;
        }
        self.aggregate.finish(&inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_core::EventTime;

    #[test]
    fn evictors_keep_what_they_say() {
        let records = || [10, 30, 20].map(|t| Timed::new(EventTime(t), t)).to_vec();
        let left = |evictor: &dyn Evictor<i64>| {
            let mut kept = records();
            evictor.evict(&mut kept, Window::at(0, 100));
            kept.into_iter().map(|record| record.value).collect::<Vec<_>>()
        };
        assert_eq!(left(&CountEvictor(2)), [30, 20]);
        assert_eq!(left(&CountEvictor(9)), [10, 30, 20]);
        assert_eq!(left(&TimeEvictor(Duration::from_millis(20))), [30, 20]);
        assert_eq!(left(&TimeEvictor(Duration::from_millis(21))), [10, 30, 20]);
    }
}
