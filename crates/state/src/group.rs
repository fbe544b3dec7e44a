//! One key group of one table: hash index over a slab of keys, dirty list, running snapshot.
//!
//! A slot of the slab keeps its number while its key has any cell, so whoever holds a slot number
//! (a timer queue) reaches the key without hashing. Numbers are reused after that; holders check
//! that the cell they mean is there.

use hashbrown::HashTable;
use headwater_core::block::BlockWriter;
use headwater_core::codec::encode_into;
use headwater_core::{Epoch, Key, Record, Result};

use crate::spaces::Spaces;

/// One value with the epoch that last changed it.
///
/// `value` is `None` for an entry that was removed but whose removal a checkpoint still has to
/// record; such a cell is invisible to readers.
pub(crate) struct Cell<V> {
    pub(crate) value: Option<V>,
    changed: Changed,
    /// Whether some checkpoint may hold this entry: then its removal must be recorded.
    stored: bool,
}

/// An epoch in seven bytes: `stored` lies in the eighth, and what a `bool` leaves free says which
/// form a key's namespaces have. There are millions of cells.
#[derive(Clone, Copy, PartialEq)]
struct Changed([u8; 7]);

impl Changed {
    fn in_epoch(epoch: Epoch) -> Self {
        let [bytes @ .., _] = epoch.0.to_le_bytes();
        Changed(bytes)
    }
}

impl<V> Cell<V> {
    pub(crate) fn new() -> Self {
        Cell { value: None, changed: Changed::in_epoch(Epoch::NONE), stored: false }
    }

    fn is_of(&self, epoch: Epoch) -> bool {
        self.changed == Changed::in_epoch(epoch)
    }
}

pub(crate) struct KeySlot<K, N, V> {
    pub(crate) hash: u64,
    pub(crate) key: K,
    pub(crate) spaces: Spaces<N, V>,
}

/// Where a key is in the slab. The low half of its hash stands beside the number, so that probing
/// and growing the index touch no slot but the right one.
#[derive(Clone, Copy)]
struct Place {
    fingerprint: u32,
    number: u32,
}

impl Place {
    /// The hash that the index uses: the fingerprint, spread over 64 bits.
    fn index_hash(fingerprint: u32) -> u64 {
        u64::from(fingerprint).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

pub(crate) struct Group<K, N, V> {
    index: HashTable<Place>,
    slots: Vec<Option<KeySlot<K, N, V>>>,
    free: Vec<u32>,
    /// Entries changed in the running epoch; may name an entry twice or one that is gone.
    dirty: Vec<(u32, N)>,
    /// Entries changed in the epoch that is being encoded, from the back.
    frozen: Vec<(u32, N)>,
    /// Entries of that epoch that were encoded because they were about to change.
    encoded: Vec<u8>,
    /// How many these are.
    encoded_entries: u32,
    pub(crate) entries: usize,
}

/// What finding an entry costs, in bytes that could be encoded in the same time.
const VISIT_BYTES: usize = 64;

/// How many entries ahead are brought into the cache.
const WARM_AHEAD: usize = 32;

/// The epochs a change is made in: the running one, and the one being encoded if any.
#[derive(Clone, Copy)]
pub(crate) struct Epochs {
    pub(crate) running: Epoch,
    pub(crate) encoding: Option<Epoch>,
}

impl<K: Key, N: Record + Ord, V: Record> Group<K, N, V> {
    pub(crate) fn new() -> Self {
        Group {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            dirty: Vec::new(),
            frozen: Vec::new(),
            encoded: Vec::new(),
            encoded_entries: 0,
            entries: 0,
        }
    }

    pub(crate) fn find(&self, hash: u64, key: &K) -> Option<u32> {
        let (slots, fingerprint) = (&self.slots, hash as u32);
        let is_key = |place: &Place| {
            place.fingerprint == fingerprint && is_key(slots, place.number, hash, key)
        };
        self.index.find(Place::index_hash(fingerprint), is_key).map(|place| place.number)
    }

    /// Reads where a key with this hash would be; the result means nothing.
    pub(crate) fn touch(&self, hash: u64) -> u64 {
        let fingerprint = hash as u32;
        let is_like = |place: &Place| place.fingerprint == fingerprint;
        let place = self.index.find(Place::index_hash(fingerprint), is_like);
        place.and_then(|place| self.slot(place.number)).map_or(0, |slot| slot.hash)
    }

    pub(crate) fn find_or_add(&mut self, hash: u64, key: &K) -> u32 {
        if let Some(found) = self.find(hash, key) {
            return found;
        }
        let slot = KeySlot { hash, key: key.clone(), spaces: Spaces::default() };
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = Some(slot);
                number
            }
            None => {
                if self.slots.len() == self.slots.capacity() {
                    // Twice the room would be half empty on average, and fresh memory is dear.
                    self.slots.reserve_exact((self.slots.len() / 2).max(4));
                }
                self.slots.push(Some(slot));
                (self.slots.len() - 1) as u32
            }
        };
        let place = Place { fingerprint: hash as u32, number };
        let index_hash = |place: &Place| Place::index_hash(place.fingerprint);
        self.index.insert_unique(index_hash(&place), place, index_hash);
        number
    }

