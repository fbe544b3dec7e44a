//! Merging segments equals folding all their entries into a map.

use bytes::Bytes;
use headwater_checkpoint::manifest::SegmentRef;
use headwater_checkpoint::segment::BlockFilter;
use headwater_checkpoint::{
    JobLog, Location, SegmentBuilder, SegmentReader, plan_merge, replace_segments, restore,
};
use headwater_core::block::{BlockReader, BlockSink, BlockWriter};
use headwater_core::{Epoch, KeyGroup, KeyGroupRange};
use proptest::prelude::*;

use super::common::{Change, GROUPS, Model, STATES, TestJob, apply, check_restore, segment, start};

fn change() -> impl Strategy<Value = Change> {
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..6));
    (0..3usize, 0..3u16, 0..6u8, value).prop_map(|(state, key_group, key, value)| {
        let (operator, state) = STATES[state];
        ((operator.into(), state.into(), key_group, vec![key]), value)
    })
}

fn read(location: &Location, listed: &SegmentRef) -> SegmentReader {
    let bytes = location.get(&listed.path).unwrap().unwrap();
    SegmentReader::open_verified(&listed.path, Box::new(bytes), &listed.hash).unwrap()
}

/// The state that a list of segments stands for, and the number of removals in them.
fn fold(location: &Location, segments: &[SegmentRef]) -> (Model, usize) {
    let (mut model, mut removals) = (Model::new(), 0);
    for listed in segments {
        let reader = read(location, listed);
        assert_eq!(reader.entries(), listed.entries);
        for block in reader.blocks(BlockFilter::default()) {
            let block = block.unwrap();
            for entry in BlockReader::new(&block.bytes) {
                let (key, value) = entry.unwrap();
                removals += usize::from(value.is_none());
                let (operator, state) = (block.info.operator, block.info.state);
                let at = (operator.into(), state.into(), block.info.key_group.0, key.to_vec());
                apply(&mut model, &[(at, value.map(<[u8]>::to_vec))]);
            }
        }
    }
    (model, removals)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn merging_any_run_keeps_the_state(
        deltas in prop::collection::vec(prop::collection::vec(change(), 0..20), 1..8),
        from in 0..8usize,
        to in 0..8usize,
    ) {
        let location = Location::memory().unwrap();
        let log = JobLog::start_attempt(&location, &restore(&location).unwrap(), start("x", true));
        let log = log.unwrap();
        let mut model = Model::new();
        let mut segments = Vec::new();
        for (n, delta) in deltas.iter().enumerate() {
            apply(&mut model, delta);
            let (bytes, meta) = segment(delta, KeyGroupRange::all(GROUPS)).finish();
            let epoch = Epoch(n as u64 + 1);
            segments.push(log.segments().write(epoch, 0, 0, &[Bytes::from(bytes)], &meta).unwrap());
        }
        let (from, to) = (from % segments.len(), to % segments.len());
        let (from, to) = (from.min(to), from.max(to) + 1);
        let run = segments[from..to].to_vec();
        let merged = log.segments().merge(&run, from == 0).unwrap();
        if let Some(merged) = &merged {
            prop_assert_eq!((merged.epoch.0, merged.max_epoch.0), (from as u64 + 1, to as u64));
            let (_, removals) = fold(&location, std::slice::from_ref(merged));
            prop_assert!(from > 0 || removals == 0);
        }
        prop_assert!(replace_segments(&mut segments, &run, merged));
        prop_assert_eq!(fold(&location, &segments).0, model);
    }
}

#[test]
fn a_merge_takes_effect_behind_segments_that_were_added_meanwhile() {
    let location = Location::memory().unwrap();
    let mut job = TestJob::start(&location, "first", true).unwrap();
    job.checkpoints(3);
    let range = plan_merge(&job.manifest.segments).unwrap();
    let run = job.manifest.segments[range.clone()].to_vec();
    let merged = job.log.segments().merge(&run, range.start == 0).unwrap();
    job.checkpoint().unwrap();
    assert!(replace_segments(&mut job.manifest.segments, &run, merged.clone()));
    assert!(!replace_segments(&mut job.manifest.segments, &run, merged));
    assert!(!replace_segments(&mut job.manifest.segments, &[], None));
    job.checkpoint().unwrap();
    assert_eq!(job.manifest.segments.len(), 5 - range.start.min(1));
    assert_eq!(check_restore(&location), 5);
}

