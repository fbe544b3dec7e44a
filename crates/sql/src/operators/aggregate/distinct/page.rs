//! 4096 neighbouring integers, and for which calls each is there.

use headwater_core::Result;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use smallvec::SmallVec;

/// Bits of an integer that name it within its page.
const BITS: u32 = 12;
/// Words of a bitmap over a page.
const WORDS: usize = 1 << (BITS - 6);
/// Number of calls whose values a page can tell apart.
pub(crate) const MOST_CALLS: usize = (u32::BITS - BITS) as usize;

/// Few values as a sorted list, many as one bitmap per call, whichever is shorter.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) enum Page {
    /// `offset << 20 | mask of calls`, sorted.
    Few(Short),
    /// The bitmaps of the calls, one after the other.
    Many(Vec<u64>),
}

/// A list that is short where few of the possible values are there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Short(SmallVec<[u32; 4]>);

impl Serialize for Short {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

impl<'de> Deserialize<'de> for Short {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Short(SmallVec::from_slice(&Vec::<u32>::deserialize(deserializer)?)))
    }
}

const MASK: u32 = (1 << MOST_CALLS) - 1;

/// The page of a value, and where it is there.
pub(super) fn place(value: i64) -> (i64, u32) {
    (value >> BITS, (value & ((1 << BITS) - 1)) as u32)
}

impl Page {
    pub(super) fn empty() -> Self {
        Page::Few(Short(SmallVec::new()))
    }

    /// The calls, as a mask, for which a value is there.
    pub(super) fn known(&self, offset: u32) -> u32 {
        match self {
            Page::Few(Short(list)) => match list.binary_search_by_key(&offset, |e| e >> MOST_CALLS)
            {
                Ok(at) => list[at] & MASK,
                Err(_) => 0,
            },
            Page::Many(bits) => {
                let (word, bit) = ((offset >> 6) as usize, offset & 63);
                let calls = bits.chunks_exact(WORDS).enumerate();
                calls.fold(0, |mask, (call, bits)| mask | ((bits[word] >> bit & 1) as u32) << call)
            }
        }
    }

    /// Adds a value for some of `calls` calls.
    pub(super) fn add(&mut self, offset: u32, mask: u32, calls: usize) {
        match self {
            Page::Few(Short(list)) => {
                match list.binary_search_by_key(&offset, |e| e >> MOST_CALLS) {
                    Ok(at) => list[at] |= mask,
                    Err(at) => list.insert(at, offset << MOST_CALLS | mask),
                }
                // Two words of 32 bits are as long as one of 64.
                if list.len() > 2 * WORDS * calls {
                    let mut many = Page::Many(vec![0; WORDS * calls]);
                    list.iter().for_each(|e| many.add(e >> MOST_CALLS, e & MASK, calls));
                    *self = many;
                }
            }
            Page::Many(bits) => {
                let (word, bit) = ((offset >> 6) as usize, offset & 63);
                for (call, bits) in bits.chunks_exact_mut(WORDS).enumerate() {
                    bits[word] |= u64::from(mask >> call & 1) << bit;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use headwater_core::codec::{decode, encode};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_have_places() {
        assert_eq!(place(0), (0, 0));
        assert_eq!(place(-1), (-1, 4095));
        assert_eq!(place(i64::MIN), (i64::MIN >> 12, 0));
        assert_eq!(place(4096 * 5 + 7), (5, 7));
    }

    proptest! {
        #[test]
        fn a_page_knows_what_was_added(
            values in prop::collection::vec((0u32..4096, 1u32..8), 1..900), calls in 3usize..5,
        ) {
            let mut page = Page::empty();
            let mut model: BTreeMap<u32, u32> = BTreeMap::new();
            for (offset, mask) in values {
                prop_assert_eq!(page.known(offset), model.get(&offset).copied().unwrap_or(0));
                page.add(offset, mask, calls);
                *model.entry(offset).or_default() |= mask;
            }
            for offset in 0..4096 {
                prop_assert_eq!(page.known(offset), model.get(&offset).copied().unwrap_or(0));
            }
            prop_assert_eq!(decode::<Page>(&encode(&page).unwrap()).unwrap(), page);
        }
    }
}
