//! A small job with two operators and two workers, whose state after each epoch is known.

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_checkpoint::manifest::SegmentRef;
use headwater_checkpoint::{
    AttemptStart, JobLog, Location, Manifest, Restored, SegmentBuilder, plan_merge,
    replace_segments, restore,
};
use headwater_core::block::{BlockReader, BlockSink, BlockWriter};
use headwater_core::{Epoch, KeyGroup, KeyGroupRange, ProcessingTime, Result};

pub const GROUPS: u16 = 8;
pub const WORKERS: usize = 2;
pub const STATES: [(&str, &str); 3] = [("count", "value"), ("count", "timers"), ("join", "left")];

/// State by operator, state, key group and key.
pub type Model = BTreeMap<(String, String, u16, Vec<u8>), Vec<u8>>;
pub type Change = ((String, String, u16, Vec<u8>), Option<Vec<u8>>);

/// What changes in an epoch: some entries are set, some removed.
pub fn changes(epoch: u64) -> Vec<Change> {
    let mut all = Vec::new();
    for n in 0..24u64 {
        let mixed = (epoch * 31 + n * 17) % 97;
        let (operator, state) = STATES[(mixed % 3) as usize];
        let key_group = (mixed % u64::from(GROUPS)) as u16;
        let key = format!("key {}", mixed % 13).into_bytes();
        let value = format!("epoch {epoch} change {n}").into_bytes();
        let at = (operator.to_string(), state.to_string(), key_group, key);
        all.push((at, (n % 5 != 4).then_some(value)));
    }
    all
}

pub fn apply(model: &mut Model, changes: &[Change]) {
    for (at, value) in changes {
        match value {
            Some(value) => model.insert(at.clone(), value.clone()),
            None => model.remove(at),
        };
    }
}

/// The state after an epoch.
pub fn expected(epoch: u64) -> Model {
    let mut model = Model::new();
    (1..=epoch).for_each(|e| apply(&mut model, &changes(e)));
    model
}

/// The delta of the changes that lie in the key groups of one worker.
pub fn segment(changes: &[Change], range: KeyGroupRange) -> SegmentBuilder {
    let mut latest: BTreeMap<_, _> = BTreeMap::new();
    for (at, value) in changes.iter().filter(|(at, _)| range.contains(KeyGroup(at.2))) {
        latest.insert(at, value);
    }
    let mut builder = SegmentBuilder::new();
    let mut blocks: BTreeMap<(&str, &str, u16), (u32, Vec<u8>)> = BTreeMap::new();
    for ((operator, state, key_group, key), value) in latest {
        let (entries, block) = blocks.entry((operator, state, *key_group)).or_default();
        *entries += 1;
        let mut entry = BlockWriter::entry(block);
        entry.key().extend_from_slice(key);
        match value {
            Some(value) => {
                entry.value().extend_from_slice(value);
                entry.finish();
            }
            None => entry.finish_removed(),
        }
    }
    for ((operator, state, key_group), (entries, bytes)) in blocks {
        builder.operator(operator);
        builder.block(state, KeyGroup(key_group), entries, &bytes);
    }
    builder
}

/// What a restored checkpoint holds.
pub fn content(restored: &Restored) -> Result<Model> {
    let mut model = Model::new();
    for (operator, state) in STATES {
        // Restored by three workers, although it was written by two.
        for worker in 0..3 {
            let range = KeyGroupRange::of_worker(worker, 3, GROUPS);
            restored.load(range, operator, state, &mut |key_group, block| {
                for entry in BlockReader::new(block) {
                    let (key, value) = entry?;
                    let at = (operator.into(), state.into(), key_group.0, key.to_vec());
                    apply(&mut model, &[(at, value.map(<[u8]>::to_vec))]);
                }
                Ok(())
            })?;
        }
    }
    Ok(model)
}

pub fn start(incarnation: &str, visible: bool) -> AttemptStart {
    AttemptStart {
        job: "clicks".into(),
        max_parallelism: GROUPS,
        visible,
        incarnation: incarnation.into(),
        now: ProcessingTime(1_700_000_000_000),
        retained: 3,
    }
}

