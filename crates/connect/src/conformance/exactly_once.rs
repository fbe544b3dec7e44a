//! The suite for exactly-once sinks: one target, one long history of attempts and crashes.
//!
//! Epochs go up and never back and each record is written with a number of its own, so after every
//! step it is known exactly what must be visible: the records of the epochs that were committed.

use std::fmt::Debug;

use headwater_core::Epoch;

use super::same_records;
use super::sinks::{Writers, begin};
use crate::sink::{Committable, Committer, Guarantee, Sink};

/// Checks an exactly-once sink: `make` gives it anew (on the same target), `visible` reads what a
/// reader of the target sees, `record(n)` gives records that differ.
///
/// It checks that nothing is visible before its commit and everything after it; that a commit can
/// be repeated, by the same committer and after a restart; that after a crash at every step the
/// restored epoch is visible once and what a dead attempt left is not, even while its writers
/// linger; that one commit can cover the committables of several epochs, while the next is being
/// written; that empty epochs, several workers and a change of their number are no trouble.
///
/// # Errors
/// The first difference, as a sentence.
///
/// # Examples
/// ```
/// use headwater_connect::{collect::collect, conformance::exactly_once_sink_suite};
///
/// let collected = collect();
/// exactly_once_sink_suite(|| collected.clone(), || collected.records(), |n| n)?;
/// # Ok::<(), String>(())
/// ```
pub fn exactly_once_sink_suite<S, V, R>(
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
    if sink.guarantee() != Guarantee::ExactlyOnce {
        return Err("the sink does not say that it is exactly-once".to_owned());
    }
    let mut history = History {
        make,
        visible,
        record,
        expected: Vec::new(),
        number: 0,
        attempt: 0,
        restored: (0, Vec::new()),
    };
    history.first_epochs()?;
    history.repeated_commits()?;
    history.empty_epochs()?;
    history.crash_before_prepare()?;
    history.crash_before_the_checkpoint_is_durable()?;
    history.crash_before_commit()?;
    history.crash_after_commit()?;
    history.several_epochs_in_one_commit()?;
    history.commit_while_writing()?;
    history.lingering_writers()
}

/// The sink's past and what must be visible by now.
struct History<M, V, R, T> {
    make: M,
    visible: V,
    record: R,
    expected: Vec<T>,
    number: u64,
    attempt: u64,
    /// The newest durable checkpoint: its epoch and committables.
    restored: (u64, Vec<Committable>),
}

/// A running attempt.
struct Attempt<T> {
    writers: Writers<T>,
    committer: Box<dyn Committer>,
    workers: usize,
}

