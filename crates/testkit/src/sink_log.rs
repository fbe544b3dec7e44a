//! The sink that stands in for every sink of the job: keeps what arrives, by epoch.
//!
//! What a test has taken out before a crash would come a second time with the replay. The log
//! remembers the encoding of each such record, and after the replay drops as many equal ones; one
//! that does not come again is a broken promise of the job (or of the engine) and is reported.
//!
//! Invariants: `batches` is in order of arrival; `taken` holds exactly the records that were taken
//! and whose epoch has no durable checkpoint yet.

use std::any::type_name;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headwater_connect::{
    AttemptContext, BadRecord, Committer, Guarantee, TransactionLog, WriteStatus, WriterContext,
};
use headwater_core::{
    BadRecordPolicy, Batch, Epoch, Error, Record, Result, SplitTag, Timed, codec,
};
use headwater_topology::erased::{AnySink, AnyWriter};

/// The collector of one sink; clones share it.
#[derive(Clone)]
pub(crate) struct SinkLog(Arc<Mutex<Log>>);

struct Log {
    name: String,
    /// The running epoch, and the last one whose checkpoint is durable.
    running: Epoch,
    durable: Epoch,
    batches: VecDeque<(Epoch, Batch)>,
    taken: Vec<(Epoch, Vec<u8>)>,
    /// What needs the record type, known once a test has named it.
    typed: Option<Typed>,
}

#[derive(Clone, Copy)]
struct Typed {
    drop_known: fn(Batch, &mut HashMap<Vec<u8>, usize>) -> Result<Batch>,
    show: fn(&[u8]) -> String,
}

impl SinkLog {
    pub(crate) fn new(name: &str) -> Self {
        SinkLog(Arc::new(Mutex::new(Log {
            name: name.to_owned(),
            running: Epoch::NONE.next(),
            durable: Epoch::NONE,
            batches: VecDeque::new(),
            taken: Vec::new(),
            typed: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all records out, in order of arrival.
    pub(crate) fn take<T: Record>(&self) -> Result<Vec<Timed<T>>> {
        let mut log = self.lock();
        if let Some((_, batch)) = log.batches.front() {
            check_type::<T>(&log.name, batch)?;
        }
        let (durable, mut all) = (log.durable, Vec::new());
        for (epoch, batch) in std::mem::take(&mut log.batches) {
            let records = batch.take::<T>();
            if epoch > durable {
                for record in &records {
                    log.taken.push((epoch, codec::encode(record)?));
                }
            }
            all.extend(records);
        }
        log.typed = Some(Typed { drop_known: drop_known::<T>, show: show::<T> });
        Ok(all)
    }

    /// The checkpoint that closed `epoch` is durable: what is older can no longer be lost.
    pub(crate) fn commit(&self, epoch: Epoch) {
        let mut log = self.lock();
        log.durable = epoch;
        log.taken.retain(|(of, _)| *of > epoch);
    }

    /// A crash: what no durable checkpoint covers is gone.
    pub(crate) fn rewind(&self) {
        let mut log = self.lock();
        let durable = log.durable;
        log.batches.retain(|(epoch, _)| *epoch <= durable);
        log.running = durable.next();
    }

    /// After the replay: drops what the test has taken out before the crash.
    ///
    /// # Errors
    /// Of kind `User`, when `strict` and something that was taken did not come again.
    pub(crate) fn drop_taken(&self, strict: bool) -> Result<()> {
        let mut log = self.lock();
        let (Some(typed), durable, running) = (log.typed, log.durable, log.running) else {
            return Ok(());
        };
        let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
        for (_, bytes) in &log.taken {
            *known.entry(bytes.clone()).or_default() += 1;
        }
        for (epoch, batch) in std::mem::take(&mut log.batches) {
            let left = if epoch > durable { (typed.drop_known)(batch, &mut known)? } else { batch };
            if !left.is_empty() {
                log.batches.push_back((epoch, left));
            }
        }
        if strict {
            let missing = known.iter().find(|(_, n)| **n > 0).map(|(bytes, _)| (typed.show)(bytes));
            if let Some(record) = missing {
                let text = format!("sink {:?}: the replay did not emit again {record}", log.name);
                return Err(Error::user(text).hint(
                    "it had been taken before the crash: the output depends on something that no \
                     checkpoint holds",
                ));
            }
        }
        log.taken.retain(|(_, bytes)| known.get(bytes).is_none_or(|missing| *missing == 0));
        log.taken.iter_mut().for_each(|(epoch, _)| *epoch = running);
        Ok(())
    }
}

fn check_type<T: Record>(name: &str, batch: &Batch) -> Result<()> {
    let found = format!("{batch:?}");
    if found.ends_with(&format!(" x {})", type_name::<T>())) {
        return Ok(());
    }
    let asked = type_name::<T>();
    Err(Error::plan(format!("sink {name:?} was asked for {asked}, it holds {found}")))
}

fn drop_known<T: Record>(batch: Batch, known: &mut HashMap<Vec<u8>, usize>) -> Result<Batch> {
    let split = batch.split();
    let mut left = Vec::new();
    for record in batch.take::<T>() {
        match known.get_mut(&codec::encode(&record)?) {
            Some(n) if *n > 0 => *n -= 1,
            _ => left.push(record),
        }
    }
    Ok(if left.is_empty() { Batch::default() } else { Batch::new(left).with_split(split) })
}

fn show<T: Record>(bytes: &[u8]) -> String {
    let line = codec::decode::<Timed<T>>(bytes).and_then(|r| crate::lines::timed_line(&r));
    line.unwrap_or_else(|e| e.to_string())
}

impl AnySink for SinkLog {
    fn validate(&self) -> Result<()> {
        Ok(())
    }
    fn guarantee(&self) -> Guarantee {
        Guarantee::ExactlyOnce
    }
    fn writer(&self, _cx: &WriterContext) -> Result<Box<dyn AnyWriter>> {
        Ok(Box::new(self.clone()))
    }
    fn begin_attempt(&self, _cx: &AttemptContext) -> Result<()> {
        Ok(())
    }
    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(None)
    }
    fn measures(&self) -> Vec<headwater_connect::Measure> {
        Vec::new()
    }
    fn transaction_domain(&self) -> Option<String> {
        None
    }
    fn transaction_log(&self, _job: &str) -> Result<Option<Box<dyn TransactionLog>>> {
        Ok(None)
    }
}

impl AnyWriter for SinkLog {
    fn push(&mut self, batch: Batch) {
        let mut log = self.lock();
        let epoch = log.running;
        log.batches.push_back((epoch, batch.with_split(SplitTag::NONE)));
    }
    fn write(&mut self) -> Result<WriteStatus> {
        Ok(WriteStatus::Done)
    }
    fn take_refused(&mut self) -> (BadRecordPolicy, Vec<BadRecord>) {
        (BadRecordPolicy::DeadLetter, Vec::new())
    }
    fn queued(&self) -> usize {
        0
    }
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Vec<u8>>> {
        self.lock().running = epoch.next();
        Ok(Vec::new())
    }
}
