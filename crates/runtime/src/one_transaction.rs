//! Epochs that are committed in one transaction with their output, and the checkpoints beside them.
//!
//! Chosen when every source and every sink of the job is in one transactional system. Then an epoch
//! is durable and visible when its transaction is, and nothing waits for a checkpoint: epochs can
//! be milliseconds long. A *base*, an ordinary checkpoint, is written now and then on a thread
//! beside, so that a restore has few changes to read from the system's log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, unbounded};
use headwater_checkpoint::{
    BlockFilter, JobLog, Manifest, Restored, SegmentBuilder, SegmentReader, SegmentRef, plan_merge,
    replace_segments,
};
use headwater_connect::{LogPosition, StateBlock, Transaction, TransactionLog};
use headwater_core::block::{BlockReader, BlockSink};
use headwater_core::{Epoch, Error, ErrorKind, Result};
use headwater_topology::{NodeKind, Topology};

use crate::background;
use crate::config::{Config, ExactlyOnceForm};

/// How long to wait before a base that could not be written is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Which form a job's exactly-once output takes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// One transaction for all, in this system.
    OneTransaction { domain: String },
    /// Each sink by itself, after the checkpoint.
    PerSink { why: String },
}

/// Chooses by the topology.
pub(crate) fn choose(topology: &Topology, config: &Config) -> Choice {
    let per_sink = |why: String| Choice::PerSink { why };
    if config.exactly_once.form == ExactlyOnceForm::PerSink {
        return per_sink("the configuration says so".into());
    }
    let mut domain: Option<String> = None;
    let mut same = |found: Option<String>| match (&domain, found) {
        (_, None) => false,
        (None, Some(found)) => {
            domain = Some(found);
            true
        }
        (Some(domain), Some(found)) => *domain == found,
    };
    for (name, sink) in topology.sinks() {
        if name != headwater_topology::DEAD_LETTERS && !same(sink.transaction_domain()) {
            return per_sink(format!("sink {name:?} is not in one transaction with the others"));
        }
    }
    for node in &topology.nodes {
        if let NodeKind::Source { source, .. } = &node.kind
            && !same(source.transaction_domain())
        {
            let name = &node.name;
            return per_sink(format!(
                "source {name:?} is not in the transactional system of the sinks"
            ));
        }
    }
    let sinks = topology.sinks().filter(|(name, _)| *name != headwater_topology::DEAD_LETTERS);
    match (domain, sinks.count()) {
        (Some(domain), 1..) => Choice::OneTransaction { domain },
        _ => per_sink("there is no exactly-once sink".into()),
    }
}

/// The transactions of an attempt.
pub(crate) struct Epochs {
    log: Box<dyn TransactionLog>,
    /// Whose epochs these are: a record of an epoch says so, as a checkpoint does.
    job: String,
    max_parallelism: u16,
    bases: Bases,
    /// Changes since the last base.
    since_base: SegmentBuilder,
    last: Option<Manifest>,
    base_interval: Option<Duration>,
    base_at: Instant,
    /// A base is asked for by the user.
    pub(crate) base_asked: bool,
}

/// Opens the transactions of a job and brings `restored` to the newest committed epoch.
pub(crate) fn recover(
    topology: &Topology,
    restored: &mut Restored,
) -> Result<Box<dyn TransactionLog>> {
    let sink = topology.sinks().find(|(_, sink)| sink.transaction_domain().is_some());
    let log = sink.map(|(_, sink)| sink.transaction_log(&topology.job)).transpose()?.flatten();
    let mut log = log.ok_or_else(|| {
        Error::internal("a sink names a transactional system but opens no transactions in it")
    })?;
    let base = restored.manifest.as_ref();
    let from = base.and_then(|m| m.log_position.clone()).map(LogPosition);
    if base.is_some_and(|m| m.epoch > Epoch::NONE) && from.is_none() {
        // What this job committed so far is in the checkpoint; the log has nothing of it.
        tracing::info!("from here on the job commits its epochs in one transaction");
    }
    let recovered = log.recover(from.as_ref())?;
    let Some(record) = recovered.record else { return Ok(log) };
    let mut newest = Manifest::from_record(&record)?;
    if newest.job != topology.job {
        let theirs = newest.job;
        return Err(Error::state(format!(
            "the transaction log of job {:?} holds epochs of job {theirs:?}",
            topology.job
        )));
    }
    if let Some(base) = base {
        if newest.epoch <= base.epoch {
            return Ok(log);
        }
        newest.segments.clone_from(&base.segments);
    }
    tracing::info!(
        base = base.map_or(0, |m| m.epoch.0),
        epoch = newest.epoch.0,
        from = from.map(|p| p.0),
        to = recovered.position.as_ref().map(|p| p.0.as_str()),
        "going on behind the newest committed epoch"
    );
    newest.log_position = recovered.position.map(|p| p.0);
    let changes = recovered.changes.into_iter();
    restored.overlay(newest, changes.map(|c| (c.operator, c.state, c.key_group, c.bytes)));
    Ok(log)
}

