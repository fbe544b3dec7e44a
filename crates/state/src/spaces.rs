//! The namespaces of one key: a short sorted vector, or an ordered map when there are many.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::group::Cell;

/// Above this many namespaces a key's cells move to a map.
const FEW: usize = 8;

/// The cells of one key, ordered by namespace.
pub(crate) enum Spaces<N, V> {
    Few(SmallVec<[(N, Cell<V>); 1]>),
    Many(BTreeMap<N, Cell<V>>),
}

impl<N: Ord + Clone, V> Spaces<N, V> {
    pub(crate) fn new() -> Self {
        Spaces::Few(SmallVec::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Spaces::Few(cells) => cells.is_empty(),
            Spaces::Many(cells) => cells.is_empty(),
        }
    }

    pub(crate) fn get(&self, ns: &N) -> Option<&Cell<V>> {
        match self {
            Spaces::Few(cells) => cells.iter().find(|(n, _)| n == ns).map(|(_, c)| c),
            Spaces::Many(cells) => cells.get(ns),
        }
    }

    pub(crate) fn get_mut(&mut self, ns: &N) -> Option<&mut Cell<V>> {
        match self {
            Spaces::Few(cells) => cells.iter_mut().find(|(n, _)| n == ns).map(|(_, c)| c),
            Spaces::Many(cells) => cells.get_mut(ns),
        }
    }

    /// The cell of `ns`, added when there is none.
    pub(crate) fn get_or_add(&mut self, ns: &N) -> &mut Cell<V> {
        if let Spaces::Few(cells) = self
            && cells.len() >= FEW
            && !cells.iter().any(|(n, _)| n == ns)
        {
            *self = Spaces::Many(cells.drain(..).collect());
        }
        match self {
            Spaces::Few(cells) => {
                let at = cells.partition_point(|(n, _)| n < ns);
                if cells.get(at).is_none_or(|(n, _)| n != ns) {
                    cells.insert(at, (ns.clone(), Cell::new()));
                }
                &mut cells[at].1
            }
            Spaces::Many(cells) => cells.entry(ns.clone()).or_insert_with(Cell::new),
        }
    }

    pub(crate) fn remove(&mut self, ns: &N) -> Option<Cell<V>> {
        match self {
            Spaces::Few(cells) => {
                let at = cells.iter().position(|(n, _)| n == ns)?;
                Some(cells.remove(at).1)
            }
            Spaces::Many(cells) => cells.remove(ns),
        }
    }

    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = (&N, &Cell<V>)> + '_> {
        match self {
            Spaces::Few(cells) => Box::new(cells.iter().map(|(n, c)| (n, c))),
            Spaces::Many(cells) => Box::new(cells.iter()),
        }
    }
}
