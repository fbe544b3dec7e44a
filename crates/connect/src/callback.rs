//! A sink that hands each record to a function.
//!
//! All workers call the same function, each from its own thread. An error from it fails the
//! attempt, after which records since the last checkpoint are handed over again: at-least-once.
//!
//! What this does not do: retry, wait, or keep a record that was handed over.

use std::marker::PhantomData;
use std::sync::Arc;

use headwater_core::{Epoch, Record, Result, Timed};

use crate::sink::{Committable, Guarantee, Sink, WriteStatus, Writer, WriterContext};

/// Calls `call` with every record.
///
/// # Examples
/// ```
/// use headwater_connect::callback::callback;
///
/// let sink = callback(|record: &headwater_core::Timed<String>| {
///     eprintln!("{}: {}", record.time, record.value);
///     Ok(())
/// });
/// # headwater_connect::Sink::validate(&sink).unwrap();
/// ```
pub fn callback<T: Record>(
    call: impl Fn(&Timed<T>) -> Result<()> + Send + Sync + 'static,
) -> Callback<T, impl Fn(&Timed<T>) -> Result<WriteStatus> + Send + Sync + 'static> {
    try_callback(move |record| call(record).map(|()| WriteStatus::Done))
}

/// Calls `call` with every record; it may say [`WriteStatus::Blocked`] to get the same record
/// again, after a short while.
///
/// # Examples
/// ```
/// use headwater_connect::WriteStatus;
/// use headwater_connect::callback::try_callback;
///
/// let (sender, receiver) = std::sync::mpsc::sync_channel(16);
/// let sink = try_callback(move |record: &headwater_core::Timed<u64>| {
///     match sender.try_send(record.value) {
///         Ok(()) => Ok(WriteStatus::Done),
///         Err(_) => Ok(WriteStatus::Blocked),
///     }
/// });
/// # headwater_connect::Sink::validate(&sink).unwrap();
/// # drop(receiver);
/// ```
pub fn try_callback<T: Record, F>(call: F) -> Callback<T, F>
where
    F: Fn(&Timed<T>) -> Result<WriteStatus> + Send + Sync + 'static,
{
    Callback { call: Arc::new(call), record: PhantomData }
}

/// The sink that [`callback`] and [`try_callback`] give.
pub struct Callback<T, F> {
    call: Arc<F>,
    record: PhantomData<fn(T)>,
}

impl<T: Record, F> Sink for Callback<T, F>
where
    F: Fn(&Timed<T>) -> Result<WriteStatus> + Send + Sync + 'static,
{
    type Record = T;

    fn guarantee(&self) -> Guarantee {
        Guarantee::AtLeastOnce
    }

    fn writer(&self, _cx: &WriterContext) -> Result<Box<dyn Writer<T>>> {
        Ok(Box::new(CallbackWriter { call: Arc::clone(&self.call) }))
    }
}

struct CallbackWriter<F> {
    call: Arc<F>,
}

impl<T: Record, F> Writer<T> for CallbackWriter<F>
where
    F: Fn(&Timed<T>) -> Result<WriteStatus> + Send + Sync,
{
    fn write(&mut self, records: &mut Vec<Timed<T>>) -> Result<WriteStatus> {
        for taken in 0..records.len() {
            if (self.call)(&records[taken])? == WriteStatus::Blocked {
                records.drain(..taken);
                return Ok(WriteStatus::Blocked);
            }
        }
        records.clear();
        Ok(WriteStatus::Done)
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<Committable>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use headwater_core::{Error, EventTime};

    use super::*;
    use crate::conformance::at_least_once_sink_suite;
    use crate::source::Wake;

    fn writer<S: Sink>(sink: &S) -> Box<dyn Writer<S::Record>> {
        let (sink_name, wake) = ("test".to_owned(), Wake::none());
        let cx = WriterContext { sink: sink_name, worker: 0, workers: 1, attempt: 1, wake };
        sink.writer(&cx).unwrap()
    }

    fn numbers(numbers: impl IntoIterator<Item = u64>) -> Vec<Timed<u64>> {
        numbers.into_iter().map(|n| Timed::new(EventTime(0), n)).collect()
    }

    #[test]
    fn callbacks_are_sinks() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let read = || seen.lock().unwrap().clone();
        let make = || {
            let seen = Arc::clone(&seen);
            callback(move |record: &Timed<u64>| {
                seen.lock().unwrap().push(record.value);
                Ok(())
            })
        };
        at_least_once_sink_suite(make, read, |n| n).unwrap();

        let make = || {
            let (seen, full) = (Arc::clone(&seen), AtomicBool::new(false));
            try_callback(move |record: &Timed<u64>| {
                if !full.fetch_xor(true, Ordering::SeqCst) {
                    return Ok(WriteStatus::Blocked);
                }
                seen.lock().unwrap().push(record.value);
                Ok(WriteStatus::Done)
            })
        };
        seen.lock().unwrap().clear();
        at_least_once_sink_suite(make, read, |n| n).unwrap();
    }

    #[test]
    fn a_blocked_record_and_those_behind_it_stay() {
        let open = Arc::new(AtomicBool::new(false));
        let gate = Arc::clone(&open);
        let sink = try_callback(move |record: &Timed<u64>| {
            let pass = record.value < 2 || gate.load(Ordering::SeqCst);
            Ok(if pass { WriteStatus::Done } else { WriteStatus::Blocked })
        });
        let mut writer = writer(&sink);
        let mut records = numbers(0..5);
        assert_eq!(writer.write(&mut records).unwrap(), WriteStatus::Blocked);
        assert_eq!(records, numbers(2..5));
        open.store(true, Ordering::SeqCst);
        assert_eq!(writer.write(&mut records).unwrap(), WriteStatus::Done);
        assert_eq!(records, []);
    }

    #[test]
    fn an_error_is_handed_on() {
        let sink = callback(|_: &Timed<u64>| Err(Error::user("no more")));
        let error = writer(&sink).write(&mut numbers([1])).unwrap_err();
        assert_eq!(error.to_string(), "no more");
    }
}