impl Epochs {
    pub(crate) fn start(
        topology: &Topology,
        mut log: Box<dyn TransactionLog>,
        checkpoints: JobLog,
        restored: &Restored,
        base_interval: Option<Duration>,
    ) -> Result<Self> {
        let manifest = restored.manifest.as_ref();
        let epoch = manifest.map_or(Epoch::NONE, |m| m.epoch);
        log.open(epoch.next())?;
        // Changes that are only in the log so far belong to the next base.
        let mut since_base = SegmentBuilder::new();
        for (operator, state, key_group, bytes) in restored.changes() {
            since_base.operator(operator);
            let entries = BlockReader::new(bytes).count() as u32;
            since_base.block(state, *key_group, entries, bytes);
        }
        Ok(Epochs {
            log,
            job: topology.job.clone(),
            max_parallelism: topology.max_parallelism,
            bases: Bases::start(checkpoints, manifest)?,
            since_base,
            last: manifest.cloned(),
            base_interval,
            base_at: Instant::now(),
            base_asked: false,
        })
    }

    pub(crate) fn transaction(&self) -> Transaction {
        self.log.transaction()
    }

    /// Commits an epoch; says how many bytes of changes it had.
    ///
    /// An epoch in which nothing happened is not written: the one before it stands for it.
    pub(crate) fn commit(
        &mut self,
        mut manifest: Manifest,
        parts: impl Iterator<Item = Vec<Bytes>>,
        last: bool,
    ) -> Result<u64> {
        manifest.job.clone_from(&self.job);
        manifest.max_parallelism = self.max_parallelism;
        let mut changes = Vec::new();
        for pieces in parts {
            changes.extend(blocks(pieces)?);
        }
        let nothing = changes.is_empty()
            && self.last.as_ref().is_some_and(|before| same_progress(before, &manifest));
        if nothing && !last {
            // Writers wait for the next epoch all the same.
            self.log.skip(manifest.epoch)?;
        } else {
            self.log.commit(manifest.epoch, &changes, &manifest.to_record()?)?;
        }
        let mut bytes = 0;
        for change in &changes {
            bytes += change.bytes.len() as u64;
            self.since_base.operator(&change.operator);
            let entries = BlockReader::new(&change.bytes).count() as u32;
            self.since_base.block(&change.state, change.key_group, entries, &change.bytes);
        }
        let unchanged = nothing && self.last.is_some();
        if !unchanged {
            self.last = Some(manifest);
        } else if let Some(before) = &mut self.last {
            before.epoch = manifest.epoch;
        }
        self.base_if_due(last)?;
        Ok(bytes)
    }

    fn base_if_due(&mut self, last: bool) -> Result<()> {
        self.bases.check()?;
        let due = self.base_interval.is_some_and(|every| self.base_at.elapsed() >= every);
        if !(due || last || self.base_asked) || (self.bases.busy && !last) {
            return Ok(());
        }
        let Some(mut manifest) = self.last.clone() else { return Ok(()) };
        self.base_at = Instant::now();
        self.base_asked = false;
        manifest.log_position = Some(self.log.position()?.0);
        self.bases.write(manifest, std::mem::take(&mut self.since_base))?;
        if last { self.bases.finish() } else { Ok(()) }
    }
}

/// Whether nothing was read, written or changed between two epochs.
fn same_progress(before: &Manifest, now: &Manifest) -> bool {
    before.operators == now.operators
        && before.counters == now.counters
        && before.finished == now.finished
}

