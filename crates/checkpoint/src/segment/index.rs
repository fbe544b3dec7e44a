//! The index of a segment: what every block is, where, and its checksum.

use super::HEADER_LEN;

const ENTRY_LEN: usize = 34;

/// One block; `operator` and `state` point into the string table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) operator: u32,
    pub(super) state: u32,
    pub(super) key_group: u16,
    pub(super) entries: u32,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) crc: u32,
}

/// The string table and the blocks in file order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) strings: Vec<String>,
    pub(super) entries: Vec<IndexEntry>,
}

impl Index {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.entries.len() * ENTRY_LEN);
        out.extend((self.strings.len() as u32).to_le_bytes());
        for text in &self.strings {
            out.extend((text.len() as u32).to_le_bytes());
            out.extend(text.as_bytes());
        }
        out.extend((self.entries.len() as u32).to_le_bytes());
        for e in &self.entries {
            out.extend(e.operator.to_le_bytes());
            out.extend(e.state.to_le_bytes());
            out.extend(e.key_group.to_le_bytes());
            out.extend(e.entries.to_le_bytes());
            out.extend(e.offset.to_le_bytes());
            out.extend(e.len.to_le_bytes());
            out.extend(e.crc.to_le_bytes());
        }
        out
    }

    /// Reads an index whose blocks end at `blocks_end`, or says what is wrong with it.
    pub(super) fn decode(bytes: &[u8], blocks_end: u64) -> Result<Index, &'static str> {
        let mut rest = bytes;
        let index = Self::parse(&mut rest).ok_or("its index ends early or is not readable")?;
        if !rest.is_empty() {
            return Err("its index has bytes after its end");
        }
        let strings = index.strings.len() as u32;
        let mut end = HEADER_LEN;
        for e in &index.entries {
            if e.operator >= strings || e.state >= strings {
                return Err("its index names a string that is not there");
            }
            if e.offset != end {
                return Err("its index leaves a gap between blocks");
            }
            end = end.checked_add(e.len).ok_or("its index has an impossible length")?;
        }
        if end != blocks_end {
            return Err("its index does not cover all blocks");
        }
        Ok(index)
    }

    fn parse(rest: &mut &[u8]) -> Option<Index> {
        let mut index = Index::default();
        for _ in 0..u32::from_le_bytes(take(rest)?) {
            let len = u32::from_le_bytes(take(rest)?) as usize;
            let (text, after) = rest.split_at_checked(len)?;
            *rest = after;
            index.strings.push(std::str::from_utf8(text).ok()?.into());
        }
        for _ in 0..u32::from_le_bytes(take(rest)?) {
            index.entries.push(IndexEntry {
                operator: u32::from_le_bytes(take(rest)?),
                state: u32::from_le_bytes(take(rest)?),
                key_group: u16::from_le_bytes(take(rest)?),
                entries: u32::from_le_bytes(take(rest)?),
                offset: u64::from_le_bytes(take(rest)?),
                len: u64::from_le_bytes(take(rest)?),
                crc: u32::from_le_bytes(take(rest)?),
            });
        }
        Some(index)
    }
}

/// Splits off the first `N` bytes.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(offset: u64, len: u64) -> IndexEntry {
        IndexEntry { operator: 0, state: 1, key_group: 9, entries: 3, offset, len, crc: 7 }
    }

    #[test]
    fn an_index_round_trips_and_must_tile_the_file() {
        let strings = vec!["op".to_string(), "state".to_string()];
        let good = Index { strings: strings.clone(), entries: vec![entry(8, 10), entry(18, 2)] };
        assert_eq!(Index::decode(&good.encode(), 20), Ok(good.clone()));
        assert!(Index::decode(&good.encode(), 21).is_err());
        let gap = Index { strings: strings.clone(), entries: vec![entry(8, 10), entry(19, 1)] };
        assert!(Index::decode(&gap.encode(), 20).is_err());
        let unnamed = Index { strings: vec!["op".into()], entries: vec![entry(8, 12)] };
        assert!(Index::decode(&unnamed.encode(), 20).is_err());
        let huge = Index { strings, entries: vec![entry(8, u64::MAX)] };
        assert!(Index::decode(&huge.encode(), 7).is_err());
        for cut in 0..good.encode().len() {
            assert!(Index::decode(&good.encode()[..cut], 20).is_err());
        }
    }
}
