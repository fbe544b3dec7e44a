//! Drives instances of one operator as the engine would: routes records by key group, passes time,
//! takes incremental checkpoints that are encoded bit by bit, crashes, and restores from the last
//! complete checkpoint on any number of workers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use headwater_core::block::BlockSink;
use headwater_core::{
    Batch, DeadLetter, Epoch, EventTime, Key, KeyGroup, KeyGroupRange, Keyed, ProcessingTime,
    Record, Result, SplitTag, Timed,
};
use headwater_operators::{Counts, Operator, OperatorContext, OperatorInit, Port};

pub const KEY_GROUPS: u16 = 8;

type Make = Box<dyn Fn(&OperatorInit) -> Box<dyn Operator>>;

pub fn init(worker: usize, workers: usize) -> OperatorInit {
    OperatorInit {
        name: "step".into(),
        worker,
        workers,
        key_groups: KeyGroupRange::of_worker(worker, workers, KEY_GROUPS),
    }
}

#[derive(Clone, Default)]
pub struct Checkpoint {
    pub epoch: Epoch,
    pub parts: Vec<Vec<u8>>,
    pub blocks: Blocks,
}

#[derive(Clone, Default)]
pub struct Blocks {
    blocks: Vec<(String, KeyGroup, Vec<u8>)>,
    pub entries: u32,
}

impl BlockSink for Blocks {
    fn block(&mut self, name: &str, group: KeyGroup, entries: u32, bytes: &[u8]) {
        self.blocks.push((name.to_owned(), group, bytes.to_vec()));
        self.entries += entries;
    }
}

pub struct Job {
    make: Make,
    pub workers: Vec<Box<dyn Operator>>,
    pub cx: OperatorContext,
    pub now: ProcessingTime,
    pub watermark: EventTime,
    /// The last complete checkpoint; its blocks hold those of all before.
    pub complete: Checkpoint,
    open: Option<Checkpoint>,
    running: Epoch,
}

