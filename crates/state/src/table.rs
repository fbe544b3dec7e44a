//! A table of keyed state: `(key, namespace) → value`, split by key group, with change tracking.
//!
//! Life of a checkpoint here: [`StateTable::freeze`] ends the running epoch in microseconds;
//! [`StateTable::encode`] is then called again and again with a small budget between batches, until
//! it says that all is handed over. An entry that is about to change while it still waits to be
//! encoded is encoded first, so the checkpoint holds the state as of the barrier.

use headwater_core::block::{BlockReader, BlockSink};
use headwater_core::codec::{decode, decode_prefix};
use headwater_core::key_group::hash_key;
use headwater_core::{Epoch, Error, Key, KeyGroup, KeyGroupRange, Record, Result, Schema};

use crate::group::{Epochs, Group};

/// Where a key lives in a table; valid while the key has an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    group: u16,
    number: u32,
}

/// Name and shape of a table, as a manifest records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// Name of the state, unique within its operator.
    pub name: String,
    /// Shape of the keys.
    pub key: Schema,
    /// Shape of the namespaces (windows, map keys, list positions).
    pub namespace: Schema,
    /// Shape of the values.
    pub value: Schema,
}

/// What the engine needs of any table, whatever its types and backend.
pub trait StateTable: Send {
    /// Name and shape.
    fn info(&self) -> TableInfo;
    /// Ends the running epoch `closing`. Whatever changes from now on belongs to the next one.
    fn freeze(&mut self, closing: Epoch) -> Result<()>;
    /// Encodes about `budget` bytes of the frozen epoch and hands finished key groups to `sink`; true
    /// when nothing is left.
    fn encode(&mut self, budget: usize, sink: &mut dyn BlockSink) -> Result<bool>;
    /// Puts back one block of entries; later calls win over earlier ones.
    fn load(&mut self, group: KeyGroup, block: &[u8]) -> Result<()>;
    /// Declares that `restored` was the last closed epoch.
    fn start_after(&mut self, restored: Epoch);
    /// Number of entries.
    fn len(&self) -> usize;
    /// Whether there is no entry.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Estimated memory of the entries, in bytes; heap memory inside values is not seen.
    fn bytes(&self) -> usize;
}

/// Keyed state of one kind on one worker.
///
/// - Shape: at most one `V` per `(K, N)`; `N` is `()` for a plain value, the window for a window's
///   accumulator, the map key for a map state.
/// - State: about 40 bytes plus key and value per key with one namespace.
/// - Units: none; entries carry the epoch of their last change.
pub struct Table<K, N, V> {
    name: String,
    range: KeyGroupRange,
    groups: Vec<Group<K, N, V>>,
    running: Epoch,
    encoding: Option<Encoding>,
    /// Visible entries of all groups.
    entries: usize,
}

/// From this many entries on a table no longer fits a core's cache.
const WARM_FROM: usize = 50_000;

/// For how many rows entries are brought into the cache at a time: more would push each other out.
const WARM_ROWS: usize = 256;

struct Encoding {
    epoch: Epoch,
    next_group: usize,
    /// The entries of that group that are not handed over; one buffer for all groups, as fresh
    /// memory is slow.
    out: Vec<u8>,
    /// How many these are.
    entries: u32,
}

/// From this size on a block is handed over, though its key group may have more entries: handing
/// over copies it, which must not take long.
const BLOCK_BYTES: usize = 128 << 10;

impl Encoding {
    fn of(epoch: Epoch) -> Self {
        Encoding { epoch, next_group: 0, out: Vec::new(), entries: 0 }
    }

    fn hand_over(&mut self, table: &str, group: KeyGroup, sink: &mut dyn BlockSink) {
        if self.entries > 0 {
            sink.block(table, group, self.entries, &self.out);
        }
        self.out.clear();
        self.entries = 0;
    }
}

impl<K: Key, N: Record + Ord, V: Record> Table<K, N, V> {
    /// An empty table for the key groups of `range`.
    pub fn new(name: impl Into<String>, range: KeyGroupRange) -> Self {
        let groups = (0..range.len()).map(|_| Group::new()).collect();
        Table { name: name.into(), range, groups, running: Epoch(1), encoding: None, entries: 0 }
    }

