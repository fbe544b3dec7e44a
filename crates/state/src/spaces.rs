//! The namespaces of one key: mostly one, a short sorted vector of few, an ordered map of many.

use std::collections::BTreeMap;
use std::mem::take;

use crate::group::Cell;

/// Above this many namespaces a key's cells move to a map.
const FEW: usize = 8;

/// The cells of one key, ordered by namespace.
///
/// What is rare is boxed, so that a key with one namespace, of which there are millions, takes no
/// more than that needs.
#[derive(Default)]
#[expect(clippy::box_collection, reason = "a vector takes three words")]
pub(crate) enum Spaces<N, V> {
    #[default]
    Empty,
    One(N, Cell<V>),
    Few(Box<Vec<(N, Cell<V>)>>),
    Many(Box<BTreeMap<N, Cell<V>>>),
}

impl<N: Ord + Clone, V> Spaces<N, V> {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Spaces::Empty => true,
            Spaces::One(..) => false,
            Spaces::Few(cells) => cells.is_empty(),
            Spaces::Many(cells) => cells.is_empty(),
        }
    }

    pub(crate) fn get(&self, ns: &N) -> Option<&Cell<V>> {
        match self {
            Spaces::Empty => None,
            Spaces::One(one, cell) => (one == ns).then_some(cell),
            Spaces::Few(cells) => cells.iter().find(|(n, _)| n == ns).map(|(_, c)| c),
            Spaces::Many(cells) => cells.get(ns),
        }
    }

    pub(crate) fn get_mut(&mut self, ns: &N) -> Option<&mut Cell<V>> {
        match self {
            Spaces::Empty => None,
            Spaces::One(one, cell) => (one == ns).then_some(cell),
            Spaces::Few(cells) => cells.iter_mut().find(|(n, _)| n == ns).map(|(_, c)| c),
            Spaces::Many(cells) => cells.get_mut(ns),
        }
    }

    /// The cell of `ns`, added when there is none.
    pub(crate) fn get_or_add(&mut self, ns: &N) -> &mut Cell<V> {
        self.make_room(ns);
        match self {
            #[expect(clippy::unreachable, reason = "the first cell was just added")]
            Spaces::Empty => unreachable!("there is a cell"),
            Spaces::One(_, cell) => cell,
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

    /// Takes the form that has a place for `ns`: a single cell is that of `ns`.
    fn make_room(&mut self, ns: &N) {
        match self {
            Spaces::Empty => *self = Spaces::One(ns.clone(), Cell::new()),
            Spaces::One(one, _) if one != ns => {
                if let Spaces::One(one, cell) = take(self) {
                    *self = Spaces::Few(Box::new(vec![(one, cell)]));
                }
            }
            Spaces::Few(cells) if cells.len() >= FEW && !cells.iter().any(|(n, _)| n == ns) => {
                *self = Spaces::Many(Box::new(cells.drain(..).collect()));
            }
            _ => {}
        }
    }

    pub(crate) fn remove(&mut self, ns: &N) -> Option<Cell<V>> {
        match self {
            Spaces::Empty => None,
            Spaces::One(one, _) if one != ns => None,
            Spaces::One(..) => match take(self) {
                Spaces::One(_, cell) => Some(cell),
                _ => None,
            },
            Spaces::Few(cells) => {
                let at = cells.iter().position(|(n, _)| n == ns)?;
                Some(cells.remove(at).1)
            }
            Spaces::Many(cells) => cells.remove(ns),
        }
    }

    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = (&N, &Cell<V>)> + '_> {
        match self {
            Spaces::Empty => Box::new(std::iter::empty()),
            Spaces::One(one, cell) => Box::new(std::iter::once((one, cell))),
            Spaces::Few(cells) => Box::new(cells.iter().map(|(n, c)| (n, c))),
            Spaces::Many(cells) => Box::new(cells.iter()),
        }
    }
}