    pub(crate) fn slot(&self, number: u32) -> Option<&KeySlot<K, N, V>> {
        self.slots.get(number as usize)?.as_ref()
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = (u32, &KeySlot<K, N, V>)> {
        self.slots.iter().enumerate().filter_map(|(i, s)| Some((i as u32, s.as_ref()?)))
    }

    /// The value of an existing, visible entry, for a change in the running epoch.
    pub(crate) fn change(&mut self, number: u32, ns: &N, epochs: Epochs) -> Result<Option<&mut V>> {
        let Some(Some(slot)) = self.slots.get_mut(number as usize) else { return Ok(None) };
        let Some(cell) = slot.spaces.get_mut(ns) else { return Ok(None) };
        if cell.value.is_none() {
            return Ok(None);
        }
        if !cell.is_of(epochs.running) {
            if epochs.encoding.is_some_and(|epoch| cell.is_of(epoch)) {
                encode_cell(&slot.key, ns, cell, &mut self.encoded)?;
                self.encoded_entries += 1;
            }
            cell.changed = Changed::in_epoch(epochs.running);
            self.dirty.push((number, ns.clone()));
        }
        Ok(cell.value.as_mut())
    }

    /// The value of an entry, created by `default` when there is none, for a change; and whether it
    /// was created.
    pub(crate) fn change_or_add(
        &mut self,
        number: u32,
        ns: &N,
        epochs: Epochs,
        default: impl FnOnce() -> V,
    ) -> Result<(&mut V, bool)> {
        #[expect(
            clippy::expect_used,
            reason = "callers pass a number they just got from find_or_add"
        )]
        let slot = self.slots[number as usize].as_mut().expect("slot in use");
        let cell = slot.spaces.get_or_add(ns);
        if !cell.is_of(epochs.running) {
            if epochs.encoding.is_some_and(|epoch| cell.is_of(epoch)) {
                encode_cell(&slot.key, ns, cell, &mut self.encoded)?;
                self.encoded_entries += 1;
            }
            cell.changed = Changed::in_epoch(epochs.running);
            self.dirty.push((number, ns.clone()));
        }
        let added = cell.value.is_none();
        self.entries += usize::from(added);
        Ok((cell.value.get_or_insert_with(default), added))
    }

    /// Removes an entry and returns its value.
    pub(crate) fn remove(&mut self, number: u32, ns: &N, epochs: Epochs) -> Result<Option<V>> {
        if self.change(number, ns, epochs)?.is_none() {
            return Ok(None);
        }
        let Some(Some(slot)) = self.slots.get_mut(number as usize) else { return Ok(None) };
        let Some(cell) = slot.spaces.get_mut(ns) else { return Ok(None) };
        self.entries -= 1;
        let value = cell.value.take();
        if !cell.stored {
            self.forget(number, ns);
        }
        Ok(value)
    }

    /// Drops a cell that holds no value, and its key when that was the last one.
    fn forget(&mut self, number: u32, ns: &N) {
        let Some(Some(slot)) = self.slots.get_mut(number as usize) else { return };
        slot.spaces.remove(ns);
        if slot.spaces.is_empty() {
            self.forget_key(number);
        }
    }

    fn forget_key(&mut self, number: u32) {
        let Some(slot) = self.slots[number as usize].take() else { return };
        let index_hash = Place::index_hash(slot.hash as u32);
        if let Ok(entry) = self.index.find_entry(index_hash, |place| place.number == number) {
            entry.remove();
        }
        self.free.push(number);
        // A group that shrank to nothing gives its memory back.
        if self.index.is_empty() && self.dirty.is_empty() && self.frozen.is_empty() {
            self.slots = Vec::new();
            self.free = Vec::new();
            self.index = HashTable::new();
        }
    }

    /// Ends the running epoch for this group: what changed in it is to be encoded next.
    pub(crate) fn freeze(&mut self) {
        debug_assert!(self.frozen.is_empty() && self.encoded.is_empty());
        std::mem::swap(&mut self.dirty, &mut self.frozen);
    }

    /// Encodes frozen entries of about `budget` bytes into `out` and adds their number to `entries`;
    /// returns how much budget is left.
    pub(crate) fn encode(
        &mut self,
        epoch: Epoch,
        mut budget: usize,
        out: &mut Vec<u8>,
        entries: &mut u32,
    ) -> Result<usize> {
        let mut warm = self.frozen.len();
        while budget > 0 {
            if self.frozen.len() == warm {
                warm = warm.saturating_sub(WARM_AHEAD);
                self.warm_frozen(warm);
            }
            let Some((number, ns)) = self.frozen.pop() else { break };
            let before = out.len();
            budget = budget.saturating_sub(VISIT_BYTES);
            let Some(Some(slot)) = self.slots.get_mut(number as usize) else { continue };
            let Some(cell) = slot.spaces.get_mut(&ns) else { continue };
            // Changed again since the barrier: then it was encoded right before that change.
            if !cell.is_of(epoch) {
                continue;
            }
            encode_cell(&slot.key, &ns, cell, out)?;
            *entries += 1;
            budget = budget.saturating_sub(out.len() - before);
            if cell.value.is_none() {
                self.forget(number, &ns);
            }
        }
        Ok(budget)
    }

    /// Brings the slots of the last frozen entries into the cache: they lie anywhere, and here the
    /// processor can wait for many of them at a time.
    fn warm_frozen(&self, from: usize) {
        let hash = |(number, _): &(u32, N)| self.slot(*number).map_or(0, |slot| slot.hash);
        let all = self.frozen[from..].iter().fold(0, |all, entry| all ^ hash(entry));
        std::hint::black_box(all);
    }

    /// Whether entries of the frozen epoch are still to be encoded or handed over.
    pub(crate) fn is_encoding(&self) -> bool {
        !self.frozen.is_empty() || !self.encoded.is_empty()
    }

    /// Whether every frozen entry is encoded.
    pub(crate) fn is_encoded(&self) -> bool {
        self.frozen.is_empty()
    }

    /// Adds the entries that were encoded because they were about to change; how many they were.
    pub(crate) fn take_encoded(&mut self, out: &mut Vec<u8>) -> u32 {
        if self.frozen.capacity() > 1024 {
            self.frozen = Vec::new();
        }
        out.append(&mut std::mem::take(&mut self.encoded));
        std::mem::take(&mut self.encoded_entries)
    }

    /// Puts back an entry read from a checkpoint.
    pub(crate) fn load(&mut self, hash: u64, key: K, ns: N, value: Option<V>) {
        match value {
            Some(value) => {
                let number = self.find_or_add(hash, &key);
                let Some(slot) = self.slots[number as usize].as_mut() else { return };
                let cell = slot.spaces.get_or_add(&ns);
                if cell.value.is_none() {
                    self.entries += 1;
                }
                *cell = Cell {
                    value: Some(value),
                    changed: Changed::in_epoch(Epoch::NONE),
                    stored: true,
                };
            }
            None => {
                let Some(number) = self.find(hash, &key) else { return };
                let visible = |s: &KeySlot<K, N, V>| s.spaces.get(&ns).is_some();
                if self.slot(number).is_some_and(visible) {
                    self.entries -= 1;
                    self.forget(number, &ns);
                }
            }
        }
    }
}