    fn group_of(&self, hash: u64) -> u16 {
        let group = KeyGroup::of(hash, self.range.max_parallelism).0;
        debug_assert!(self.range.contains(KeyGroup(group)), "key of another worker");
        group - self.range.start
    }

    /// The epochs a change in `group` is made in; a group that was handed over encodes no more.
    fn epochs(&self, group: u16) -> Epochs {
        let open = self.encoding.as_ref().filter(|e| e.next_group <= usize::from(group));
        Epochs { running: self.running, encoding: open.map(|e| e.epoch) }
    }

    /// Finds a key that has an entry.
    pub fn find(&self, hash: u64, key: &K) -> Option<Slot> {
        let group = self.group_of(hash);
        let number = self.groups[usize::from(group)].find(hash, key)?;
        Some(Slot { group, number })
    }

    /// The key in a slot, with its hash.
    pub fn key(&self, slot: Slot) -> Option<(u64, &K)> {
        let slot = self.groups[usize::from(slot.group)].slot(slot.number)?;
        Some((slot.hash, &slot.key))
    }

    /// Brings the entries of keys with these hashes into the cache before they are needed one by
    /// one: some hundreds at a time.
    ///
    /// In a large table each key costs several cache misses. Here they are independent of each
    /// other, so the processor waits for many at a time. Does nothing for a small table.
    pub fn warm(&self, hashes: impl Iterator<Item = u64>) {
        if self.entries >= WARM_FROM {
            let touch = |hash| self.groups[usize::from(self.group_of(hash))].touch(hash);
            std::hint::black_box(hashes.map(touch).fold(0, |all, one| all ^ one));
        }
    }

    /// [`Table::warm`] for a loop over many rows: called with every `row` in turn, it warms the next
    /// [`WARM_ROWS`] of `hashes` once per that many rows.
    pub fn warm_ahead(&self, hashes: &[u64], row: usize) {
        if row.is_multiple_of(WARM_ROWS) {
            self.warm(hashes.iter().skip(row).take(WARM_ROWS).copied());
        }
    }

    /// The value of `(key, ns)`.
    pub fn get(&self, hash: u64, key: &K, ns: &N) -> Option<&V> {
        self.get_at(self.find(hash, key)?, ns)
    }

    /// The value of `ns` of the key in `slot`.
    pub fn get_at(&self, slot: Slot, ns: &N) -> Option<&V> {
        let slot = self.groups[usize::from(slot.group)].slot(slot.number)?;
        slot.spaces.get(ns)?.value.as_ref()
    }

    /// The value of `(key, ns)` for a change, if there is one.
    pub fn get_mut(&mut self, hash: u64, key: &K, ns: &N) -> Result<Option<&mut V>> {
        match self.find(hash, key) {
            Some(slot) => self.get_mut_at(slot, ns),
            None => Ok(None),
        }
    }

    /// The value of `ns` of the key in `slot` for a change, if there is one.
    pub fn get_mut_at(&mut self, slot: Slot, ns: &N) -> Result<Option<&mut V>> {
        let epochs = self.epochs(slot.group);
        self.groups[usize::from(slot.group)].change(slot.number, ns, epochs)
    }

    /// The value of `(key, ns)` for a change, created by `default` when there is none; and its
    /// slot.
    pub fn get_or_insert_with(
        &mut self,
        hash: u64,
        key: &K,
        ns: &N,
        default: impl FnOnce() -> V,
    ) -> Result<(Slot, &mut V)> {
        let group = self.group_of(hash);
        let epochs = self.epochs(group);
        let in_group = &mut self.groups[usize::from(group)];
        let number = in_group.find_or_add(hash, key);
        let (value, added) = in_group.change_or_add(number, ns, epochs, default)?;
        self.entries += usize::from(added);
        Ok((Slot { group, number }, value))
    }

    /// Sets the value of `(key, ns)`.
    pub fn insert(&mut self, hash: u64, key: &K, ns: &N, value: V) -> Result<Slot> {
        let mut value = Some(value);
        #[expect(clippy::expect_used, reason = "taken at most once")]
        let default = || value.take().expect("taken at most once");
        let (slot, found) = self.get_or_insert_with(hash, key, ns, default)?;
        if let Some(value) = value {
            *found = value;
        }
        Ok(slot)
    }

