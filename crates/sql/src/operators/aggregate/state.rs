//! The state of a group: a row of words and a row of blobs; as stored, and as worked on.

use std::collections::BTreeMap;

use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

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

/// Words, few of them without an allocation of their own; stored as a list.
#[derive(Clone, Debug)]
pub enum Words {
    /// This many of them.
    Few(u8, [i64; FEW]),
    /// More than fit.
    Many(Box<[i64]>),
}

/// With as many a group takes no more room than with one that is allocated.
const FEW: usize = 2;

impl Words {
    /// These words.
    pub fn new(words: &[i64]) -> Self {
        let mut few = [0; FEW];
        match few.get_mut(..words.len()) {
            Some(to) => {
                to.copy_from_slice(words);
                Words::Few(words.len() as u8, few)
            }
            None => Words::Many(words.into()),
        }
    }
}

impl Default for Words {
    fn default() -> Self {
        Words::new(&[])
    }
}

impl std::ops::Deref for Words {
    type Target = [i64];
    fn deref(&self) -> &[i64] {
        match self {
            Words::Few(len, words) => words.get(..usize::from(*len)).unwrap_or_default(),
            Words::Many(words) => words,
        }
    }
}

impl std::ops::DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [i64] {
        match self {
            Words::Few(len, words) => words.get_mut(..usize::from(*len)).unwrap_or_default(),
            Words::Many(words) => words,
        }
    }
}

impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Words::new(&Vec::deserialize(deserializer)?))
    }
}

/// Blobs; mostly there are none, so they take one word. Stored as a list.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::box_collection, reason = "a vector takes three words")]
pub struct Blobs(Option<Box<Vec<Blob>>>);

impl Blobs {
    /// These blobs.
    pub fn new(blobs: Vec<Blob>) -> Self {
        Blobs((!blobs.is_empty()).then(|| Box::new(blobs)))
    }

    /// The blobs.
    pub fn as_slice(&self) -> &[Blob] {
        self.0.as_deref().map(Vec::as_slice).unwrap_or_default()
    }

    fn into_vec(self) -> Vec<Blob> {
        self.0.map(|blobs| *blobs).unwrap_or_default()
    }
}

impl Serialize for Blobs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Blobs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Blobs::new(Vec::deserialize(deserializer)?))
    }
}

/// The state of a group as a table holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Packed {
    /// The words.
    pub words: Words,
    /// The blobs.
    pub blobs: Blobs,
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
    pub fn push(&mut self, mut state: Packed) -> usize {
        self.load(&mut state)
    }

    /// Adds a group whose state stays where it is, until [`Groups::store`]; its blobs move here.
    pub fn load(&mut self, state: &mut Packed) -> usize {
        self.words.extend_from_slice(&state.words);
        self.blobs.extend(std::mem::take(&mut state.blobs).into_vec());
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
        let mut state = Packed::default();
        self.store(group, &mut state);
        state
    }

    /// Puts the state of a group where it was loaded from; its words stay.
    pub fn store(&mut self, group: usize, to: &mut Packed) {
        let words = self.words_of(group);
        match to.words.len() == words.len() {
            true => to.words.copy_from_slice(words),
            false => to.words = Words::new(words),
        }
        let blobs = &mut self.blobs[group * self.blob_width..(group + 1) * self.blob_width];
        to.blobs = Blobs::new(blobs.iter_mut().map(std::mem::take).collect());
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
