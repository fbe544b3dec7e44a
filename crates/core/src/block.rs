//! The byte layout of keyed state in a checkpoint: a block of entries of one state and key group.
//!
//! ```text
//! entry  = key_len:u32le  value_len_plus_1:u32le  key  value
//! ```
//! `value_len_plus_1 = 0` is a tombstone: the entry was removed. The *key* is the encoded key
//! followed by the encoded namespace. Blocks can be merged without knowing any type: later entries
//! replace earlier ones with the same key bytes.

use crate::error::{Error, Result};
use crate::key_group::KeyGroup;

/// Takes encoded entries, one block per call; implemented by the segment builder.
pub trait BlockSink {
    /// Adds a block: `entries` entries of the state `name` in `key_group`.
    fn block(&mut self, name: &str, key_group: KeyGroup, entries: u32, bytes: &[u8]);
}

/// Appends one entry. `write` appends the key first, then is told to append the value.
pub struct BlockWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    value_start: usize,
}

impl<'a> BlockWriter<'a> {
    /// Starts an entry at the end of `out`.
    pub fn entry(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; 8]);
        BlockWriter { out, start, value_start: 0 }
    }

    /// The buffer to append the key bytes to.
    pub fn key(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Ends the key; the buffer to append the value bytes to.
    pub fn value(&mut self) -> &mut Vec<u8> {
        self.end_key();
        self.out
    }

    fn end_key(&mut self) {
        self.value_start = self.out.len();
        let key_len = (self.value_start - self.start - 8) as u32;
        self.out[self.start..self.start + 4].copy_from_slice(&key_len.to_le_bytes());
    }

    /// Ends an entry with a value.
    pub fn finish(self) {
        let len = (self.out.len() - self.value_start + 1) as u32;
        self.out[self.start + 4..self.start + 8].copy_from_slice(&len.to_le_bytes());
    }

    /// Ends an entry as a tombstone.
    pub fn finish_removed(mut self) {
        self.end_key();
    }
}

/// Iterates over the entries of a block: key bytes, and value bytes or `None` for a tombstone.
pub struct BlockReader<'a> {
    rest: &'a [u8],
}

impl<'a> BlockReader<'a> {
    /// Reads a block's bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        BlockReader { rest: bytes }
    }
}

impl<'a> Iterator for BlockReader<'a> {
    type Item = Result<(&'a [u8], Option<&'a [u8]>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = split_entry(self.rest);
        match entry {
            Some((key, value, rest)) => {
                self.rest = rest;
                Some(Ok((key, value)))
            }
            None => {
                let left = self.rest.len();
                self.rest = &[];
                Some(Err(Error::state(format!(
                    "state block ends inside an entry, {left} bytes left"
                ))))
            }
        }
    }
}

type Entry<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

fn split_entry(bytes: &[u8]) -> Option<Entry<'_>> {
    let (key_len, rest) = bytes.split_first_chunk::<4>()?;
    let (value_len, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*key_len) as usize)?;
    match u32::from_le_bytes(*value_len) {
        0 => Some((key, None, rest)),
        n => {
            let (value, rest) = rest.split_at_checked(n as usize - 1)?;
            Some((key, Some(value), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_round_trip_and_truncation_is_an_error() {
        let mut out = Vec::new();
        let mut e = BlockWriter::entry(&mut out);
        e.key().extend(b"k1");
        e.value().extend(b"value");
        e.finish();
        let mut e = BlockWriter::entry(&mut out);
        e.key().extend(b"k2");
        e.finish_removed();
        let mut e = BlockWriter::entry(&mut out);
        e.key().extend(b"k3");
        e.value();
        e.finish();
        let all: Vec<_> = BlockReader::new(&out).map(Result::unwrap).collect();
        assert_eq!(all, [(&b"k1"[..], Some(&b"value"[..])), (b"k2", None), (b"k3", Some(b""))]);
        for cut in 1..out.len() {
            let read: Vec<_> = BlockReader::new(&out[..cut]).collect();
            let whole = read.iter().all(Result::is_ok);
            assert_eq!(whole, cut == 15 || cut == 25, "cut at {cut}");
        }
    }
}
