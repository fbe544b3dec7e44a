//! Where the texts of a column are cut at a byte, found for all of them in one pass.
//!
//! A query that asks for one part of a text mostly asks for its neighbours too, in calls of their
//! own: the cuts of the column that was cut last are kept, one column per thread.

use std::cell::RefCell;
use std::rc::Rc;

use datafusion::arrow::array::{Array, StringArray};
use datafusion::arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::common::Result;

/// Longer texts are cut one by one, up to the part that is wanted.
const LONGEST_MEAN: usize = 256;

/// Parts up to this length are copied as a block of it, which is faster than by their length.
const BLOCK: usize = 16;

/// The cuts of a column.
pub(super) struct Cuts {
    of: StringArray,
    byte: u8,
    /// For each row the number of its first cut; and the number of all.
    first: Vec<u32>,
    /// Positions in the column's bytes.
    at: Vec<u32>,
}

thread_local! {
    static LAST: RefCell<Option<Rc<Cuts>>> = const { RefCell::new(None) };
}

impl Cuts {
    /// The cuts of a column at a byte of ASCII; none for one of long texts.
    pub(super) fn of(column: &StringArray, byte: u8) -> Option<Rc<Cuts>> {
        let bytes = column.value_data().len();
        if bytes > LONGEST_MEAN.saturating_mul(column.len()) || u32::try_from(bytes).is_err() {
            return None;
        }
        LAST.with_borrow_mut(|last| match last {
            Some(cuts) if cuts.byte == byte && is_same(&cuts.of, column) => Some(Rc::clone(cuts)),
            _ => {
                let cuts = Rc::new(Self::find(column, byte));
                *last = Some(Rc::clone(&cuts));
                Some(cuts)
            }
        })
    }

    fn find(column: &StringArray, byte: u8) -> Cuts {
        let at = positions(column.value_data(), byte);
        let mut first = Vec::with_capacity(column.len() + 1);
        let mut next = 0;
        for end in column.value_offsets() {
            while at.get(next).is_some_and(|at| *at < *end as u32) {
                next += 1;
            }
            first.push(next as u32);
        }
        Cuts { of: column.clone(), byte, first, at }
    }

    /// Part `index` of each text, from 0; NULL where there are fewer, and of an empty text.
    pub(super) fn parts(&self, index: usize) -> Result<StringArray> {
        let (rows, bytes) = (self.of.len(), self.of.value_data());
        let texts = self.of.value_offsets();
        let mut values: Vec<u8> = Vec::with_capacity(rows * 8);
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let mut is_there = Vec::with_capacity(rows);
        for row in 0..rows {
            let (start, end) = (texts[row] as usize, texts[row + 1] as usize);
            let cuts = &self.at[self.first[row] as usize..self.first[row + 1] as usize];
            let there = index <= cuts.len() && start < end && self.of.is_valid(row);
            if there {
                let from = index.checked_sub(1).map_or(start, |i| cuts[i] as usize + 1);
                let to = cuts.get(index).map_or(end, |cut| *cut as usize);
                push(&mut values, bytes, from, to);
            }
            is_there.push(there);
            offsets.push(values.len() as i32);
        }
        let nulls = Some(NullBuffer::from(is_there)).filter(|nulls| nulls.null_count() > 0);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(StringArray::try_new(offsets, Buffer::from_vec(values), nulls)?)
    }
}

/// Whether two columns are the same memory.
fn is_same(a: &StringArray, b: &StringArray) -> bool {
    let offsets = |array: &StringArray| array.value_offsets().as_ptr();
    let nulls = |array: &StringArray| array.nulls().map(|nulls| nulls.buffer().as_ptr());
    a.len() == b.len()
        && offsets(a) == offsets(b)
        && a.value_data().as_ptr() == b.value_data().as_ptr()
        && nulls(a) == nulls(b)
}

/// Where a byte is, eight bytes at a time: cuts are too near each other for `memchr`.
fn positions(bytes: &[u8], byte: u8) -> Vec<u32> {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let wanted = u64::from_le_bytes([byte; 8]);
    let mut at = Vec::with_capacity(bytes.len() / 8);
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let differs = u64::from_le_bytes(*word) ^ wanted;
        // The highest bit of each byte that is the same.
        let mut same = !(((differs & LOW) + LOW) | differs | LOW);
        while same != 0 {
            at.push(number as u32 * 8 + same.trailing_zeros() / 8);
            same &= same - 1;
        }
    }
    let behind = words.len() * 8;
    let in_rest = rest.iter().enumerate().filter(|(_, b)| **b == byte);
    at.extend(in_rest.map(|(i, _)| (behind + i) as u32));
    at
}

#[inline]
fn push(values: &mut Vec<u8>, bytes: &[u8], from: usize, to: usize) {
    match bytes[from..].first_chunk::<BLOCK>() {
        Some(block) if to - from <= BLOCK => {
            let len = values.len() + to - from;
            values.extend_from_slice(block);
            values.truncate(len);
        }
        _ => values.extend_from_slice(&bytes[from..to]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_are_those_of_split(
            texts in prop::collection::vec(prop::option::of("[a/é]{0,24}"), 0..40),
            from in 0_usize..10,
        ) {
            let column = StringArray::from(texts.clone());
            // Slices begin somewhere in the bytes, and end before their end.
            let from = from.min(column.len());
            let column = column.slice(from, (column.len() - from).saturating_sub(from / 2));
            let cuts = Cuts::find(&column, b'/');
            for index in 0..6 {
                let wanted: Vec<Option<&str>> = column
                    .iter()
                    .map(|text| text.filter(|t| !t.is_empty())?.split('/').nth(index))
                    .collect();
                let parts = cuts.parts(index).unwrap();
                prop_assert_eq!(parts.iter().collect::<Vec<_>>(), wanted);
            }
        }

        #[test]
        fn a_byte_is_found_wherever_it_is(bytes in prop::collection::vec(prop_oneof![
            Just(b'/'), Just(b'.'), Just(b'0'), Just(b'/' | 0x80), any::<u8>(),
        ], 0..60)) {
            let is_there = |i: &u32| bytes[*i as usize] == b'/';
            let wanted: Vec<u32> = (0..bytes.len() as u32).filter(is_there).collect();
            prop_assert_eq!(positions(&bytes, b'/'), wanted);
        }
    }

    #[test]
    fn cuts_are_kept_for_the_next_call_and_not_for_another_column() {
        let column = |text: &str| StringArray::from(vec![text]);
        let (a, b) = (column("a/b"), column("c/d"));
        let cuts = Cuts::of(&a, b'/').unwrap();
        assert!(Rc::ptr_eq(&cuts, &Cuts::of(&a.clone(), b'/').unwrap()));
        assert_eq!(Cuts::of(&b, b'/').unwrap().parts(0).unwrap(), column("c"));
        assert_eq!(Cuts::of(&b, b'c').unwrap().parts(1).unwrap(), column("/d"));
        assert!(Cuts::of(&column(&"/".repeat(1000)), b'/').is_none());
    }
}
