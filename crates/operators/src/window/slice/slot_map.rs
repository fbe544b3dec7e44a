//! A hash map by slot of a table.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use headwater_state::Slot;

/// What an operator knows of a key beside the table, by the key's slot there.
pub(super) type SlotMap<V> = HashMap<Slot, V, BuildHasherDefault<SlotHasher>>;

/// Hashes slots, which are small dense numbers chosen by us, by one multiplication each.
#[derive(Default)]
pub(super) struct SlotHasher(u64);

impl Hasher for SlotHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }
    fn write_u16(&mut self, number: u16) {
        self.write_u32(u32::from(number));
    }
    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}
