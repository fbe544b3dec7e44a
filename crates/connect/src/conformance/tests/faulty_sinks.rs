use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use headwater_core::{Epoch, Error, Result, Timed, codec};

use crate::conformance::{at_least_once_sink_suite, exactly_once_sink_suite};
use crate::sink::{Committable, Committer, Guarantee, Sink, WriteStatus, Writer, WriterContext};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    SaysAtLeastOnce,
    NoCommitter,
    VisibleWhenWritten,
    VisibleWhenFlushed,
    VisibleWhenPrepared,
    VisibleWhenDropped,
    InvisibleAfterCommit,
    CommitsTwice,
    CommitsTwiceAfterRestart,
    RecoverCommitsNothing,
    RecoverKeepsStaged,
    CommitsAllStaged,
    CommitsOneEpochOnly,
    SameNameInEveryAttempt,
    OneWorkerOnly,
    LosesWhenBlocked,
    SaysDoneTooEarly,
    FailsOnEmpty,
}

/// A directory of staged parts and what readers of it see.
#[derive(Default)]
struct Target {
    staged: BTreeMap<String, Vec<u64>>,
    visible: Vec<u64>,
    committed: u64,
}

#[derive(Clone)]
struct Faulty {
    fault: Fault,
    target: Arc<Mutex<Target>>,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        Faulty { fault, target: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Target> {
        self.target.lock().unwrap()
    }
}

impl Sink for Faulty {
    type Record = u64;

    fn guarantee(&self) -> Guarantee {
        match self.fault {
            Fault::SaysAtLeastOnce => Guarantee::AtLeastOnce,
            _ => Guarantee::ExactlyOnce,
        }
    }

    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn Writer<u64>>> {
        let name = match self.fault {
            Fault::SameNameInEveryAttempt => format!("{}", cx.worker),
            Fault::OneWorkerOnly => format!("{}", cx.attempt),
            _ => format!("{}-{}", cx.attempt, cx.worker),
        };
        Ok(Box::new(FaultyWriter { sink: self.clone(), name, records: Vec::new(), blocked: false }))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        let committer = || Box::new(FaultyCommitter { sink: self.clone() }) as Box<dyn Committer>;
        Ok((self.fault != Fault::NoCommitter).then(committer))
    }
}

struct FaultyWriter {
    sink: Faulty,
    name: String,
    records: Vec<u64>,
    blocked: bool,
}

impl Writer<u64> for FaultyWriter {
    fn write(&mut self, records: &mut Vec<Timed<u64>>) -> Result<WriteStatus> {
        if self.sink.fault == Fault::SaysDoneTooEarly && records.len() > 1000 {
            return Ok(WriteStatus::Done);
        }
        // A good writer that takes one record at a time now and then.
        self.blocked = !self.blocked;
        let take = if self.blocked { records.len().min(1) } else { records.len() };
        let taken: Vec<u64> = records.drain(..take).map(|record| record.value).collect();
        match self.sink.fault {
            Fault::VisibleWhenWritten => self.sink.lock().visible.extend(&taken),
            Fault::LosesWhenBlocked if self.blocked => return Ok(WriteStatus::Blocked),
            _ => {}
        }
        self.records.extend(taken);
        Ok(if records.is_empty() { WriteStatus::Done } else { WriteStatus::Blocked })
    }

