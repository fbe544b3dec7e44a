//! Reads a segment: checks its frame when it is opened and each block when it is read.

use std::ops::Range;

use bytes::Bytes;
use headwater_core::{Error, ErrorKind, KeyGroup, Result};
use xxhash_rust::xxh3::Xxh3;

use super::index::{Index, IndexEntry, take};
use super::{
    Block, BlockFilter, BlockInfo, END, FOOTER_LEN, HEADER, HEADER_LEN, ReadAt, SEGMENT_FORMAT,
};

/// Neighbouring blocks are read together up to this many bytes.
const READ_BYTES: u64 = 4 << 20;

/// An open segment; holds its index, and reads blocks when asked.
pub struct SegmentReader {
    name: String,
    source: Box<dyn ReadAt>,
    index: Index,
}

impl SegmentReader {
    /// Opens a segment that is in memory.
    ///
    /// # Errors
    /// Kind `State`, naming the file and the damaged byte range.
    pub fn open(name: impl Into<String>, bytes: Bytes) -> Result<SegmentReader> {
        Self::open_at(name, Box::new(bytes))
    }

    /// Opens a segment of which only the index is held in memory.
    ///
    /// # Errors
    /// Kind `State` for damage, naming the file and the byte range; or the storage's error.
    pub fn open_at(name: impl Into<String>, source: Box<dyn ReadAt>) -> Result<SegmentReader> {
        let name = name.into();
        let size = source.len();
        let short = || damage(&name, 0..size, "it is too short to be a segment");
        let footer_at = size.checked_sub(FOOTER_LEN).ok_or_else(short)?;
        check_header(&name, &*source, size)?;
        let footer = source.read_at(footer_at..size)?;
        let (index_at, index_crc) = parse_footer(&footer)
            .filter(|(index, _)| index.start >= HEADER_LEN && index.end == footer_at)
            .ok_or_else(|| damage(&name, footer_at..size, "its footer is not readable"))?;
        let bytes = source.read_at(index_at.clone())?;
        if crc32c::crc32c(&bytes) != index_crc {
            return Err(damage(&name, index_at, "its index does not match its checksum"));
        }
        let index = Index::decode(&bytes, index_at.start)
            .map_err(|why| damage(&name, index_at.clone(), why))?;
        Ok(SegmentReader { name, source, index })
    }

    /// The name given when it was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Size of the file.
    pub fn bytes(&self) -> u64 {
        self.source.len()
    }

    /// Number of entries, tombstones included.
    pub fn entries(&self) -> u64 {
        self.index.entries.iter().map(|e| u64::from(e.entries)).sum()
    }

    /// What is in the file, in file order, without reading it.
    pub fn infos(&self) -> impl Iterator<Item = BlockInfo<'_>> {
        self.index.entries.iter().map(|e| self.info(e))
    }

    /// Reads the blocks that pass the filter, in file order, each checked against its checksum.
    ///
    /// Neighbouring blocks are read together; memory is bounded by the largest block and 4 MiB.
    pub fn blocks(&self, filter: BlockFilter<'_>) -> Blocks<'_> {
        let wanted = |e: &IndexEntry| {
            let info = self.info(e);
            filter.operator.is_none_or(|o| o == info.operator)
                && filter.state.is_none_or(|s| s == info.state)
                && filter.key_groups.is_none_or(|range| range.contains(info.key_group))
        };
        let wanted = self.index.entries.iter().filter(|e| wanted(e)).collect();
        Blocks { reader: self, wanted, next: 0, run: Bytes::new(), run_at: 0 }
    }

    /// Reads the block of this position in [`SegmentReader::infos`].
    ///
    /// # Errors
    /// Kind `State` for damage, naming the file and the byte range; or the storage's error.
    pub(crate) fn read_block(&self, position: usize) -> Result<Block<'_>> {
        let entry = self.index.entries.get(position).ok_or_else(|| {
            Error::internal(format!("segment \"{}\" has no block {position}", self.name))
        })?;
        let bytes = self.source.read_at(entry.offset..entry.offset + entry.len)?;
        self.checked(entry, bytes)
    }

    /// Opens a segment after comparing the hash of the whole file with the one in the manifest.
    ///
    /// # Errors
    /// Kind `State` for damage, naming the file and the byte range; kind `Config` for a format that
    /// this build does not read; or the storage's error.
    pub fn open_verified(
        name: impl Into<String>,
        source: Box<dyn ReadAt>,
        hash: &str,
    ) -> Result<SegmentReader> {
        let name = name.into();
        let size = source.len();
        if hash_of(&*source)? == hash {
            return Self::open_at(name, source);
        }
        // Say which part of it is damaged, if one part shows it.
        let reader = Self::open_at(name.clone(), source).map_err(as_damage)?;
        for block in reader.blocks(BlockFilter::default()) {
            block?;
        }
        Err(damage(&name, 0..size, "it is another file than the one the manifest lists"))
    }

    fn info(&self, e: &IndexEntry) -> BlockInfo<'_> {
        let text = |id: u32| self.index.strings.get(id as usize).map_or("", String::as_str);
        BlockInfo {
            operator: text(e.operator),
            state: text(e.state),
            key_group: KeyGroup(e.key_group),
            entries: e.entries,
            offset: e.offset,
            len: e.len,
        }
    }

    fn checked(&self, e: &IndexEntry, bytes: Bytes) -> Result<Block<'_>> {
        let info = self.info(e);
        if bytes.len() as u64 != e.len || crc32c::crc32c(&bytes) != e.crc {
            let why = format!(
                "a block of state \"{}\" of operator \"{}\" does not match its checksum",
                info.state, info.operator
            );
            return Err(damage(&self.name, e.offset..e.offset + e.len, &why));
        }
        Ok(Block { info, bytes })
    }
}

