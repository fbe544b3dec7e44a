//! Adding the state of one group to that of another: slices to windows, sessions to sessions.

use headwater_core::Result;

use super::plan::{Aggregates, Distinct, State};
use super::state::{Blob, Groups, Packed};
use super::update::overflows;

impl Aggregates {
    /// Adds `from`, whose rows come after those of `into` as far as order matters.
    ///
    /// # Errors
    /// As [`Aggregates::update`].
    pub fn merge(&self, groups: &mut Groups, into: usize, from: &Packed) -> Result<()> {
        if from.words.is_empty() {
            return Ok(());
        }
        let group = into as u32;
        *groups.word(group, 0) += from.words[0];
        for slot in self.slots.iter().filter(|slot| !slot.is_rows) {
            let at = slot.word;
            if let Some(Distinct::Inline { blob }) = slot.distinct {
                if let Some(Blob::Counts(values)) = from.blobs.as_slice().get(blob) {
                    let mut added = Vec::new();
                    if *groups.blob(group, blob) == Blob::Empty {
                        *groups.blob(group, blob) = Blob::Counts(Default::default());
                    }
                    if let Blob::Counts(into) = groups.blob(group, blob) {
                        for (value, count) in values {
                            let now = into.entry(value.clone()).or_default();
                            if *now <= 0 && *now + count > 0 {
                                added.push(value);
                            }
                            *now += count;
                        }
                    }
                    let args = slot.codec.decode(added.iter().map(|value| value.bytes()))?;
                    self.apply(slot, &args, None, &vec![group; added.len()], groups)?;
                }
                continue;
            }
            match &slot.state {
                State::Count => *groups.word(group, at) += from.words[at],
                State::SumInt => {
                    let low = i128::from(from.words[at] as u64);
                    let other = i128::from(from.words[at + 1]) << 64 | low;
                    let sum = groups.wide(into, at).checked_add(other);
                    let sum = sum.ok_or_else(|| overflows(&slot.column, "DECIMAL"))?;
                    groups.set_wide(into, at, sum);
                    *groups.word(group, at + 2) += from.words[at + 2];
                }
                State::SumFloat => {
                    let sum = groups.word(group, at);
                    let other = f64::from_bits(from.words[at] as u64);
                    *sum = (f64::from_bits(*sum as u64) + other).to_bits() as i64;
                    for more in 1..if self.retract { 5 } else { 2 } {
                        *groups.word(group, at + more) += from.words[at + more];
                    }
                }
                State::Extreme { max } if slot.in_words && !self.retract => {
                    let (value, is_set) = (from.words[at], from.words[at + 1] != 0);
                    let had = *groups.word(group, at + 1) != 0;
                    let best = groups.word(group, at);
                    if is_set && (!had || (if *max { value > *best } else { value < *best })) {
                        *best = value;
                        *groups.word(group, at + 1) = 1;
                    }
                }
                State::Edge { last } if slot.in_words && !self.retract => {
                    let had = *groups.word(group, at + 1) != 0;
                    if from.words[at + 1] != 0 && (*last || !had) {
                        *groups.word(group, at) = from.words[at];
                        *groups.word(group, at + 1) = 1;
                    }
                }
                State::Udaf(udaf) => {
                    udaf.merge(groups.blob(group, slot.blob), &from.blobs.as_slice()[slot.blob])?
                }
                state => merge_blob(
                    state,
                    groups.blob(group, slot.blob),
                    &from.blobs.as_slice()[slot.blob],
                ),
            }
        }
        Ok(())
    }
}

fn merge_blob(state: &State, into: &mut Blob, from: &Blob) {
    match (into, from) {
        (_, Blob::Empty) => {}
        (into @ Blob::Empty, from) => *into = from.clone(),
        (Blob::Counts(into), Blob::Counts(from)) => {
            for (value, count) in from {
                *into.entry(value.clone()).or_default() += count;
            }
            into.retain(|_, count| *count != 0);
        }
        (Blob::Log(next, into), Blob::Log(_, from)) => {
            for value in from.values() {
                into.insert(*next, value.clone());
                *next += 1;
            }
        }
        (Blob::Sketch(into), Blob::Sketch(from)) => into.merge(from),
        (Blob::Bytes(into), Blob::Bytes(from)) => match state {
            State::Extreme { max } if *max == (from.as_slice() > into.as_slice()) => {
                into.clone_from(from);
            }
            State::Edge { last: true } => into.clone_from(from),
            State::List { separator } => {
                into.extend_from_slice(separator.as_bytes());
                into.extend_from_slice(from);
            }
            _ => {}
        },
        _ => {}
    }
}
