//! What windows should contain, computed from the whole input without any cleverness.
//!
//! The model knows the records in order and the watermark each was read under; it knows nothing of
//! the operator's watermark, batches, barriers or workers. That results agree shows that none of
//! these matters.

use std::collections::BTreeMap;

/// One record of the input.
#[derive(Clone, Debug)]
pub struct Item {
    pub key: u8,
    pub time: i64,
    pub id: u32,
    /// Session gap of this record.
    pub gap: i64,
    /// Watermark of its split when it was read, if it was late.
    pub read_under: i64,
}

/// Which windows. All numbers are milliseconds or records.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Tumbling { size: i64, offset: i64 },
    Hopping { size: i64, slide: i64, offset: i64 },
    Cumulative { size: i64, step: i64, offset: i64 },
    Session { gap: i64 },
    SessionBy,
    Sliding { difference: i64 },
    Count { size: usize, slide: usize },
    Global,
}

/// A mistake built into the model, to see that it would be noticed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bug {
    None,
    /// A window contains the instant of its end.
    EndInside,
    /// Windows are gone one tick late.
    GoneLate,
    /// Sessions that touch are merged.
    TouchingMerge,
}

pub type Windows = BTreeMap<(u8, i64, i64), Vec<u32>>;

#[derive(Debug, PartialEq)]
pub struct Expected {
    pub windows: Windows,
    pub late: Vec<u32>,
}

pub struct Model {
    pub kind: Kind,
    pub lateness: i64,
    pub bug: Bug,
}

impl Model {
    /// Whether the window that ends at `end` is gone for a record read under `watermark`.
    fn gone(&self, end: i64, watermark: i64) -> bool {
        let late = i64::from(self.bug == Bug::GoneLate);
        watermark >= end - 1 + self.lateness + late
    }

    pub fn run(&self, items: &[Item]) -> Expected {
        let mut expected = Expected { windows: Windows::new(), late: Vec::new() };
        match self.kind {
            Kind::Session { gap } => self.sessions(items, |_| gap, &mut expected),
            Kind::SessionBy => self.sessions(items, |item| item.gap, &mut expected),
            Kind::Sliding { difference } => self.sliding(items, difference, &mut expected),
            Kind::Count { size, slide } => counts(items, size, slide, &mut expected),
            _ => self.fixed(items, &mut expected),
        }
        expected.windows.values_mut().for_each(|ids| ids.sort_unstable());
        expected.late.sort_unstable();
        expected
    }

    fn fixed(&self, items: &[Item], expected: &mut Expected) {
        for item in items {
            let windows = self.windows_of(item.time);
            let left = windows.iter().filter(|(_, end)| !self.gone(*end, item.read_under));
            let mut late = true;
            for (start, end) in left {
                late = false;
                expected.windows.entry((item.key, *start, *end)).or_default().push(item.id);
            }
            if late {
                expected.late.push(item.id);
            }
        }
    }

    fn windows_of(&self, time: i64) -> Vec<(i64, i64)> {
        let mut all = Vec::new();
        let mut every = |size: i64, slide: i64, offset: i64, len: i64| {
            for start in time - size..=time {
                let inside =
                    time < start + len || self.bug == Bug::EndInside && time == start + len;
                if (start - offset).rem_euclid(slide) == 0 && inside {
                    all.push((start, start + len));
                }
            }
        };
        match self.kind {
            Kind::Tumbling { size, offset } => every(size, size, offset, size),
            Kind::Hopping { size, slide, offset } => every(size, slide, offset, size),
            Kind::Cumulative { size, step, offset } => {
                (1..=size / step).for_each(|n| every(size, size, offset, n * step));
            }
            _ => all.push((i64::MIN, i64::MAX)),
        }
        all
    }

    fn sessions(&self, items: &[Item], gap: impl Fn(&Item) -> i64, expected: &mut Expected) {
        let mut sessions: BTreeMap<u8, Vec<(i64, i64, Vec<u32>)>> = BTreeMap::new();
        let touch = i64::from(self.bug == Bug::TouchingMerge);
        for item in items {
            let of_key = sessions.entry(item.key).or_default();
            let (mut start, mut end) = (item.time, item.time + gap(item));
            let (own_start, own_end) = (start, end);
            let mut joined = vec![false; of_key.len()];
            for (joined, (s, e, _)) in joined.iter_mut().zip(of_key.iter()) {
                let overlaps = *s < own_end + touch && own_start < *e + touch;
                if overlaps && !self.gone(*e, item.read_under) {
                    *joined = true;
                    (start, end) = (start.min(*s), end.max(*e));
                }
            }
            if self.gone(end, item.read_under) {
                expected.late.push(item.id);
                continue;
            }
            let mut ids = vec![item.id];
            let mut rest = Vec::new();
            for (joined, session) in joined.into_iter().zip(of_key.drain(..)) {
                if joined { ids.extend(session.2) } else { rest.push(session) }
            }
            rest.push((start, end, ids));
            *of_key = rest;
        }
        for (key, of_key) in sessions {
            for (start, end, ids) in of_key {
                expected.windows.entry((key, start, end)).or_default().extend(ids);
            }
        }
    }

    fn sliding(&self, items: &[Item], difference: i64, expected: &mut Expected) {
        let mut taken = Vec::new();
        for item in items {
            if self.gone(item.time + difference + 1, item.read_under) {
                expected.late.push(item.id);
            } else {
                taken.push(item);
            }
        }
        for made_by in &taken {
            for end in [made_by.time + 1, made_by.time + difference + 2] {
                if self.gone(end, made_by.read_under) {
                    continue;
                }
                let start = end - difference - 1;
                let last = end - i64::from(self.bug != Bug::EndInside);
                let inside = taken.iter().filter(|item| {
                    item.key == made_by.key
                        && (start..=last).contains(&item.time)
                        && !self.gone(end, item.read_under)
                });
                let ids: Vec<u32> = inside.map(|item| item.id).collect();
                if !ids.is_empty() {
                    expected.windows.insert((made_by.key, start, end), ids);
                }
            }
        }
    }
}

fn counts(items: &[Item], size: usize, slide: usize, expected: &mut Expected) {
    let mut of_key: BTreeMap<u8, Vec<&Item>> = BTreeMap::new();
    for item in items {
        let so_far = of_key.entry(item.key).or_default();
        so_far.push(item);
        if so_far.len().is_multiple_of(slide) {
            let window = &so_far[so_far.len().saturating_sub(size)..];
            let start = window.iter().map(|i| i.time).min().unwrap();
            let end = window.iter().map(|i| i.time).max().unwrap() + 1;
            // Several windows may have the same bounds; their records are looked at together.
            let ids = window.iter().map(|i| i.id);
            expected.windows.entry((item.key, start, end)).or_default().extend(ids);
        }
    }
}