impl<M, V, R, S> History<M, V, R, S::Record>
where
    S: Sink,
    S::Record: Debug,
    M: Fn() -> S,
    V: Fn() -> Vec<S::Record>,
    R: Fn(u64) -> S::Record,
{
    fn check(&self, when: &str) -> Result<(), String> {
        same_records(&format!("visible {when}"), &(self.visible)(), &self.expected)
    }

    /// Starts an attempt from the newest checkpoint.
    fn start(&mut self, workers: usize, when: &str) -> Result<Attempt<S::Record>, String> {
        self.attempt += 1;
        let sink = (self.make)();
        begin(&sink)?;
        let committer = sink.committer().map_err(|e| e.report())?;
        let mut committer = committer.ok_or("an exactly-once sink has no committer")?;
        let (epoch, mut committables) = self.restored.clone();
        // The parts of a checkpoint come in no particular order.
        committables.reverse();
        let recovered = committer.recover(Epoch(epoch), &committables);
        recovered.map_err(|e| format!("recover {when} failed: {}", e.report()))?;
        self.check(&format!("after recover, {when}"))?;
        let writers = Writers::open(&sink, workers, self.attempt)?;
        self.check(&format!("after opening writers, {when}"))?;
        Ok(Attempt { writers, committer, workers })
    }

    /// Writes `count` new records per worker; they must stay invisible.
    fn write(
        &mut self,
        attempt: &mut Attempt<S::Record>,
        count: u64,
    ) -> Result<Vec<S::Record>, String> {
        let mut written = Vec::new();
        for worker in 0..attempt.workers {
            let numbers = self.number..self.number + count;
            self.number = numbers.end;
            let records: Vec<_> = numbers.map(&self.record).collect();
            attempt.writers.write(worker, &records)?;
            written.extend(records);
        }
        self.check("after write, before prepare")?;
        attempt.writers.flush()?;
        self.check("after flush, before prepare")?;
        Ok(written)
    }

    fn prepare(
        &self,
        attempt: &mut Attempt<S::Record>,
        epoch: u64,
    ) -> Result<Vec<Committable>, String> {
        let committables = attempt.writers.prepare(epoch)?;
        self.check("after prepare, before commit")?;
        Ok(committables)
    }

    /// The checkpoint of the next epoch becomes durable with `committables`.
    fn durable(&mut self, committables: Vec<Committable>, written: Vec<S::Record>) {
        self.restored = (self.restored.0 + 1, committables);
        self.expected.extend(written);
    }

    fn commit(&self, attempt: &mut Attempt<S::Record>, when: &str) -> Result<(), String> {
        let (epoch, committables) = &self.restored;
        let committed = attempt.committer.commit(Epoch(*epoch), committables);
        committed.map_err(|e| format!("commit {when} failed: {}", e.report()))?;
        self.check(&format!("after commit, {when}"))
    }

    /// One whole epoch.
    fn epoch(
        &mut self,
        attempt: &mut Attempt<S::Record>,
        count: u64,
        when: &str,
    ) -> Result<(), String> {
        let written = self.write(attempt, count)?;
        let committables = self.prepare(attempt, self.restored.0 + 1)?;
        self.durable(committables, written);
        self.commit(attempt, when)
    }

    fn first_epochs(&mut self) -> Result<(), String> {
        let mut attempt = self.start(2, "at the first start")?;
        for count in [3, 1, 2000] {
            self.epoch(&mut attempt, count, "in the first attempt")?;
        }
        Ok(())
    }

    fn repeated_commits(&mut self) -> Result<(), String> {
        let mut attempt = self.start(2, "after a clean stop")?;
        self.epoch(&mut attempt, 2, "before it is repeated")?;
        self.commit(&mut attempt, "for the second time")?;
        self.commit(&mut attempt, "for the third time")?;
        let mut other = self.start(2, "for a second committer")?;
        self.commit(&mut other, "by a second committer")?;
        self.epoch(&mut other, 2, "after repeated ones")
    }

    fn empty_epochs(&mut self) -> Result<(), String> {
        let mut attempt = self.start(2, "before empty epochs")?;
        self.epoch(&mut attempt, 0, "of an empty epoch")?;
        self.epoch(&mut attempt, 1, "after an empty epoch")?;
        self.epoch(&mut attempt, 0, "of another empty epoch")?;
        let mut attempt = self.start(2, "after an empty epoch")?;
        let number = self.number;
        self.number += 1;
        let record = (self.record)(number);
        attempt.writers.write(1, std::slice::from_ref(&record))?;
        let committables = self.prepare(&mut attempt, self.restored.0 + 1)?;
        self.durable(committables, vec![record]);
        self.commit(&mut attempt, "when one worker has nothing")
    }

    fn crash_before_prepare(&mut self) -> Result<(), String> {
        let mut attempt = self.start(2, "before a crash")?;
        self.write(&mut attempt, 3)?;
        drop(attempt);
        let when = "after a crash before prepare";
        let mut attempt = self.start(3, when)?;
        self.epoch(&mut attempt, 2, when)
    }

    fn crash_before_the_checkpoint_is_durable(&mut self) -> Result<(), String> {
        let mut attempt = self.start(1, "before a crash")?;
        let first = self.number;
        let written = self.write(&mut attempt, 3)?;
        self.prepare(&mut attempt, self.restored.0 + 1)?;
        drop(attempt);
        let when = "after a crash between prepare and checkpoint";
        let mut attempt = self.start(1, when)?;
        // The sources go back too: the same records come again, in the same epoch.
        self.number = first;
        let again = self.write(&mut attempt, 3)?;
        same_records("records written again", &again, &written)?;
        let committables = self.prepare(&mut attempt, self.restored.0 + 1)?;
        self.durable(committables, again);
        self.commit(&mut attempt, when)
    }

    fn crash_before_commit(&mut self) -> Result<(), String> {
        let mut attempt = self.start(2, "before a crash")?;
        let written = self.write(&mut attempt, 3)?;
        let committables = self.prepare(&mut attempt, self.restored.0 + 1)?;
        drop(attempt);
        self.check("after a crash before commit")?;
        self.durable(committables, written);
        let when = "after a crash between checkpoint and commit";
        drop(self.start(2, when)?);
        let mut attempt = self.start(1, "after a second crash, right after recover")?;
        self.epoch(&mut attempt, 2, when)
    }

    fn crash_after_commit(&mut self) -> Result<(), String> {
        let mut attempt = self.start(2, "before a crash")?;
        self.epoch(&mut attempt, 3, "before a crash")?;
        self.write(&mut attempt, 1)?;
        drop(attempt);
        let mut attempt = self.start(2, "after a crash after commit")?;
        self.epoch(&mut attempt, 1, "after a crash after commit")
    }

    fn several_epochs_in_one_commit(&mut self) -> Result<(), String> {
        let mut attempt = self.start(2, "before failed checkpoints")?;
        let (mut written, mut committables) = (Vec::new(), Vec::new());
        // The checkpoints of the first two fail: nothing is durable, but those epochs are over.
        for epoch in 1..=3 {
            written.extend(self.write(&mut attempt, 2)?);
            committables.extend(self.prepare(&mut attempt, self.restored.0 + epoch)?);
        }
        self.restored.0 += 2;
        self.durable(committables, written);
        self.commit(&mut attempt, "of three epochs at once")?;
        drop(self.start(2, "after a commit of three epochs at once")?);
        Ok(())
    }

    fn commit_while_writing(&mut self) -> Result<(), String> {
        let mut attempt = self.start(2, "before an overlap")?;
        let first = self.write(&mut attempt, 2)?;
        let committables = self.prepare(&mut attempt, self.restored.0 + 1)?;
        let second = self.write(&mut attempt, 2)?;
        self.durable(committables, first);
        self.commit(&mut attempt, "while the next epoch is written")?;
        let committables = self.prepare(&mut attempt, self.restored.0 + 1)?;
        self.durable(committables, second);
        self.commit(&mut attempt, "of an epoch that was begun before the last commit")
    }

    fn lingering_writers(&mut self) -> Result<(), String> {
        let mut old = self.start(2, "before an attempt that lingers")?;
        self.write(&mut old, 2)?;
        let mut new = self.start(2, "while the writers of the last attempt linger")?;
        let written = self.write(&mut new, 2)?;
        let committables = self.prepare(&mut new, self.restored.0 + 1)?;
        // What it prepares now would overwrite the new attempt's, were it named the same.
        old.writers.prepare(self.restored.0 + 1)?;
        self.check("after a dead attempt's prepare")?;
        drop(old);
        self.check("after a dead attempt's writers are gone")?;
        self.durable(committables, written);
        self.commit(&mut new, "after a dead attempt's prepare")?;
        drop(new);
        self.check("at the end")?;
        drop(self.start(1, "at the end")?);
        Ok(())
    }
}
