//! The merged value of a key's sliding run of windows, in a few merges per window.
//!
//! Windows of few slices are merged afresh each time. Otherwise two stacks are kept per live key:
//! the *front* holds, for each slice of an older window, the merge of that slice with all newer
//! ones up to `boundary`; the *back* is the merge of everything since. A window is then the oldest
//! front entry inside it, merged with the back; when its start passes the boundary both are rebuilt
//! from the slices. Each slice is thus merged about twice, at any overlap, and no inverse is
//! needed.
//!
//! It is a cache of the table: never checkpointed, and void once a slice below `upto` changes or a
//! part with lost windows exists (see [`Slice`]).

use headwater_core::{EventTime, Key, Record, Result};
use headwater_state::{Slot, Table};

use super::slicing::{Slice, Slicing};
use crate::window::aggregate::Aggregate;
use crate::window::result::Window;

/// Up to this many slices a window is merged afresh.
const FEW: i64 = 8;

/// The parts of one key.
pub(crate) struct Parts<'a, K, Acc> {
    pub(crate) table: &'a Table<K, Slice, Acc>,
    pub(crate) slot: Slot,
    pub(crate) hash: u64,
    pub(crate) key: &'a K,
}

impl<'a, K: Key, Acc: Record> Parts<'a, K, Acc> {
    fn iter(&self) -> impl Iterator<Item = (&'a Slice, &'a Acc)> + use<'a, K, Acc> {
        self.table.of_key(self.hash, self.key)
    }

    /// The end of the first window after `end` that has one of the parts.
    fn next_end(&self, slicing: &Slicing, end: EventTime) -> Option<EventTime> {
        let mut next: Option<EventTime> = None;
        for (part, _) in self.iter() {
            let of_part = slicing.next_end(*part, end);
            next = [next, of_part].into_iter().flatten().min();
            let ahead = part.start >= end && part.from == slicing.first_end(part.start);
            if ahead || next == Some(EventTime(end.0 + slicing.hop())) {
                break;
            }
        }
        next
    }
}

/// The merged value of a window of a key, and the end of the next window that has data.
pub(crate) struct Merged<Acc> {
    pub(crate) acc: Option<Acc>,
    pub(crate) next: Option<EventTime>,
}

/// Running merges of one key.
pub(crate) struct Running<Acc> {
    /// By descending start: the slice's start, and the merge from there to `boundary`.
    front: Vec<(EventTime, Acc)>,
    /// The merge from `boundary` to `upto`.
    back: Option<Acc>,
    boundary: EventTime,
    /// End of the last window that was merged; nothing is valid when it is `MIN`.
    upto: EventTime,
    /// Start of the newest slice below `upto`.
    newest: EventTime,
}

impl<Acc: Record> Running<Acc> {
    pub(crate) fn new() -> Self {
        let never = EventTime::MIN;
        Running { front: Vec::new(), back: None, boundary: never, upto: never, newest: never }
    }

    /// A part was added or changed.
    pub(crate) fn changed(&mut self, part: Slice, slicing: &Slicing) {
        if part.start < self.upto || part.from > slicing.first_end(part.start) {
            self.upto = EventTime::MIN;
        }
    }

    /// Merges `window`, which comes after all windows asked for before.
    pub(crate) fn window<A: Aggregate<Acc = Acc>, K: Key>(
        &mut self,
        aggregate: &A,
        slicing: &Slicing,
        window: Window,
        parts: &Parts<'_, K, Acc>,
    ) -> Result<Merged<Acc>> {
        if slicing.slices() <= FEW {
            let acc = merge(aggregate, window, parts)?;
            return Ok(Merged { acc, next: parts.next_end(slicing, window.end) });
        }
        let valid = self.upto != EventTime::MIN
            && window.start <= self.boundary
            && window.end.0 - self.upto.0 <= slicing.hop();
        if valid {
            self.extend(aggregate, slicing, window, parts)?;
        } else {
            self.rebuild(aggregate, slicing, window, parts)?;
        }
        let mut acc = self.front.last().map(|(_, acc)| acc.clone());
        if let Some(back) = &self.back {
            match &mut acc {
                Some(acc) => aggregate.merge(acc, back)?,
                None => acc = Some(back.clone()),
            }
        }
        let next_end = EventTime(window.end.0 + slicing.hop());
        let stays = self.upto == window.end && self.newest >= slicing.window(next_end).start;
        let next = if stays { Some(next_end) } else { parts.next_end(slicing, window.end) };
        Ok(Merged { acc, next })
    }

    /// Drops what has left the window and adds the slices that have come into it.
    fn extend<A: Aggregate<Acc = Acc>, K: Key>(
        &mut self,
        aggregate: &A,
        slicing: &Slicing,
        window: Window,
        parts: &Parts<'_, K, Acc>,
    ) -> Result<()> {
        while self.front.pop_if(|(start, _)| *start < window.start).is_some() {}
        let mut start = self.upto;
        while start < window.end {
            let part = Slice { start, from: slicing.first_end(start) };
            if let Some(acc) = parts.table.get_at(parts.slot, &part) {
                self.newest = start;
                match &mut self.back {
                    Some(back) => aggregate.merge(back, acc)?,
                    None => self.back = Some(acc.clone()),
                }
            }
            start = EventTime(start.0 + slicing.width());
        }
        self.upto = window.end;
        Ok(())
    }

    /// Fills the front from the slices in the window; the back is empty then.
    fn rebuild<A: Aggregate<Acc = Acc>, K: Key>(
        &mut self,
        aggregate: &A,
        slicing: &Slicing,
        window: Window,
        parts: &Parts<'_, K, Acc>,
    ) -> Result<()> {
        let mut inside: Vec<(EventTime, &Acc)> = Vec::new();
        let mut lost_windows = false;
        for (part, acc) in parts.iter() {
            if part.from > window.end {
                lost_windows |= part.from > slicing.first_end(part.start);
            } else if window.contains(part.start) {
                inside.push((part.start, acc));
            }
        }
        self.front.clear();
        for (start, acc) in inside.into_iter().rev() {
            let mut merged = acc.clone();
            if let Some((_, newer)) = self.front.last() {
                aggregate.merge(&mut merged, newer)?;
            }
            self.front.push((start, merged));
        }
        self.back = None;
        self.boundary = window.end;
        self.upto = if lost_windows { EventTime::MIN } else { window.end };
        self.newest = self.front.first().map_or(EventTime::MIN, |(start, _)| *start);
        Ok(())
    }
}

/// Merges the parts of a key that count for `window`.
pub(crate) fn merge<A: Aggregate, K: Key>(
    aggregate: &A,
    window: Window,
    parts: &Parts<'_, K, A::Acc>,
) -> Result<Option<A::Acc>> {
    let mut merged: Option<A::Acc> = None;
    for (part, acc) in parts.iter() {
        if part.start >= window.end {
            break;
        }
        if part.start >= window.start && part.from <= window.end {
            match &mut merged {
                Some(merged) => aggregate.merge(merged, acc)?,
                None => merged = Some(acc.clone()),
            }
        }
    }
    Ok(merged)
}