/// The blocks of a segment that pass a filter.
pub struct Blocks<'a> {
    reader: &'a SegmentReader,
    wanted: Vec<&'a IndexEntry>,
    next: usize,
    /// Bytes of several neighbouring blocks, and where they start in the file.
    run: Bytes,
    run_at: u64,
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<Block<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = *self.wanted.get(self.next)?;
        if entry.offset + entry.len > self.run_at + self.run.len() as u64
            && let Err(e) = self.read_run(entry)
        {
            self.next = self.wanted.len();
            return Some(Err(e));
        }
        self.next += 1;
        let start = (entry.offset - self.run_at) as usize;
        Some(self.reader.checked(entry, self.run.slice(start..start + entry.len as usize)))
    }
}

impl Blocks<'_> {
    fn read_run(&mut self, first: &IndexEntry) -> Result<()> {
        let mut end = first.offset + first.len;
        for e in &self.wanted[self.next + 1..] {
            if e.offset != end || e.offset + e.len - first.offset > READ_BYTES {
                break;
            }
            end += e.len;
        }
        self.run = self.reader.source.read_at(first.offset..end)?;
        self.run_at = first.offset;
        match self.run.len() as u64 == end - first.offset {
            true => Ok(()),
            false => Err(damage(&self.reader.name, first.offset..end, "the file ends there")),
        }
    }
}

fn hash_of(source: &dyn ReadAt) -> Result<String> {
    let mut hasher = Xxh3::new();
    let mut at = 0;
    while at < source.len() {
        let end = source.len().min(at + READ_BYTES);
        hasher.update(&source.read_at(at..end)?);
        at = end;
    }
    Ok(format!("{:032x}", hasher.digest128()))
}

/// A flipped bit in the version reads like another format, but the hash says it is damage.
fn as_damage(e: Error) -> Error {
    match e.kind() {
        ErrorKind::Config => Error::state(e.to_string()),
        _ => e,
    }
}

fn check_header(name: &str, source: &dyn ReadAt, size: u64) -> Result<()> {
    let header = source.read_at(0..HEADER_LEN.min(size))?;
    let mut rest = &header[..];
    let magic: Option<[u8; 4]> = take(&mut rest);
    let version = take(&mut rest).map(u32::from_le_bytes);
    match (magic, version) {
        (Some(magic), Some(SEGMENT_FORMAT)) if &magic == HEADER => Ok(()),
        (Some(magic), Some(version)) if &magic == HEADER && version <= 0xff => {
            Err(Error::config(format!(
                "cannot read segment \"{name}\": written with format {version} (bytes 4..8), \
                 this build reads {SEGMENT_FORMAT}"
            )))
        }
        _ => Err(damage(name, 0..HEADER_LEN, "it does not start like a segment")),
    }
}

