//! The formats, pinned: files of version 1 are read, and written the same, for ever.
//!
//! `HEADWATER_BLESS=1` writes them anew; do so only for a new version, beside the old files.

use std::path::PathBuf;

use bytes::Bytes;
use headwater_checkpoint::manifest::{Manifest, ManifestKind, SegmentRef, StateInfo};
use headwater_checkpoint::segment::BlockFilter;
use headwater_checkpoint::{SegmentBuilder, SegmentReader};
use headwater_core::block::{BlockSink, BlockWriter};
use headwater_core::{Epoch, KeyGroup, ProcessingTime, Schema};

fn golden(name: &str, written: &[u8]) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("HEADWATER_BLESS").is_some() {
        std::fs::write(&path, written).unwrap();
    }
    std::fs::read(&path).unwrap()
}

fn segment() -> (Vec<u8>, SegmentRef) {
    let mut block = Vec::new();
    let mut entry = BlockWriter::entry(&mut block);
    entry.key().extend(b"ada");
    entry.value().extend([7, 0, 42]);
    entry.finish();
    let mut entry = BlockWriter::entry(&mut block);
    entry.key().extend(b"bob");
    entry.finish_removed();
    let mut builder = SegmentBuilder::new();
    builder.operator("clicks per minute");
    builder.block("count", KeyGroup(5), 2, &block);
    builder.operator("orders");
    builder.block("left side \u{e9}", KeyGroup(1023), 1, &block[..14]);
    let (bytes, meta) = builder.finish();
    (bytes, SegmentRef::new("segments/1/2-0-0.seg".into(), &meta, Epoch(2)))
}

#[test]
fn segment_v1() {
    let (written, listed) = segment();
    let file = golden("segment-v1.seg", &written);
    assert_eq!(written, file);
    assert_eq!(listed.hash, "933dbb1c0f01f1be9b4c6190cd765113");
    let source = Box::new(Bytes::from(file));
    let reader = SegmentReader::open_verified("segment-v1.seg", source, &listed.hash).unwrap();
    let blocks: Vec<_> = reader.blocks(BlockFilter::default()).map(Result::unwrap).collect();
    let named: Vec<_> = blocks
        .iter()
        .map(|b| (b.info.operator, b.info.state, b.info.key_group.0, b.info.entries))
        .collect();
    assert_eq!(
        named,
        [("clicks per minute", "count", 5, 2), ("orders", "left side \u{e9}", 1023, 1)]
    );
    assert_eq!(&blocks[0].bytes[..], b"\x03\0\0\0\x04\0\0\0ada\x07\0\x2a\x03\0\0\0\0\0\0\0bob");
    assert_eq!(&blocks[1].bytes[..], b"\x03\0\0\0\x04\0\0\0ada\x07\0\x2a");
}

#[test]
fn manifest_v1() {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let manifest = Manifest {
        seq: 12,
        attempt: 10,
        incarnation: "host 1, process 77, 9f3a".into(),
        kind: ManifestKind::Checkpoint,
        epoch: Epoch(2),
        created: ProcessingTime(1_700_000_000_123),
        finished: true,
        visible: true,
        workers: 2,
        codec: 1,
        topology: vec!["source".into(), "clicks per minute".into(), "sink".into()],
        states: vec![StateInfo {
            operator: "clicks per minute".into(),
            name: "count".into(),
            key_schema: Schema("\"STR\"".into()),
            namespace_schema: Schema("\"UNIT\"".into()),
            value_schema: Schema("\"U64\"".into()),
        }],
        operators: [("source".into(), vec![bytes("worker 0"), vec![]])].into(),
        sinks: [("sink".into(), vec![vec![0, 255, 10]])].into(),
        counters: [("records in".into(), u64::MAX)].into(),
        segments: vec![segment().1],
        ..Manifest::empty("clicks \"per\" minute", 1024)
    };
    let written = manifest.encode().unwrap();
    let file = golden("manifest-v1.json", &written);
    assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8(file.clone()).unwrap());
    assert_eq!(Manifest::decode("manifest-v1.json", &file).unwrap(), manifest);
}