    fn flush(&mut self) -> Result<()> {
        if self.sink.fault == Fault::VisibleWhenFlushed {
            self.sink.lock().visible.append(&mut self.records);
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Committable>> {
        let records = std::mem::take(&mut self.records);
        let fault = self.sink.fault;
        if records.is_empty() {
            let empty = Err(Error::connector("planted"));
            return if fault == Fault::FailsOnEmpty { empty } else { Ok(Vec::new()) };
        }
        let mut target = self.sink.lock();
        if fault == Fault::VisibleWhenPrepared {
            target.visible.extend(&records);
        }
        let name = format!("{}-{epoch}", self.name);
        target.staged.insert(name.clone(), records);
        Ok(vec![codec::encode(&(epoch.0, name))?])
    }
}

impl Drop for FaultyWriter {
    fn drop(&mut self) {
        if self.sink.fault == Fault::VisibleWhenDropped {
            self.sink.lock().visible.append(&mut self.records);
        }
    }
}

struct FaultyCommitter {
    sink: Faulty,
}

impl Committer for FaultyCommitter {
    fn commit(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        let fault = self.sink.fault;
        let mut target = self.sink.lock();
        let done = target.committed >= epoch.0;
        if fault == Fault::InvisibleAfterCommit || (done && fault != Fault::CommitsTwice) {
            return Ok(());
        }
        target.committed = epoch.0;
        let mut parts: Vec<(u64, String)> =
            committables.iter().map(|c| codec::decode(c)).collect::<Result<_>>()?;
        if fault == Fault::CommitsAllStaged {
            parts = target.staged.keys().map(|name| (epoch.0, name.clone())).collect();
        }
        for (of, name) in parts {
            if fault == Fault::CommitsOneEpochOnly && of != epoch.0 {
                continue;
            }
            let part = target.staged.get(&name).cloned();
            let part = part.ok_or_else(|| Error::connector(format!("{name} is gone")))?;
            target.visible.extend(part);
            if fault == Fault::CommitsAllStaged {
                target.staged.remove(&name);
            }
        }
        Ok(())
    }

    fn recover(&mut self, epoch: Epoch, committables: &[Committable]) -> Result<()> {
        match self.sink.fault {
            Fault::RecoverCommitsNothing => {}
            Fault::CommitsTwiceAfterRestart => {
                self.sink.lock().committed = epoch.0.saturating_sub(1);
                self.commit(epoch, committables)?;
            }
            _ => self.commit(epoch, committables)?,
        }
        if !matches!(self.sink.fault, Fault::RecoverKeepsStaged | Fault::CommitsAllStaged) {
            self.sink.lock().staged.clear();
        }
        Ok(())
    }
}

fn suite(fault: Fault) -> std::result::Result<(), String> {
    let sink = Faulty::new(fault);
    exactly_once_sink_suite(|| sink.clone(), || sink.lock().visible.clone(), |n| n)
}

#[test]
fn a_good_sink_passes() {
    suite(Fault::None).unwrap();
    // What is staged and never named by a checkpoint may stay: it is litter, not a fault.
    suite(Fault::RecoverKeepsStaged).unwrap();
}

#[test]
fn planted_faults_are_found() {
    let at_fault = [
        (Fault::SaysAtLeastOnce, "does not say that it is exactly-once"),
        (Fault::NoCommitter, "no committer"),
        (Fault::VisibleWhenWritten, "after write, before prepare: 0 is there 1 times, expected 0"),
        (Fault::VisibleWhenFlushed, "after flush, before prepare"),
        (Fault::VisibleWhenPrepared, "after prepare, before commit"),
        (Fault::VisibleWhenDropped, "after recover, after a crash before prepare"),
        (Fault::InvisibleAfterCommit, "after commit, in the first attempt: 0 is there 0 times"),
        (Fault::CommitsTwice, "is there 2 times, expected 1"),
        (Fault::CommitsTwiceAfterRestart, "after recover, after a clean stop"),
        (Fault::RecoverCommitsNothing, "after a crash between checkpoint and commit"),
        (Fault::CommitsAllStaged, "after a crash between prepare and checkpoint"),
        (Fault::CommitsOneEpochOnly, "after commit, of three epochs at once"),
        (Fault::SameNameInEveryAttempt, "after a dead attempt's prepare"),
        (Fault::OneWorkerOnly, "after commit, in the first attempt"),
        (Fault::LosesWhenBlocked, "after commit, in the first attempt"),
        (Fault::SaysDoneTooEarly, "write says done and leaves 2000 records"),
        (Fault::FailsOnEmpty, "prepare failed: planted"),
    ];
    let missed = at_fault.map(|(fault, expected)| (fault, expected, suite(fault)));
    let found = |found: &std::result::Result<(), String>, text| {
        found.as_ref().is_err_and(|found| found.contains(text))
    };
    let missed: Vec<_> = missed.iter().filter(|(_, text, result)| !found(result, text)).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum LooseFault {
    None,
    SaysExactlyOnce,
    LosesOnDrop,
    DoublesAlways,
    MakesUp,
    Committables,
    DoublesAfterRestart,
    LosesAfterRestart,
}

/// Buffers until prepare.
#[derive(Clone)]
struct Loose {
    fault: LooseFault,
    visible: Arc<Mutex<Vec<u64>>>,
}

struct LooseWriter {
    sink: Loose,
    attempt: u64,
    buffer: Vec<u64>,
}

impl Sink for Loose {
    type Record = u64;

    fn guarantee(&self) -> Guarantee {
        match self.fault {
            LooseFault::SaysExactlyOnce => Guarantee::ExactlyOnce,
            _ => Guarantee::AtLeastOnce,
        }
    }

    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn Writer<u64>>> {
        let (sink, attempt) = (self.clone(), cx.attempt);
        Ok(Box::new(LooseWriter { sink, attempt, buffer: Vec::new() }))
    }
}

impl Writer<u64> for LooseWriter {
    fn write(&mut self, records: &mut Vec<Timed<u64>>) -> Result<WriteStatus> {
        self.buffer.extend(records.drain(..).map(|record| record.value));
        Ok(WriteStatus::Done)
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<Committable>> {
        let buffer = std::mem::take(&mut self.buffer);
        let mut visible = self.sink.visible.lock().unwrap();
        match self.sink.fault {
            LooseFault::LosesOnDrop => self.buffer = buffer,
            LooseFault::LosesAfterRestart if self.attempt > 1 => {}
            LooseFault::DoublesAlways => visible.extend([&buffer[..], &buffer].concat()),
            LooseFault::DoublesAfterRestart if self.attempt > 1 => {
                visible.extend([&buffer[..], &buffer].concat());
            }
            LooseFault::MakesUp => visible.extend(buffer.iter().map(|n| n + 1)),
            LooseFault::Committables => return Ok(vec![codec::encode(&buffer)?]),
            _ => visible.extend(buffer),
        }
        Ok(Vec::new())
    }
}

#[test]
fn faults_of_at_least_once_sinks_are_found() {
    let suite = |fault| {
        let sink = Loose { fault, visible: Arc::default() };
        at_least_once_sink_suite(|| sink.clone(), || sink.visible.lock().unwrap().clone(), |n| n)
    };
    suite(LooseFault::None).unwrap();
    suite(LooseFault::DoublesAfterRestart).unwrap();
    let at_fault = [
        (LooseFault::SaysExactlyOnce, "does not say that it is at-least-once"),
        (LooseFault::LosesOnDrop, "is there 0 times, expected 1"),
        (LooseFault::DoublesAlways, "is there 2 times, expected 1"),
        (LooseFault::MakesUp, "visible after an epoch"),
        (LooseFault::Committables, "no committer"),
        (LooseFault::LosesAfterRestart, "is missing"),
    ];
    let missed = at_fault.map(|(fault, expected)| (fault, expected, suite(fault)));
    let found = |found: &std::result::Result<(), String>, text| {
        found.as_ref().is_err_and(|found| found.contains(text))
    };
    let missed: Vec<_> = missed.iter().filter(|(_, text, result)| !found(result, text)).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}
