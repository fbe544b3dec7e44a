//! The suite for at-least-once sinks: nothing is lost, and nothing is doubled without a failure.

use std::fmt::Debug;

use headwater_core::Epoch;

use super::sinks::{Writers, begin};
use super::{same_records, tally};
use crate::sink::{Committer, Guarantee, Sink};

/// Checks an at-least-once sink: `make` gives it anew (on the same target), `visible` reads what a
/// reader of the target sees, `record(n)` gives records that differ.
///
/// It checks that all records of an epoch are visible when it has ended, once if nothing failed;
/// that they still are after a crash and a replay; that nothing becomes visible that was not
/// written; that empty epochs, several workers and a change of their number are no trouble.
///
/// # Errors
/// The first difference, as a sentence.
///
/// # Examples
/// ```
/// use headwater_connect::{callback::callback, conformance::at_least_once_sink_suite};
///
/// let (sender, receiver) = std::sync::mpsc::channel();
/// let make = || {
///     let sender = sender.clone();
///     callback(move |n: &headwater_core::Timed<u64>| Ok(sender.send(n.value).unwrap()))
/// };
/// let seen = std::cell::RefCell::new(Vec::new());
/// let visible = || {
///     seen.borrow_mut().extend(receiver.try_iter());
///     seen.borrow().clone()
/// };
/// at_least_once_sink_suite(make, visible, |n| n)?;
/// # Ok::<(), String>(())
/// ```
pub fn at_least_once_sink_suite<S, V, R>(
    make: impl Fn() -> S,
    visible: V,
    record: R,
) -> Result<(), String>
where
    S: Sink,
    S::Record: Debug,
    V: Fn() -> Vec<S::Record>,
    R: Fn(u64) -> S::Record,
{
    let sink = make();
    sink.validate().map_err(|e| e.report())?;
    if sink.guarantee() != Guarantee::AtLeastOnce {
        return Err("the sink does not say that it is at-least-once".to_owned());
    }
    let mut history = History { make, record, written: Vec::new(), epoch: 0, attempt: 0 };

    let mut attempt = history.start(2)?;
    for count in [3, 0, 1, 2000] {
        let records = history.records(count);
        history.epoch(&mut attempt, &records)?;
        same_records("visible after an epoch, without a failure", &visible(), &history.written)?;
    }
    let replayed = history.records(3);
    attempt.writers.write(0, &replayed)?;
    attempt.writers.write(1, &replayed[..1])?;
    drop(attempt);

    for (workers, when) in [(2, "a crash before prepare"), (1, "a crash after prepare")] {
        let mut attempt = history.start(workers)?;
        history.epoch(&mut attempt, &replayed)?;
        history.check(&visible(), when)?;
        let records = history.records(2);
        history.epoch(&mut attempt, &records)?;
        history.check(&visible(), when)?;
    }
    Ok(())
}

struct History<M, R, T> {
    make: M,
    record: R,
    written: Vec<T>,
    epoch: u64,
    attempt: u64,
}

struct Attempt<T> {
    writers: Writers<T>,
    committer: Option<Box<dyn Committer>>,
    workers: usize,
}

impl<M, R, S> History<M, R, S::Record>
where
    S: Sink,
    S::Record: Debug,
    M: Fn() -> S,
    R: Fn(u64) -> S::Record,
{
    fn start(&mut self, workers: usize) -> Result<Attempt<S::Record>, String> {
        self.attempt += 1;
        let sink = (self.make)();
        begin(&sink)?;
        let mut committer = sink.committer().map_err(|e| e.report())?;
        if let Some(committer) = &mut committer {
            committer.recover(Epoch(self.epoch), &[]).map_err(|e| e.report())?;
        }
        let writers = Writers::open(&sink, workers, self.attempt)?;
        Ok(Attempt { writers, committer, workers })
    }

    /// New records.
    fn records(&mut self, count: u64) -> Vec<S::Record> {
        let first = self.written.len() as u64;
        (first..first + count).map(&self.record).collect()
    }

    /// One whole epoch; the workers take turns.
    fn epoch(
        &mut self,
        attempt: &mut Attempt<S::Record>,
        records: &[S::Record],
    ) -> Result<(), String> {
        self.epoch += 1;
        for (worker, record) in (0..attempt.workers).cycle().zip(records) {
            attempt.writers.write(worker, std::slice::from_ref(record))?;
        }
        let committables = attempt.writers.prepare(self.epoch)?;
        self.written.extend_from_slice(records);
        match &mut attempt.committer {
            None if committables.is_empty() => Ok(()),
            None => Err("prepare returns committables, but there is no committer".to_owned()),
            Some(committer) => {
                committer.commit(Epoch(self.epoch), &committables).map_err(|e| e.report())
            }
        }
    }

    fn check(&self, visible: &[S::Record], when: &str) -> Result<(), String> {
        for (record, seen, written) in tally(visible, &self.written)? {
            if seen == 0 {
                return Err(format!("visible after {when}: {record:?} is missing"));
            }
            if written == 0 {
                return Err(format!("visible after {when}: {record:?} was never written"));
            }
        }
        Ok(())
    }
}
