//! Runs window operators through a script: batches, watermarks, barriers, crashes with another
//! number of workers, processing time; and collects what they emit.

use std::collections::BTreeSet;

use headwater_core::block::BlockSink;
use headwater_core::{
    Batch, Epoch, EventTime, KeyGroup, KeyGroupRange, Keyed, ProcessingTime, Record, SplitTag,
    Timed,
};
use headwater_operators::operator::{LATE, OUT};
use headwater_operators::window::{PaneTiming, WindowResult};
use headwater_operators::{Operator, OperatorContext, OperatorInit};

use crate::naive::Item;

/// The records that flow.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Rec {
    pub id: u32,
    pub gap: u32,
}

#[derive(Clone, Debug)]
pub enum Step {
    Batch(Vec<Item>),
    Watermark(i64),
    Clock(i64),
    /// Freezes all tables; what is left of an earlier snapshot is encoded first.
    Barrier,
    /// Encodes a few entries of the frozen epoch.
    Encode(usize),
    /// Goes back to the last complete snapshot, with so many workers.
    Crash(usize),
}

pub type Build<'a> = &'a dyn Fn(&OperatorInit) -> Box<dyn Operator>;

const GROUPS: u16 = 8;

struct Blocks(Vec<(usize, KeyGroup, Vec<u8>)>, usize);

impl BlockSink for Blocks {
    fn block(&mut self, _name: &str, group: KeyGroup, _entries: u32, bytes: &[u8]) {
        self.0.push((self.1, group, bytes.to_vec()));
    }
}

#[derive(Clone)]
struct Snapshot {
    epoch: Epoch,
    next_step: usize,
    outputs: usize,
    late: usize,
    parts: Vec<Vec<u8>>,
    /// Table number, key group, entries: of this epoch, or of all up to it.
    blocks: Vec<(usize, KeyGroup, Vec<u8>)>,
    now: i64,
}

pub struct Cluster<'a, R> {
    build: Build<'a>,
    workers: Vec<Box<dyn Operator>>,
    watermark: EventTime,
    now: ProcessingTime,
    epoch: Epoch,
    pending: Option<Snapshot>,
    done: Option<Snapshot>,
    pub results: Vec<Timed<WindowResult<u8, R>>>,
    pub late: Vec<Timed<Rec>>,
    pub dead_letters: Vec<String>,
}

impl<'a, R: Record> Cluster<'a, R> {
    pub fn new(build: Build<'a>, workers: usize) -> Self {
        let mut cluster = Cluster {
            build,
            workers: Vec::new(),
            watermark: EventTime::MIN,
            now: ProcessingTime(0),
            epoch: Epoch(1),
            pending: None,
            done: None,
            results: Vec::new(),
            late: Vec::new(),
            dead_letters: Vec::new(),
        };
        cluster.start(workers);
        cluster
    }

    fn start(&mut self, workers: usize) {
        let init = |worker| OperatorInit {
            name: "windows".into(),
            worker,
            workers,
            key_groups: KeyGroupRange::of_worker(worker, workers, GROUPS),
        };
        self.workers = (0..workers).map(|worker| (self.build)(&init(worker))).collect();
    }

    /// Runs all steps and the end of the input.
    pub fn run(&mut self, steps: &[Step]) {
        let mut crashed = BTreeSet::new();
        let mut at = 0;
        while at < steps.len() {
            match &steps[at] {
                Step::Crash(workers) if crashed.insert(at) => at = self.crash(*workers),
                step => {
                    at += 1;
                    self.step(step, at);
                }
            }
        }
        self.step(&Step::Watermark(i64::MAX), at);
    }

    pub fn step(&mut self, step: &Step, next_step: usize) {
        match step {
            Step::Batch(items) => self.batch(items),
            Step::Watermark(to) if EventTime(*to) > self.watermark => {
                self.watermark = EventTime(*to);
                for worker in 0..self.workers.len() {
                    self.call(worker, true, |op, cx| op.on_watermark(cx.watermark(), cx).unwrap());
                }
            }
            Step::Clock(to) => self.clock(ProcessingTime(*to).max(self.now)),
            Step::Barrier => self.barrier(next_step),
            Step::Encode(budget) => self.encode(*budget),
            Step::Watermark(_) | Step::Crash(_) => {}
        }
    }

