//! The state of a group: a row of words and a row of blobs; as stored, and as worked on.

use std::collections::BTreeMap;

use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::hll::Hll;
use crate::keys::RowKey;

/// What does not fit a word.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Blob {
    /// No value yet.
    #[default]
    Empty,
    /// One value.
    Bytes(Vec<u8>),
    /// Values with how often they are there, in order.
    Counts(BTreeMap<RowKey, i64>),
    /// Values by arrival.
    Log(i64, BTreeMap<i64, RowKey>),
    /// A sketch.
    Sketch(Hll),
}

/// Few words without an allocation of their own; stored as a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words(pub SmallVec<[i64; 4]>);

impl std::ops::Deref for Words {
    type Target = [i64];
    fn deref(&self) -> &[i64] {
        &self.0
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Words(SmallVec::from_slice(&Vec::deserialize(deserializer)?)))
    }
}

/// The state of a group as a table holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Packed {
    /// The words.
    pub words: Words,
    /// The blobs.
    pub blobs: Vec<Blob>,
}

/// The groups that one batch touches, laid out for loops over rows.
#[derive(Debug, Default)]
pub struct Groups {
    width: usize,
    blob_width: usize,
    len: usize,
    /// `width` words per group.
    pub words: Vec<i64>,
    /// `blob_width` blobs per group.
    pub blobs: Vec<Blob>,
}

impl Groups {
    /// No groups, of this many words and blobs each.
    pub fn new(width: usize, blob_width: usize) -> Self {
        Groups { width, blob_width, ..Groups::default() }
    }

    /// Forgets all groups.
    pub fn clear(&mut self) {
        self.len = 0;
        self.words.clear();
        self.blobs.clear();
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a group; the default state is one without rows.
    pub fn push(&mut self, state: Packed) -> usize {
        self.words.extend_from_slice(&state.words);
        self.blobs.extend(state.blobs);
        self.len += 1;
        self.words.resize(self.len * self.width, 0);
        self.blobs.resize(self.len * self.blob_width, Blob::Empty);
        self.len - 1
    }

    /// Removes the last group.
    pub fn pop(&mut self) {
        self.len = self.len.saturating_sub(1);
        self.words.truncate(self.len * self.width);
        self.blobs.truncate(self.len * self.blob_width);
    }

    /// Takes the state of a group out, to be stored; its words stay.
    pub fn take(&mut self, group: usize) -> Packed {
        let blobs = &mut self.blobs[group * self.blob_width..(group + 1) * self.blob_width];
        let blobs = blobs.iter_mut().map(std::mem::take).collect();
        Packed { words: Words(SmallVec::from_slice(self.words_of(group))), blobs }
    }

    /// The words of a group.
    pub fn words_of(&self, group: usize) -> &[i64] {
        &self.words[group * self.width..(group + 1) * self.width]
    }

    /// A word of a group.
    #[inline]
    pub fn word(&mut self, group: u32, at: usize) -> &mut i64 {
        &mut self.words[group as usize * self.width + at]
    }

    /// A blob of a group.
    #[inline]
    pub fn blob(&mut self, group: u32, at: usize) -> &mut Blob {
        &mut self.blobs[group as usize * self.blob_width + at]
    }

    /// A blob of a group.
    pub fn blob_of(&self, group: usize, at: usize) -> &Blob {
        &self.blobs[group * self.blob_width + at]
    }

    /// Number of rows of a group.
    pub fn rows_of(&self, group: usize) -> i64 {
        self.words[group * self.width]
    }

    /// A pair of words as one of 128 bits.
    #[inline]
    pub fn wide(&self, group: usize, at: usize) -> i128 {
        let low = self.words[group * self.width + at] as u64;
        i128::from(self.words[group * self.width + at + 1]) << 64 | i128::from(low)
    }

    /// Sets a pair of words.
    #[inline]
    pub fn set_wide(&mut self, group: usize, at: usize, value: i128) {
        self.words[group * self.width + at] = value as i64;
        self.words[group * self.width + at + 1] = (value >> 64) as i64;
    }
}
