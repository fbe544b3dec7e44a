//! A sink that counts records and drops them: for benchmarks, and for streams nobody needs.
//!
//! What this does not do: count exactly once; records that are replayed after a failure count
//! again.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_core::{Epoch, Record, Result, Timed};

use crate::sink::{Committable, Guarantee, Sink, WriteStatus, Writer, WriterContext};

/// Counts records and drops them.
///
/// # Examples
/// ```
/// use headwater_connect::blackhole::blackhole;
///
/// let sink = blackhole::<String>();
/// let count = sink.clone();
/// // … run a job that writes to `sink` …
/// assert_eq!(count.count(), 0);
/// ```
pub fn blackhole<T: Record>() -> Blackhole<T> {
    Blackhole { count: Arc::default(), record: PhantomData }
}

/// The sink that [`blackhole`] gives; clones share the count.
pub struct Blackhole<T> {
    count: Arc<AtomicU64>,
    record: PhantomData<fn(T)>,
}

impl<T> Blackhole<T> {
    /// How many records all workers have written so far, replayed ones included.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl<T> Clone for Blackhole<T> {
    fn clone(&self) -> Self {
        Blackhole { count: Arc::clone(&self.count), record: PhantomData }
    }
}

impl<T: Record> Sink for Blackhole<T> {
    type Record = T;

    fn guarantee(&self) -> Guarantee {
        Guarantee::AtLeastOnce
    }

    fn writer(&self, _cx: &WriterContext) -> Result<Box<dyn Writer<T>>> {
        Ok(Box::new(self.clone()))
    }
}

impl<T: Record> Writer<T> for Blackhole<T> {
    fn write(&mut self, records: &mut Vec<Timed<T>>) -> Result<WriteStatus> {
        self.count.fetch_add(records.len() as u64, Ordering::Relaxed);
        records.clear();
        Ok(WriteStatus::Done)
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<Committable>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::at_least_once_sink_suite;

    #[test]
    fn a_blackhole_is_a_sink_that_counts() {
        let sink = blackhole::<()>();
        let visible = || vec![(); sink.count() as usize];
        at_least_once_sink_suite(|| sink.clone(), visible, |_| ()).unwrap();
        assert!(sink.count() > 0);
    }
}
