//! An aggregate: the records with the greatest value, all of them if they are several.

use std::marker::PhantomData;

use headwater::prelude::*;

/// Keeps the records for which `value` is greatest, in order of arrival.
///
/// State: these records; a lesser record costs one comparison.
pub(super) fn highest<T: Record>(
    value: impl Fn(&T) -> u64 + Send + Sync + 'static,
) -> impl Aggregate<In = T, Out = Vec<T>> {
    Highest { value, record: PhantomData }
}

struct Highest<T, F> {
    value: F,
    record: PhantomData<fn(T)>,
}

impl<T: Record, F: Fn(&T) -> u64 + Send + Sync + 'static> Highest<T, F> {
    fn take(&self, best: &mut Vec<T>, record: &T) {
        let (new, old) = ((self.value)(record), best.first().map(&self.value));
        if old.is_none_or(|old| new > old) {
            best.clear();
            best.push(record.clone());
        } else if old == Some(new) {
            best.push(record.clone());
        }
    }
}

impl<T: Record, F: Fn(&T) -> u64 + Send + Sync + 'static> Aggregate for Highest<T, F> {
    type In = T;
    type Acc = Vec<T>;
    type Out = Vec<T>;

    fn create(&self) -> Vec<T> {
        Vec::new()
    }

    fn add(&self, best: &mut Vec<T>, record: &Timed<T>) -> Result<()> {
        self.take(best, &record.value);
        Ok(())
    }

    fn merge(&self, best: &mut Vec<T>, later: &Vec<T>) -> Result<()> {
        later.iter().for_each(|record| self.take(best, record));
        Ok(())
    }

    fn finish(&self, best: &Vec<T>) -> Result<Vec<T>> {
        Ok(best.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_kept_and_lesser_ones_dropped() {
        let aggregate = highest(|(value, _): &(u64, char)| *value);
        let fold = |records: &[(u64, char)]| {
            let mut acc = aggregate.create();
            for record in records {
                aggregate.add(&mut acc, &Timed::new(EventTime(0), *record)).unwrap();
            }
            acc
        };
        let mut acc = fold(&[(1, 'a'), (3, 'b'), (2, 'c'), (3, 'd')]);
        aggregate.merge(&mut acc, &fold(&[(3, 'e'), (0, 'f')])).unwrap();
        assert_eq!(aggregate.finish(&acc).unwrap(), [(3, 'b'), (3, 'd'), (3, 'e')]);
        aggregate.merge(&mut acc, &fold(&[(4, 'g')])).unwrap();
        assert_eq!(aggregate.finish(&acc).unwrap(), [(4, 'g')]);
    }
}