impl Job {
    pub fn new<O: Operator + 'static>(
        workers: usize,
        make: impl Fn(&OperatorInit) -> Result<O> + 'static,
    ) -> Job {
        let make: Make = Box::new(move |init| Box::new(make(init).unwrap()));
        let mut job = Job {
            make,
            workers: Vec::new(),
            cx: OperatorContext::new(ProcessingTime::default()),
            now: ProcessingTime::default(),
            watermark: EventTime::MIN,
            complete: Checkpoint::default(),
            open: None,
            running: Epoch(1),
        };
        job.crash(workers);
        job
    }

    fn enter(&mut self) {
        self.cx.enter(self.now, self.watermark, SplitTag::NONE);
    }

    pub fn keyed<K: Key, T: Record>(
        &mut self,
        port: Port,
        records: Vec<Timed<Keyed<K, T>>>,
    ) -> Result<()> {
        self.enter();
        let workers = self.workers.len();
        let mut batches: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
        for record in records {
            let group = KeyGroup::of(record.value.hash, KEY_GROUPS);
            batches[group.worker(workers, KEY_GROUPS)].push(record);
        }
        for (worker, batch) in self.workers.iter_mut().zip(batches) {
            if !batch.is_empty() {
                worker.process(port, Batch::new(batch), &mut self.cx)?;
            }
        }
        Ok(())
    }

    pub fn send<K: Key, T: Record>(&mut self, time: i64, key: K, record: T) -> Result<()> {
        self.keyed(0, vec![Timed::new(EventTime(time), Keyed::new(key, record))])
    }

    #[allow(dead_code, reason = "not every test file broadcasts")]
    pub fn broadcast<T: Record>(&mut self, port: Port, records: Vec<Timed<T>>) -> Result<()> {
        self.enter();
        for worker in &mut self.workers {
            worker.process(port, Batch::new(records.clone()), &mut self.cx)?;
        }
        Ok(())
    }

    pub fn advance(&mut self, watermark: i64) -> Result<()> {
        assert!(EventTime(watermark) > self.watermark);
        self.watermark = EventTime(watermark);
        self.enter();
        for worker in &mut self.workers {
            worker.on_watermark(self.watermark, &mut self.cx)?;
        }
        Ok(())
    }

    #[allow(dead_code, reason = "not every test file waits")]
    pub fn wait(&mut self, millis: i64) -> Result<()> {
        self.now.0 += millis;
        self.enter();
        for worker in &mut self.workers {
            let mut calls = 0;
            while worker.wake_at().is_some_and(|at| at <= self.now) {
                worker.on_processing_time(&mut self.cx)?;
                calls += 1;
                assert!(calls < 1000, "processing time does not come to rest");
            }
        }
        Ok(())
    }

    /// What was emitted at `port` since the last call; everything else emitted is dropped by
    /// [`Job::rest`].
    pub fn take<T: Record>(&mut self, port: Port) -> Vec<Timed<T>> {
        let mut taken = Vec::new();
        for (at, batch) in std::mem::take(&mut self.cx.emitted) {
            if at == port {
                taken.append(&mut batch.take::<T>());
            } else {
                self.cx.emitted.push((at, batch));
            }
        }
        taken
    }

    pub fn values<T: Record>(&mut self, port: Port) -> Vec<T> {
        self.take(port).into_iter().map(|timed| timed.value).collect()
    }

    pub fn dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.cx.dead_letters)
    }

    #[allow(dead_code, reason = "not every test file counts")]
    pub fn counts(&mut self) -> Counts {
        std::mem::take(&mut self.cx.counts)
    }

    /// A barrier; first completes the checkpoint that is still being encoded, if any.
    pub fn barrier(&mut self) {
        self.complete();
        let mut parts = Vec::new();
        for worker in &mut self.workers {
            for table in worker.tables() {
                table.freeze(self.running).unwrap();
            }
            parts.append(&mut worker.snapshot(self.running).unwrap());
        }
        self.open = Some(Checkpoint { epoch: self.running, parts, blocks: Blocks::default() });
        self.running = self.running.next();
    }

    /// Encodes a little; true when that completed a checkpoint.
    pub fn encode(&mut self, budget: usize) -> bool {
        let Some(open) = &mut self.open else { return false };
        // About so many entries; a table counts in bytes.
        let budget = budget.saturating_mul(100);
        let mut done = true;
        for worker in &mut self.workers {
            for table in worker.tables() {
                done &= table.encode(budget, &mut open.blocks).unwrap();
            }
        }
        if let Some(mut open) = done.then(|| self.open.take()).flatten() {
            let mut earlier = std::mem::take(&mut self.complete.blocks.blocks);
            earlier.append(&mut open.blocks.blocks);
            open.blocks.blocks = earlier;
            self.complete = open;
        }
        done
    }

    /// Encodes the rest; true when there was a checkpoint to complete.
    pub fn complete(&mut self) -> bool {
        let open = self.open.is_some();
        while self.open.is_some() {
            self.encode(3);
        }
        open
    }

    /// Loses everything since the last complete checkpoint and goes on from there.
    pub fn crash(&mut self, workers: usize) {
        self.open = None;
        self.cx.emitted.clear();
        self.workers = (0..workers).map(|w| (self.make)(&init(w, workers))).collect();
        let Checkpoint { epoch, parts, blocks } = &self.complete;
        self.running = epoch.next();
        for worker in &mut self.workers {
            for (name, group, block) in &blocks.blocks {
                let tables = worker.tables().into_iter();
                let table = tables.filter(|t| t.info().name == *name).collect::<Vec<_>>();
                let [table] = <[_; 1]>::try_from(table).ok().expect("one table of that name");
                table.load(*group, block).unwrap();
            }
            worker.tables().into_iter().for_each(|table| table.start_after(*epoch));
            if *epoch != Epoch::NONE {
                worker.restore(parts).unwrap();
            }
            worker.restored().unwrap();
        }
    }

    /// Number of entries in all tables.
    #[allow(dead_code, reason = "not every test file counts")]
    pub fn entries(&mut self) -> usize {
        let of = |w: &mut Box<dyn Operator>| w.tables().iter().map(|t| t.len()).sum::<usize>();
        self.workers.iter_mut().map(of).sum()
    }
}
