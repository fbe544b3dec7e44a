//! Folds delta segments into fewer, larger ones, so that a restore reads a bounded amount.
//!
//! Planning is pure: [`plan_merge`] looks at sizes alone. Merging goes block by block: for each
//! operator, state and key group the blocks of all segments are read, the last writer of a key
//! wins, and the result is written on; memory is bounded by the largest such group, plus 8 MiB. A
//! removal is kept as long as an older segment, outside of the run, could still have the entry.
//!
//! It runs on a thread of the caller, beside processing; its result takes effect when the next
//! manifest lists it instead of the run. Until then nothing is lost if it is thrown away.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use headwater_core::block::{BlockReader, BlockSink, BlockWriter};
use headwater_core::{Epoch, Error, KeyGroup, Result};

use crate::crash_point;
use crate::location::{Location, Upload};
use crate::manifest::SegmentRef;
use crate::segment::{Block, SegmentBuilder, SegmentReader};

mod plan;

pub use self::plan::plan_merge;

/// Segments up to this size are read at once rather than block by block.
const SMALL_BYTES: u64 = 1 << 20;
/// Size of the pieces that are written.
const PIECE_BYTES: usize = 8 << 20;

/// Operator, state and key group: what is in memory at a time.
type Group<'a> = (&'a str, &'a str, KeyGroup);

/// Merges a run of neighbouring segments, oldest first, into the segment `path`.
///
/// Gives `None`, and writes nothing, if no entry is left. With `from_oldest` removals are dropped.
///
/// # Errors
/// Kind `State` if a segment is damaged; otherwise the storage's error.
pub(crate) fn merge_segments(
    location: &Location,
    run: &[SegmentRef],
    from_oldest: bool,
    path: String,
) -> Result<Option<SegmentRef>> {
    let readers = run.iter().map(|s| open(location, s)).collect::<Result<Vec<_>>>()?;
    let mut groups: BTreeMap<Group<'_>, Vec<(&SegmentReader, usize)>> = BTreeMap::new();
    for reader in &readers {
        for (position, info) in reader.infos().enumerate() {
            let group = (info.operator, info.state, info.key_group);
            groups.entry(group).or_default().push((reader, position));
        }
    }
    let mut builder = SegmentBuilder::new();
    let mut upload = None;
    for ((operator, state, key_group), blocks) in groups {
        let blocks: Vec<Block<'_>> = blocks
            .into_iter()
            .map(|(reader, position)| reader.read_block(position))
            .collect::<Result<_>>()?;
        let (entries, bytes) = fold(&blocks, from_oldest)?;
        builder.operator(operator);
        builder.block(state, key_group, entries, &bytes);
        if builder.buffered() >= PIECE_BYTES {
            let piece = Bytes::from(builder.drain());
            open_upload(&mut upload, location, &path)?.write(piece)?;
        }
    }
    if builder.is_empty() {
        return Ok(None);
    }
    let (rest, meta) = builder.finish();
    crash_point("merge.before-write");
    match upload {
        None => location.put(&path, rest.into())?,
        Some(mut upload) => {
            upload.write(Bytes::from(rest))?;
            upload.finish()?;
        }
    }
    crash_point("merge.after-write");
    let epochs = |of: fn(&SegmentRef) -> Epoch| run.iter().map(of);
    let epoch = epochs(|s| s.epoch).min().unwrap_or_default();
    let max_epoch = epochs(|s| s.max_epoch).max().unwrap_or_default();
    Ok(Some(SegmentRef { max_epoch, ..SegmentRef::new(path, &meta, epoch) }))
}

/// Puts the result of a merge in the place of its run; `false` if the run is not there.
///
/// Segments that were added after the merge was planned stay where they are, behind it.
pub fn replace_segments(
    segments: &mut Vec<SegmentRef>,
    run: &[SegmentRef],
    merged: Option<SegmentRef>,
) -> bool {
    let here = |window: &[SegmentRef]| window.iter().zip(run).all(|(a, b)| a.path == b.path);
    let found = match run.is_empty() {
        true => None,
        false => segments.windows(run.len()).position(here),
    };
    if let Some(at) = found {
        segments.splice(at..at + run.len(), merged);
    }
    found.is_some()
}

fn open_upload<'a>(
    upload: &'a mut Option<Upload>,
    location: &Location,
    path: &str,
) -> Result<&'a mut Upload> {
    match upload {
        Some(upload) => Ok(upload),
        None => Ok(upload.insert(location.upload(path)?)),
    }
}

fn open(location: &Location, segment: &SegmentRef) -> Result<SegmentReader> {
    let full = location.full_name(&segment.path);
    if segment.bytes > SMALL_BYTES {
        let object = location.object(&segment.path, segment.bytes)?;
        return SegmentReader::open_at(full, Box::new(object));
    }
    match location.get(&segment.path)? {
        Some(bytes) => SegmentReader::open_verified(full, Box::new(bytes), &segment.hash),
        None => Err(Error::state(format!("segment \"{full}\" is missing"))),
    }
}

/// The last value of each key; without removals if `from_oldest`.
///
/// Entries keep the order of their blocks, so the same segments give the same bytes.
fn fold(blocks: &[Block<'_>], from_oldest: bool) -> Result<(u32, Vec<u8>)> {
    let entries = || blocks.iter().flat_map(|block| BlockReader::new(&block.bytes)).enumerate();
    let mut last: HashMap<&[u8], usize> = HashMap::new();
    for (number, entry) in entries() {
        last.insert(entry?.0, number);
    }
    let (mut folded, mut out) = (0, Vec::new());
    for (number, entry) in entries() {
        let (key, value) = entry?;
        if last.get(key) != Some(&number) || (from_oldest && value.is_none()) {
            continue;
        }
        folded += 1;
        let mut entry = BlockWriter::entry(&mut out);
        entry.key().extend_from_slice(key);
        match value {
            Some(value) => {
                entry.value().extend_from_slice(value);
                entry.finish();
            }
            None => entry.finish_removed(),
        }
    }
    Ok((folded, out))
}
