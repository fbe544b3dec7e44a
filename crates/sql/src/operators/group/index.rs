//! The groups of one batch by hash: small, cleared for every batch, and in the cache.

use hashbrown::HashTable;

/// Finds the number of a group.
#[derive(Default)]
pub struct Index {
    table: HashTable<(u64, u32)>,
    len: u32,
}

impl Index {
    /// Forgets all groups.
    pub fn clear(&mut self) {
        self.table.clear();
        self.len = 0;
    }

    /// The number of the group with this hash for which `is_group` is true, and whether it is new:
    /// numbers are given in order from 0 on.
    #[inline]
    pub fn find_or_add(&mut self, hash: u64, is_group: impl Fn(u32) -> bool) -> (u32, bool) {
        let is_same = |(known, group): &(u64, u32)| *known == hash && is_group(*group);
        if let Some((_, group)) = self.table.find(hash, is_same) {
            return (*group, false);
        }
        let group = self.len;
        self.table.insert_unique(hash, (hash, group), |(hash, _)| *hash);
        self.len += 1;
        (group, true)
    }
}