/// An attempt of the job.
pub struct TestJob {
    pub log: JobLog,
    pub manifest: Manifest,
}

impl TestJob {
    pub fn start(location: &Location, incarnation: &str, visible: bool) -> Result<TestJob> {
        Self::start_from(location, &restore(location)?, incarnation, visible)
    }

    pub fn start_from(
        location: &Location,
        restored: &Restored,
        incarnation: &str,
        visible: bool,
    ) -> Result<TestJob> {
        let manifest = match &restored.manifest {
            Some(manifest) => manifest.clone(),
            None => Manifest::empty("clicks", GROUPS),
        };
        let log = JobLog::start_attempt(location, restored, start(incarnation, visible))?;
        Ok(TestJob { log, manifest })
    }

    pub fn epoch(&self) -> u64 {
        self.manifest.epoch.0
    }

    /// Uploads the deltas of the next epoch, not yet listed anywhere.
    pub fn upload(&mut self) -> Result<Vec<SegmentRef>> {
        let epoch = self.manifest.epoch.next();
        let all = changes(epoch.0);
        (0..WORKERS)
            .map(|worker| {
                let range = KeyGroupRange::of_worker(worker, WORKERS, GROUPS);
                let (bytes, meta) = segment(&all, range).finish();
                self.log.segments().write(epoch, worker, 0, &[Bytes::from(bytes)], &meta)
            })
            .collect()
    }

    /// Makes the next epoch's manifest of uploaded segments.
    pub fn next_manifest(&mut self, uploaded: Vec<SegmentRef>) {
        let epoch = self.manifest.epoch.next();
        self.manifest.epoch = epoch;
        self.manifest.workers = WORKERS;
        self.manifest.created = ProcessingTime(1_700_000_000_000 + epoch.0 as i64);
        self.manifest.segments.extend(uploaded);
        let position = |worker: usize| format!("{worker}@{epoch}").into_bytes();
        self.manifest.operators.insert("source".into(), (0..WORKERS).map(position).collect());
        self.manifest.counters.insert("in".into(), epoch.0 * 24);
    }

    /// A whole checkpoint of the next epoch; without retirement.
    pub fn checkpoint(&mut self) -> Result<u64> {
        let uploaded = self.upload()?;
        self.next_manifest(uploaded);
        self.log.write_manifest(self.manifest.clone())
    }

    /// That many checkpoints.
    pub fn checkpoints(&mut self, n: usize) {
        for _ in 0..n {
            self.checkpoint().unwrap();
        }
    }

    /// Merges what the plan says; takes effect with the next manifest.
    pub fn merge(&mut self) -> Result<bool> {
        let Some(range) = plan_merge(&self.manifest.segments) else { return Ok(false) };
        let run = self.manifest.segments[range.clone()].to_vec();
        let merged = self.log.segments().merge(&run, range.start == 0)?;
        Ok(replace_segments(&mut self.manifest.segments, &run, merged))
    }

    /// Checkpoints, merges and retires until the epoch.
    pub fn run_to(&mut self, epoch: u64) -> Result<()> {
        while self.manifest.epoch < Epoch(epoch) {
            self.checkpoint()?;
            self.log.retire()?;
            self.merge()?;
        }
        Ok(())
    }
}

/// Checks that a location restores to the known state of some epoch, and gives the epoch.
pub fn check_restore(location: &Location) -> u64 {
    let restored = restore(location).unwrap_or_else(|e| panic!("{}", e.report()));
    assert_eq!(restored.warnings, [""; 0]);
    let epoch = restored.manifest.as_ref().map_or(0, |m| m.epoch.0);
    assert_eq!(content(&restored).unwrap(), expected(epoch), "state of epoch {epoch}");
    if let Some(manifest) = restored.manifest.filter(|m| m.epoch.0 > 0) {
        let positions = &manifest.operators["source"];
        assert_eq!(positions[1], format!("1@{epoch}").into_bytes());
        assert_eq!(manifest.counters["in"], epoch * 24);
    }
    epoch
}