#[test]
fn the_number_of_segments_stays_small_over_a_long_run() {
    let location = Location::memory().unwrap();
    let mut job = TestJob::start(&location, "first", true).unwrap();
    for epoch in 1..=60 {
        job.run_to(epoch).unwrap();
        assert!(job.manifest.segments.len() <= 8, "{}", job.manifest.segments.len());
    }
    assert_eq!(check_restore(&location), 60);
    let kept = location.list("segments").unwrap();
    assert!(kept.len() < 30, "{} segments are left", kept.len());
}

#[test]
fn a_large_merge_is_written_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let location = Location::open(&dir.path().to_string_lossy()).unwrap();
    let job = TestJob::start(&location, "first", true).unwrap();
    let value = |n: usize, key: u32| [n as u8, key as u8].repeat(2500);
    let mut run = Vec::new();
    for n in 0..3usize {
        let mut builder = SegmentBuilder::new();
        builder.operator("join");
        for key_group in 0..GROUPS {
            let mut block = Vec::new();
            let keys = (0..100u32).map(|key| key + 100 * n as u32);
            for key in keys.clone() {
                let mut entry = BlockWriter::entry(&mut block);
                entry.key().extend(key.to_be_bytes());
                entry.value().extend(value(n, key));
                entry.finish();
            }
            builder.block("left", KeyGroup(key_group), keys.len() as u32, &block);
        }
        let (bytes, meta) = builder.finish();
        assert!(meta.bytes > 4_000_000);
        let epoch = Epoch(n as u64 + 1);
        run.push(job.log.segments().write(epoch, 0, 0, &[Bytes::from(bytes)], &meta).unwrap());
    }
    let merged = job.log.segments().merge(&run, true).unwrap().unwrap();
    assert_eq!(merged.entries, 3 * 100 * u64::from(GROUPS));
    assert!(merged.bytes > 12_000_000);
    assert_eq!(fold(&location, &[merged]), fold(&location, &run));
    assert_eq!(std::fs::read_dir(dir.path().join("staging")).unwrap().count(), 0);
}

#[test]
fn nothing_left_is_no_segment() {
    let location = Location::memory().unwrap();
    let job = TestJob::start(&location, "first", true).unwrap();
    let at = ("count".to_string(), "value".to_string(), 1, b"k".to_vec());
    let mut run = Vec::new();
    for (n, value) in [Some(b"v".to_vec()), None].into_iter().enumerate() {
        let delta = [(at.clone(), value)];
        let (bytes, meta) = segment(&delta, KeyGroupRange::all(GROUPS)).finish();
        let epoch = Epoch(n as u64 + 1);
        run.push(job.log.segments().write(epoch, 0, 0, &[Bytes::from(bytes)], &meta).unwrap());
    }
    assert_eq!(job.log.segments().merge(&run, true).unwrap(), None);
    let kept = job.log.segments().merge(&run, false).unwrap().unwrap();
    assert_eq!(kept.entries, 1, "the removal is remembered");
}

#[test]
fn damage_is_found_by_a_merge() {
    let location = Location::memory().unwrap();
    let mut job = TestJob::start(&location, "first", true).unwrap();
    job.checkpoints(2);
    let path = &job.manifest.segments[1].path;
    let mut bytes = location.get(path).unwrap().unwrap().to_vec();
    bytes[9] ^= 1;
    location.put(path, bytes.into()).unwrap();
    let e = job.log.segments().merge(&job.manifest.segments, true).unwrap_err();
    assert!(e.to_string().contains(&format!("\"memory:{path}\" is damaged (bytes 8..")), "{e}");
}