/// Where the index is, and its checksum; `None` if the footer is damaged.
fn parse_footer(footer: &[u8]) -> Option<(Range<u64>, u32)> {
    let mut rest = footer;
    let start = u64::from_le_bytes(take(&mut rest)?);
    let len = u64::from_le_bytes(take(&mut rest)?);
    let crc = u32::from_le_bytes(take(&mut rest)?);
    let covered = footer.len() - rest.len();
    let footer_crc = u32::from_le_bytes(take(&mut rest)?);
    let whole = rest == END && footer_crc == crc32c::crc32c(&footer[..covered]);
    whole.then_some((start..start.checked_add(len)?, crc))
}

fn damage(name: &str, at: Range<u64>, why: &str) -> Error {
    Error::state(format!("segment \"{name}\" is damaged (bytes {}..{}): {why}", at.start, at.end))
}

#[cfg(test)]
mod tests {
    use headwater_core::KeyGroupRange;
    use headwater_core::block::BlockSink;

    use super::super::SegmentBuilder;
    use super::*;

    fn sample() -> (Vec<u8>, String) {
        let mut b = SegmentBuilder::new();
        b.operator("a");
        b.block("s", KeyGroup(0), 1, b"zero");
        b.block("s", KeyGroup(1), 2, b"one");
        b.block("t", KeyGroup(1), 0, b"");
        b.operator("b");
        b.block("s", KeyGroup(1), 3, b"uno");
        b.operator("a");
        b.block("t", KeyGroup(5), 4, b"five");
        let (bytes, meta) = b.finish();
        assert_eq!((meta.bytes, meta.entries, meta.blocks), (bytes.len() as u64, 10, 4));
        (bytes, meta.hash)
    }

    fn read(bytes: &[u8], filter: BlockFilter<'_>) -> Result<Vec<(String, String)>> {
        let reader = SegmentReader::open("x.seg", Bytes::copy_from_slice(bytes))?;
        reader
            .blocks(filter)
            .map(|block| {
                let Block { info, bytes } = block?;
                let name = format!("{}/{}/{}", info.operator, info.state, info.key_group.0);
                Ok((name, String::from_utf8(bytes.to_vec()).unwrap()))
            })
            .collect()
    }

    #[test]
    fn blocks_are_found_by_operator_state_and_key_group() {
        let (bytes, hash) = sample();
        let names = |filter| {
            let blocks = read(&bytes, filter).unwrap();
            blocks.iter().map(|(name, bytes)| format!("{name}={bytes}")).collect::<Vec<_>>()
        };
        let all = BlockFilter::default();
        assert_eq!(names(all), ["a/s/0=zero", "a/s/1=one", "b/s/1=uno", "a/t/5=five"]);
        let a = BlockFilter { operator: Some("a"), ..all };
        assert_eq!(names(BlockFilter { state: Some("s"), ..a }), ["a/s/0=zero", "a/s/1=one"]);
        let groups = KeyGroupRange { start: 1, end: 2, max_parallelism: 8 };
        let one = BlockFilter { key_groups: Some(groups), ..all };
        assert_eq!(names(one), ["a/s/1=one", "b/s/1=uno"]);
        assert!(SegmentReader::open_verified("x", Box::new(Bytes::from(bytes)), &hash).is_ok());
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_found() {
        let (bytes, _) = sample();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[at] ^= 1 << bit;
                let e = read(&bad, BlockFilter::default()).unwrap_err();
                assert!(e.to_string().contains("segment \"x.seg\""), "byte {at}: {e}");
                assert!(e.to_string().contains("(bytes "), "byte {at}: {e}");
            }
            assert!(read(&bytes[..at], BlockFilter::default()).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn another_valid_segment_does_not_have_the_hash() {
        let (bytes, _) = sample();
        let opened = SegmentReader::open_verified("dir/x.seg", Box::new(Bytes::from(bytes)), "00");
        let e = opened.err().unwrap();
        assert!(e.to_string().contains("another file than the one the manifest lists"), "{e}");
    }

    #[test]
    fn draining_on_the_way_gives_the_same_file() {
        let build = |drain: bool| {
            let mut file = Vec::new();
            let mut b = SegmentBuilder::new();
            for n in 0..20u16 {
                b.operator(if n % 3 == 0 { "a" } else { "b" });
                b.block("s", KeyGroup(n), 1, format!("block {n}").as_bytes());
                if drain && n % 4 == 0 {
                    file.extend(b.drain());
                    assert_eq!(b.buffered(), 0);
                }
            }
            let (rest, meta) = b.finish();
            file.extend(rest);
            (file, meta)
        };
        assert_eq!(build(true), build(false));
    }
}