    fn batch(&mut self, items: &[Item]) {
        let workers = self.workers.len();
        let mut routed: Vec<Vec<Timed<Keyed<u8, Rec>>>> = vec![Vec::new(); workers];
        for item in items {
            let rec = Rec { id: item.id, gap: item.gap as u32 };
            let mut record = Timed::new(EventTime(item.time), Keyed::new(item.key, rec));
            record.judge(EventTime(item.read_under));
            let group = KeyGroup::of(record.value.hash, GROUPS);
            routed[group.worker(workers, GROUPS)].push(record);
        }
        for (worker, records) in routed.into_iter().enumerate() {
            if !records.is_empty() {
                self.call(worker, false, |op, cx| op.process(0, Batch::new(records), cx).unwrap());
            }
        }
    }

    fn clock(&mut self, to: ProcessingTime) {
        for worker in 0..self.workers.len() {
            // Wakes when asked to, as a runtime would, and then once more at the end.
            while let Some(wake) = self.workers[worker].wake_at().filter(|wake| *wake <= to) {
                self.now = wake.max(self.now);
                self.call(worker, false, |op, cx| op.on_processing_time(cx).unwrap());
                assert_ne!(self.workers[worker].wake_at(), Some(wake), "it must not spin");
            }
        }
        self.now = to;
    }

    fn call(
        &mut self,
        worker: usize,
        ordered: bool,
        call: impl FnOnce(&mut dyn Operator, &mut OperatorContext),
    ) {
        let mut cx = OperatorContext::new(self.now);
        cx.enter(self.now, self.watermark, SplitTag::NONE);
        call(&mut *self.workers[worker], &mut cx);
        let before = (self.results.len(), self.late.len());
        for (port, batch) in cx.emitted {
            assert!(!batch.is_empty());
            match port {
                OUT => self.results.extend(batch.take::<WindowResult<u8, R>>()),
                LATE => self.late.extend(batch.take::<Rec>()),
                other => panic!("output {other}"),
            }
        }
        self.dead_letters.extend(cx.dead_letters.into_iter().map(|letter| letter.reason));
        let new = &self.results[before.0..];
        assert!(new.iter().all(|result| result.late_by == 0));
        let on_time = new.iter().map(|result| &result.value);
        let ends = on_time.filter(|r| r.timing == PaneTiming::OnTime).map(|r| r.window.end);
        assert!(!ordered || ends.is_sorted(), "windows emit in order of their ends");
        assert_eq!(cx.counts.late as usize, self.late.len() - before.1);
    }

    fn barrier(&mut self, next_step: usize) {
        self.encode(usize::MAX);
        let closing = self.epoch;
        let mut parts = Vec::new();
        for op in &mut self.workers {
            op.tables().into_iter().for_each(|table| table.freeze(closing).unwrap());
            parts.extend(op.snapshot(closing).unwrap());
        }
        self.epoch = closing.next();
        let before = self.done.as_ref().map_or_else(Vec::new, |done| done.blocks.clone());
        self.pending = Some(Snapshot {
            epoch: closing,
            next_step,
            outputs: self.results.len(),
            late: self.late.len(),
            parts,
            blocks: before,
            now: self.now.0,
        });
    }

    fn encode(&mut self, budget: usize) {
        let Some(pending) = &mut self.pending else { return };
        // About so many entries; a table counts in bytes.
        let budget = budget.saturating_mul(100);
        let mut done = true;
        for op in &mut self.workers {
            for (number, table) in op.tables().into_iter().enumerate() {
                let mut sink = Blocks(std::mem::take(&mut pending.blocks), number);
                done &= table.encode(budget, &mut sink).unwrap();
                pending.blocks = sink.0;
            }
        }
        if done {
            self.done = self.pending.take();
        }
    }

    /// Throws everything away and starts over from the last complete snapshot.
    fn crash(&mut self, workers: usize) -> usize {
        self.start(workers);
        self.pending = None;
        self.watermark = EventTime::MIN;
        let Some(done) = &self.done else {
            self.results.clear();
            self.late.clear();
            self.epoch = Epoch(1);
            return 0;
        };
        self.results.truncate(done.outputs);
        self.late.truncate(done.late);
        self.epoch = done.epoch.next();
        self.now = ProcessingTime(done.now);
        for op in &mut self.workers {
            for (number, table) in op.tables().into_iter().enumerate() {
                for (of_table, group, bytes) in &done.blocks {
                    if *of_table == number {
                        table.load(*group, bytes).unwrap();
                    }
                }
                table.start_after(done.epoch);
            }
            op.restore(&done.parts).unwrap();
            op.restored().unwrap();
        }
        done.next_step
    }

    /// Entries in all tables of all workers.
    pub fn entries(&mut self) -> usize {
        self.workers.iter_mut().flat_map(|op| op.tables()).map(|table| table.len()).sum()
    }

    /// When the first worker wants to be woken.
    pub fn wake_at(&self) -> Option<i64> {
        self.workers[0].wake_at().map(|time| time.0)
    }
}
