//! Aggregates made of closures: reduce, fold and collect.

use std::marker::PhantomData;

use headwater_core::{Error, Record, Result, Timed};

use crate::window::aggregate::{Aggregate, cannot_merge};

/// Combines records pairwise; `f` must be associative, as parts of a window may be combined first.
///
/// # Examples
/// ```
/// use headwater_operators::window::reduce;
/// let longest = reduce(|a: String, b: String| if b.len() > a.len() { b } else { a });
/// # let _ = longest;
/// ```
pub fn reduce<T: Record>(
    f: impl Fn(T, T) -> T + Send + Sync + 'static,
) -> impl Aggregate<In = T, Acc = Option<T>, Out = T> {
    Reduce { f, types: PhantomData }
}

struct Reduce<T, F> {
    f: F,
    types: PhantomData<fn(T)>,
}

impl<T: Record, F: Fn(T, T) -> T + Send + Sync + 'static> Aggregate for Reduce<T, F> {
    type In = T;
    type Acc = Option<T>;
    type Out = T;

    fn create(&self) -> Option<T> {
        None
    }
    fn add(&self, acc: &mut Option<T>, record: &Timed<T>) -> Result<()> {
        let new = record.value.clone();
        *acc = Some(match acc.take() {
            Some(old) => (self.f)(old, new),
            None => new,
        });
        Ok(())
    }
    fn merge(&self, acc: &mut Option<T>, later: &Option<T>) -> Result<()> {
        *acc = match (acc.take(), later.clone()) {
            (Some(old), Some(new)) => Some((self.f)(old, new)),
            (old, new) => old.or(new),
        };
        Ok(())
    }
    fn finish(&self, acc: &Option<T>) -> Result<T> {
        acc.clone().ok_or_else(|| Error::internal("reduction of no record"))
    }
}

/// Folds records into an accumulator that starts as `init`; the result is the accumulator.
///
/// It cannot be merged, so session, sliding and overlapping count windows refuse it, and hopping
/// windows update every window of a record: implement [`Aggregate`] for those.
pub fn fold<T: Record, S: Record + Sync>(
    init: S,
    f: impl Fn(&mut S, &T) + Send + Sync + 'static,
) -> impl Aggregate<In = T, Acc = S, Out = S> {
    Fold { init, f, types: PhantomData }
}

struct Fold<T, S, F> {
    init: S,
    f: F,
    types: PhantomData<fn(T)>,
}

impl<T, S, F> Aggregate for Fold<T, S, F>
where
    T: Record,
    S: Record + Sync,
    F: Fn(&mut S, &T) + Send + Sync + 'static,
{
    type In = T;
    type Acc = S;
    type Out = S;

    fn create(&self) -> S {
        self.init.clone()
    }
    fn add(&self, acc: &mut S, record: &Timed<T>) -> Result<()> {
        (self.f)(acc, &record.value);
        Ok(())
    }
    fn merge(&self, _acc: &mut S, _later: &S) -> Result<()> {
        Err(cannot_merge())
    }
    fn merges(&self) -> bool {
        false
    }
    fn finish(&self, acc: &S) -> Result<S> {
        Ok(acc.clone())
    }
}

/// Keeps all records of a window, in order of arrival.
///
/// State: every record, and the whole list again in each checkpoint in which it grew.
pub fn collect<T: Record>() -> impl Aggregate<In = T, Acc = Vec<Timed<T>>, Out = Vec<T>> {
    Collect(PhantomData)
}

struct Collect<T>(PhantomData<fn(T)>);

impl<T: Record> Aggregate for Collect<T> {
    type In = T;
    type Acc = Vec<Timed<T>>;
    type Out = Vec<T>;

    fn create(&self) -> Vec<Timed<T>> {
        Vec::new()
    }
    fn add(&self, acc: &mut Vec<Timed<T>>, record: &Timed<T>) -> Result<()> {
        acc.push(record.clone());
        Ok(())
    }
    fn merge(&self, acc: &mut Vec<Timed<T>>, later: &Vec<Timed<T>>) -> Result<()> {
        acc.extend_from_slice(later);
        Ok(())
    }
    fn finish(&self, acc: &Vec<Timed<T>>) -> Result<Vec<T>> {
        Ok(acc.iter().map(|record| record.value.clone()).collect())
    }
}