fn is_key<K: Key, N, V>(slots: &[Option<KeySlot<K, N, V>>], i: u32, hash: u64, key: &K) -> bool {
    slots[i as usize].as_ref().is_some_and(|s| s.hash == hash && s.key == *key)
}

fn encode_cell<K: Key, N: Record, V: Record>(
    key: &K,
    ns: &N,
    cell: &mut Cell<V>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let start = out.len();
    let mut entry = BlockWriter::entry(out);
    let written = encode_into(key, entry.key()).and_then(|()| encode_into(ns, entry.key()));
    let written = written.and_then(|()| match &cell.value {
        Some(value) => encode_into(value, entry.value()),
        None => Ok(()),
    });
    if let Err(e) = written {
        out.truncate(start);
        return Err(e);
    }
    match cell.value {
        Some(_) => entry.finish(),
        None => entry.finish_removed(),
    }
    cell.stored = true;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_one_value_takes_what_it_needs_and_sixteen_bytes() {
        type Slot<V> = Option<KeySlot<[u64; 3], (), V>>;
        assert_eq!(size_of::<Slot<u64>>(), 16 + 24 + size_of::<Option<u64>>());
        assert_eq!(size_of::<Slot<Box<[u64]>>>(), 16 + 24 + size_of::<Box<[u64]>>());
    }
}