/// The blocks of a segment in memory.
fn blocks(pieces: Vec<Bytes>) -> Result<Vec<StateBlock>> {
    let whole = match <[Bytes; 1]>::try_from(pieces) {
        Ok([one]) => one,
        Err(pieces) => Bytes::from(pieces.concat()),
    };
    if whole.is_empty() {
        return Ok(Vec::new());
    }
    let reader = SegmentReader::open("part of an epoch", whole)?;
    let all = reader.blocks(BlockFilter::default());
    all.map(|block| {
        let block = block?;
        Ok(StateBlock {
            operator: block.info.operator.to_owned(),
            state: block.info.state.to_owned(),
            key_group: block.info.key_group,
            bytes: block.bytes.to_vec(),
        })
    })
    .collect()
}

struct Base {
    manifest: Manifest,
    changes: SegmentBuilder,
}

/// Writes bases on a thread of its own, which owns the checkpoint log.
///
/// Dropping it waits for that thread: two attempts of one process must not both write the log.
struct Bases {
    to_write: Option<Sender<Base>>,
    written: Receiver<Result<()>>,
    busy: bool,
    abandoned: Arc<AtomicBool>,
}

impl Drop for Bases {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
        self.to_write = None;
        while self.written.recv().is_ok() {}
    }
}

impl Bases {
    fn start(log: JobLog, manifest: Option<&Manifest>) -> Result<Self> {
        let (to_write, bases) = bounded::<Base>(2);
        let (report, written) = unbounded();
        let segments = manifest.map(|m| m.segments.clone()).unwrap_or_default();
        let abandoned = Arc::new(AtomicBool::new(false));
        let mut writer = BaseWriter { log, segments, abandoned: Arc::clone(&abandoned) };
        let work = move || {
            for base in bases {
                if writer.abandoned.load(Ordering::Relaxed) {
                    return;
                }
                // Nobody listens when the attempt is over.
                let _ = report.send(writer.write(base));
            }
        };
        background::spawn("headwater-base", work)?;
        Ok(Bases { to_write: Some(to_write), written, busy: false, abandoned })
    }

    fn write(&mut self, manifest: Manifest, changes: SegmentBuilder) -> Result<()> {
        let gone = || Error::internal("the thread of the bases has ended");
        self.busy = true;
        let sender = self.to_write.as_ref().ok_or_else(gone)?;
        sender.send(Base { manifest, changes }).map_err(|_| gone())
    }

    /// Notes what was written; an error ends the attempt.
    fn check(&mut self) -> Result<()> {
        match self.written.try_recv() {
            Ok(outcome) => {
                self.busy = false;
                outcome
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(()),
        }
    }

    /// Waits until all is written.
    fn finish(&mut self) -> Result<()> {
        self.to_write = None;
        for outcome in &self.written {
            outcome?;
        }
        self.busy = false;
        Ok(())
    }
}

struct BaseWriter {
    log: JobLog,
    segments: Vec<SegmentRef>,
    abandoned: Arc<AtomicBool>,
}

impl BaseWriter {
    /// Writes a base; tries again while the storage fails, for the log has all of it meanwhile.
    fn write(&mut self, base: Base) -> Result<()> {
        let Base { mut manifest, changes } = base;
        if !changes.is_empty() {
            let (bytes, meta) = changes.finish();
            let pieces = [Bytes::from(bytes)];
            let (epoch, store) = (manifest.epoch, self.log.segments().clone());
            let segment = again(&self.abandoned, || store.write(epoch, 0, 0, &pieces, &meta))?;
            self.segments.push(segment);
        }
        if let Some(range) = plan_merge(&self.segments) {
            let run = self.segments[range.clone()].to_vec();
            let merged = self.log.segments().merge(&run, range.start == 0)?;
            replace_segments(&mut self.segments, &run, merged);
        }
        manifest.segments.clone_from(&self.segments);
        again(&self.abandoned, || self.log.write_manifest(manifest.clone()))?;
        if let Err(e) = self.log.retire() {
            tracing::warn!("cannot remove old checkpoints yet: {}", e.report());
        }
        Ok(())
    }
}

fn again<R>(abandoned: &AtomicBool, mut f: impl FnMut() -> Result<R>) -> Result<R> {
    loop {
        match f() {
            Err(e) if e.kind() == ErrorKind::Transient && !abandoned.load(Ordering::Relaxed) => {
                tracing::warn!("cannot write a base, trying again: {}", e.report());
                std::thread::sleep(RETRY);
            }
            outcome => return outcome,
        }
    }
}