    /// Removes `(key, ns)` and returns its value.
    pub fn remove(&mut self, hash: u64, key: &K, ns: &N) -> Result<Option<V>> {
        match self.find(hash, key) {
            Some(slot) => self.remove_at(slot, ns),
            None => Ok(None),
        }
    }

    /// Removes `ns` of the key in `slot` and returns its value.
    pub fn remove_at(&mut self, slot: Slot, ns: &N) -> Result<Option<V>> {
        let epochs = self.epochs(slot.group);
        let removed = self.groups[usize::from(slot.group)].remove(slot.number, ns, epochs)?;
        self.entries -= usize::from(removed.is_some());
        Ok(removed)
    }

    /// The entries of one key, ordered by namespace.
    pub fn of_key(&self, hash: u64, key: &K) -> impl Iterator<Item = (&N, &V)> {
        let slot = self.find(hash, key);
        let slot = slot.and_then(|s| self.groups[usize::from(s.group)].slot(s.number));
        slot.into_iter()
            .flat_map(|s| s.spaces.iter())
            .filter_map(|(ns, cell)| Some((ns, cell.value.as_ref()?)))
    }

    /// Every entry, in no particular order: for rebuilding indexes after a restore, and for tests.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &K, &N, &V)> {
        self.groups.iter().enumerate().flat_map(|(g, group)| {
            group.slots().flat_map(move |(number, slot)| {
                let at = Slot { group: g as u16, number };
                let cells = slot.spaces.iter();
                cells.filter_map(move |(ns, cell)| Some((at, &slot.key, ns, cell.value.as_ref()?)))
            })
        })
    }
}

impl<K: Key, N: Record + Ord, V: Record> StateTable for Table<K, N, V> {
    fn info(&self) -> TableInfo {
        TableInfo {
            name: self.name.clone(),
            key: Schema::of::<K>(),
            namespace: Schema::of::<N>(),
            value: Schema::of::<V>(),
        }
    }

    fn freeze(&mut self, closing: Epoch) -> Result<()> {
        if self.encoding.is_some() {
            let running = "a snapshot is still being encoded";
            return Err(Error::internal(format!("state {:?}: {running}", self.name)));
        }
        if closing != self.running {
            return Err(Error::internal(format!(
                "state {:?}: asked to close epoch {closing} in epoch {}",
                self.name, self.running
            )));
        }
        self.groups.iter_mut().for_each(Group::freeze);
        self.encoding = Some(Encoding::of(closing));
        self.running = closing.next();
        Ok(())
    }

    fn encode(&mut self, mut budget: usize, sink: &mut dyn BlockSink) -> Result<bool> {
        let Some(encoding) = &mut self.encoding else { return Ok(true) };
        while let Some(group) = self.groups.get_mut(encoding.next_group) {
            let number = KeyGroup(self.range.start + encoding.next_group as u16);
            if group.is_encoding() {
                let Encoding { epoch, out, entries, .. } = encoding;
                budget = group.encode(*epoch, budget, out, entries)?;
                if !group.is_encoded() {
                    if out.len() >= BLOCK_BYTES {
                        encoding.hand_over(&self.name, number, sink);
                    }
                    return Ok(false);
                }
                *entries += group.take_encoded(out);
                encoding.hand_over(&self.name, number, sink);
            }
            encoding.next_group += 1;
        }
        self.encoding = None;
        Ok(true)
    }

    fn load(&mut self, group: KeyGroup, block: &[u8]) -> Result<()> {
        if !self.range.contains(group) {
            return Ok(());
        }
        let into = &mut self.groups[usize::from(group.0 - self.range.start)];
        self.entries -= into.entries;
        for entry in BlockReader::new(block) {
            let (key, value) = entry?;
            let (key, ns) = decode_prefix::<K>(key)?;
            let ns = decode::<N>(ns)?;
            let value = value.map(decode::<V>).transpose()?;
            into.load(hash_key(&key), key, ns, value);
        }
        self.entries += into.entries;
        Ok(())
    }

    fn start_after(&mut self, restored: Epoch) {
        self.running = restored.next();
    }

    fn len(&self) -> usize {
        self.entries
    }

    fn bytes(&self) -> usize {
        let entry = size_of::<K>() + size_of::<N>() + size_of::<V>() + 56;
        self.len() * entry
    }
}
