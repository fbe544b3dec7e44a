//! Builds a segment in memory, or piece by piece when it is drained on the way.

use std::collections::HashMap;

use headwater_core::KeyGroup;
use headwater_core::block::BlockSink;
use xxhash_rust::xxh3::Xxh3;

use super::index::{Index, IndexEntry};
use super::{END, HEADER, SEGMENT_FORMAT, SegmentMeta};

/// Takes blocks of state entries and makes a segment file of them.
///
/// # Examples
/// ```
/// use bytes::Bytes;
/// use headwater_checkpoint::{SegmentBuilder, SegmentReader};
/// use headwater_core::{KeyGroup, block::{BlockSink, BlockWriter}};
///
/// let mut block = Vec::new();
/// let mut entry = BlockWriter::entry(&mut block);
/// entry.key().extend(b"key");
/// entry.value().extend(b"value");
/// entry.finish();
/// let mut builder = SegmentBuilder::new();
/// builder.operator("clicks per minute");
/// builder.block("count", KeyGroup(7), 1, &block);
/// let (file, meta) = builder.finish();
/// let reader = SegmentReader::open("example.seg", Bytes::from(file))?;
/// assert_eq!((reader.entries(), meta.entries), (1, 1));
/// # Ok::<(), headwater_core::Error>(())
/// ```
pub struct SegmentBuilder {
    out: Vec<u8>,
    /// Bytes that were drained from the front of `out`.
    drained: u64,
    hasher: Xxh3,
    index: Index,
    ids: HashMap<String, u32>,
    operator: u32,
    entries: u64,
}

impl Default for SegmentBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl SegmentBuilder {
    /// Starts an empty segment; its first operator has the empty uid.
    pub fn new() -> Self {
        let mut out = HEADER.to_vec();
        out.extend(SEGMENT_FORMAT.to_le_bytes());
        let mut builder = SegmentBuilder {
            out,
            drained: 0,
            hasher: Xxh3::new(),
            index: Index::default(),
            ids: HashMap::new(),
            operator: 0,
            entries: 0,
        };
        builder.operator("");
        builder
    }

    /// Sets the uid of the operator that the following blocks belong to.
    pub fn operator(&mut self, uid: &str) {
        self.operator = self.id(uid);
    }

    /// Bytes so far, without the index; for deciding when to start the next segment.
    pub fn len(&self) -> u64 {
        self.drained + self.out.len() as u64
    }

    /// Whether no block was added.
    pub fn is_empty(&self) -> bool {
        self.index.entries.is_empty()
    }

    /// Number of bytes held in memory.
    pub fn buffered(&self) -> usize {
        self.out.len()
    }

    /// Takes the bytes built so far, to write them out; what follows continues after them.
    pub fn drain(&mut self) -> Vec<u8> {
        // The next piece will be about as large: growing into it would copy it over and over.
        self.drain_into(Vec::with_capacity(self.out.len()))
    }

    /// As [`SegmentBuilder::drain`]; what follows is built in `next`, an empty buffer.
    pub fn drain_into(&mut self, next: Vec<u8>) -> Vec<u8> {
        self.hasher.update(&self.out);
        self.drained += self.out.len() as u64;
        std::mem::replace(&mut self.out, next)
    }

    /// Ends the segment; gives the bytes that were not drained, and what is known of the whole
    /// file.
    pub fn finish(mut self) -> (Vec<u8>, SegmentMeta) {
        let index_offset = self.len();
        let index = self.index.encode();
        let mut footer = Vec::new();
        footer.extend(index_offset.to_le_bytes());
        footer.extend((index.len() as u64).to_le_bytes());
        footer.extend(crc32c::crc32c(&index).to_le_bytes());
        footer.extend(crc32c::crc32c(&footer).to_le_bytes());
        footer.extend(END);
        self.out.extend(index);
        self.out.extend(footer);
        let rest = self.drain_into(Vec::new());
        let meta = SegmentMeta {
            bytes: self.drained,
            hash: format!("{:032x}", self.hasher.digest128()),
            entries: self.entries,
            blocks: self.index.entries.len() as u64,
        };
        (rest, meta)
    }

    fn id(&mut self, text: &str) -> u32 {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = self.index.strings.len() as u32;
        self.index.strings.push(text.into());
        self.ids.insert(text.into(), id);
        id
    }
}

impl BlockSink for SegmentBuilder {
    /// Adds a block of the current operator; one without bytes is left out.
    fn block(&mut self, name: &str, key_group: KeyGroup, entries: u32, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let entry = IndexEntry {
            operator: self.operator,
            state: self.id(name),
            key_group: key_group.0,
            entries,
            offset: self.len(),
            len: bytes.len() as u64,
            crc: crc32c::crc32c(bytes),
        };
        self.index.entries.push(entry);
        self.entries += u64::from(entries);
        self.out.extend_from_slice(bytes);
    }
}
