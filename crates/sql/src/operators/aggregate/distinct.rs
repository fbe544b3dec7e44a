//! The values of DISTINCT of groups that live long, each an entry of its own.
//!
//! So a checkpoint holds the values that came since the last one, not the whole set. Calls over the
//! same arguments share an entry: `COUNT(DISTINCT x)` and three more with a FILTER look up `x`
//! once.
//!
//! Without retractions integers are kept as pages of neighbours (see `page`); other values, and all
//! with retractions, one by one, with how often they are there for each call.

mod page;

use datafusion::arrow::array::ArrayRef;
use headwater_core::{KeyGroupRange, Result};
use headwater_state::{Slot, StateTable, Table};
use serde::{Deserialize, Serialize};

use super::plan::{Aggregates, View};
use super::state::Words;
use crate::keys::{RowKey, words};
pub(super) use page::MOST_CALLS;
use page::{Page, place};

/// Without retractions one word with a bit per call; otherwise for each call how often it is there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Marks(Words);

/// A group of the batch at work.
struct Member {
    hash: u64,
    key: RowKey,
    pages: Option<Slot>,
}

/// The tables of one operator.
pub struct DistinctTables {
    pages: Table<RowKey, (u16, i64), Page>,
    values: Table<RowKey, (u16, RowKey), Marks>,
    views: Vec<View>,
    retract: bool,
    members: Vec<Member>,
}

impl DistinctTables {
    /// Tables for these aggregates; none if they keep no values in tables.
    pub fn new(aggregates: &Aggregates, range: KeyGroupRange) -> Option<Self> {
        (!aggregates.views.is_empty()).then(|| DistinctTables {
            pages: Table::new("distinct pages", range),
            values: Table::new("distinct values", range),
            views: aggregates.views.clone(),
            retract: aggregates.retract,
            members: Vec::new(),
        })
    }

    /// The tables, for checkpoints.
    pub fn tables(&mut self) -> [&mut dyn StateTable; 2] {
        [&mut self.pages, &mut self.values]
    }

    /// Forgets the groups of the last batch.
    pub fn start_batch(&mut self) {
        self.members.clear();
    }

    /// Names the next group of the batch.
    pub fn push_group(&mut self, hash: u64, key: &RowKey) {
        let pages = self.pages.find(hash, key);
        self.members.push(Member { hash, key: key.clone(), pages });
    }

    /// Removes all values of a group.
    ///
    /// # Errors
    /// An entry cannot be encoded.
    pub fn clear(&mut self, hash: u64, key: &RowKey) -> Result<()> {
        let pages: Vec<_> = self.pages.of_key(hash, key).map(|(ns, _)| *ns).collect();
        for ns in pages {
            self.pages.remove(hash, key, &ns)?;
        }
        let values: Vec<_> = self.values.of_key(hash, key).map(|(ns, _)| ns.clone()).collect();
        for ns in values {
            self.values.remove(hash, key, &ns)?;
        }
        Ok(())
    }

    /// Puts the values of a batch in, and turns the signs of each call into what changed: 1 where a
    /// value came to be there, −1 where it ceased to.
    pub(super) fn admit(
        &mut self,
        view: usize,
        args: &[ArrayRef],
        of: &[u32],
        signs: &mut [Vec<i8>],
    ) -> Result<()> {
        match args {
            [arg] if !self.retract && words::is_int(arg.data_type()) => {
                let values = words::ints(arg).unwrap_or_default();
                self.admit_ints(view, &values, of, signs)
            }
            _ => self.admit_values(view, args, of, signs),
        }
    }

    fn admit_ints(
        &mut self,
        view: usize,
        values: &[i64],
        of: &[u32],
        signs: &mut [Vec<i8>],
    ) -> Result<()> {
        for (row, (value, group)) in values.iter().zip(of).enumerate() {
            let wanted = (signs.iter().enumerate())
                .fold(0u32, |mask, (call, signs)| mask | u32::from(signs[row] != 0) << call);
            if wanted == 0 {
                continue;
            }
            let (page, offset) = place(*value);
            let ns = (view as u16, page);
            let member = &mut self.members[*group as usize];
            let known = member.pages.and_then(|slot| self.pages.get_at(slot, &ns));
            let (new, has_page) =
                (wanted & !known.map_or(0, |page| page.known(offset)), known.is_some());
            for (call, signs) in signs.iter_mut().enumerate() {
                signs[row] = (new >> call & 1) as i8;
            }
            if new == 0 {
                continue;
            }
            if let Some(slot) = member.pages.filter(|_| has_page)
                && let Some(page) = self.pages.get_mut_at(slot, &ns)?
            {
                page.add(offset, new, signs.len());
                continue;
            }
            let (hash, key) = (member.hash, &member.key);
            let (slot, page) = self.pages.get_or_insert_with(hash, key, &ns, Page::empty)?;
            member.pages = Some(slot);
            page.add(offset, new, signs.len());
        }
        Ok(())
    }

    fn admit_values(
        &mut self,
        view: usize,
        args: &[ArrayRef],
        of: &[u32],
        signs: &mut [Vec<i8>],
    ) -> Result<()> {
        let encoded = self.views[view].codec.encode(args, of.len())?;
        for (row, group) in of.iter().enumerate() {
            if signs.iter().all(|signs| signs[row] == 0) {
                continue;
            }
            let Member { hash, key, .. } = &self.members[*group as usize];
            let ns = (view as u16, RowKey::new(encoded.row(row)));
            if !self.retract {
                let known = self.values.get(*hash, key, &ns).map_or(0, |marks| marks.0[0]);
                let mut now = known;
                for (call, signs) in signs.iter_mut().enumerate() {
                    signs[row] *= i8::from(known & (1 << call) == 0);
                    now |= i64::from(signs[row] != 0) << call;
                }
                if now != known {
                    self.values.insert(*hash, key, &ns, Marks(Words::new(&[now])))?;
                }
                continue;
            }
            let empty = || Marks(Words::new(&vec![0; signs.len()]));
            let (slot, marks) = self.values.get_or_insert_with(*hash, key, &ns, empty)?;
            for (count, signs) in marks.0.iter_mut().zip(signs.iter_mut()) {
                let before = *count > 0;
                *count += i64::from(signs[row]);
                signs[row] = i8::from(*count > 0) - i8::from(before);
            }
            if marks.0.iter().all(|count| *count == 0) {
                self.values.remove_at(slot, &ns)?;
            }
        }
        Ok(())
    }
}
