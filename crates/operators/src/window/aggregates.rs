//! Ready aggregates: count, sum, min, max, average. All merge.
//!
//! Integers never wrap: totals are kept in 128 bits, which 2^63 records of 64 bits cannot overflow,
//! and a total that does not fit the result type when a window is emitted is an error that follows
//! the operator's policy for bad records. Floats are added in `f64`; their last digits depend on
//! the order of addition, and so on arrival order.

use std::cmp::Ordering;
use std::marker::PhantomData;

use headwater_core::{Error, Record, Result, Timed};

use crate::window::aggregate::Aggregate;

/// A primitive number that can be summed without wrapping.
pub trait Number: Copy + Send + 'static {
    /// What a total is kept in.
    type Total: Record + Copy + Default;
    /// What a sum is returned as: `i64`, `u64` or `f64`.
    type Sum: Record;

    /// This number as a total.
    fn total(self) -> Self::Total;
    /// The sum of two totals, if it can be held.
    fn plus(a: Self::Total, b: Self::Total) -> Option<Self::Total>;
    /// The total as a result, if it fits.
    fn sum(total: Self::Total) -> Option<Self::Sum>;
    /// The total as the dividend of an average.
    fn dividend(total: Self::Total) -> f64;
}

macro_rules! integers {
    ($($number:ty => $sum:ty),+) => {$(
        impl Number for $number {
            type Total = i128;
            type Sum = $sum;
            fn total(self) -> i128 {
                i128::from(self)
            }
            fn plus(a: i128, b: i128) -> Option<i128> {
                a.checked_add(b)
            }
            fn sum(total: i128) -> Option<$sum> {
                total.try_into().ok()
            }
            fn dividend(total: i128) -> f64 {
                total as f64
            }
        }
    )+};
}
integers!(i8 => i64, i16 => i64, i32 => i64, i64 => i64, u8 => u64, u16 => u64, u32 => u64, u64 => u64);

macro_rules! floats {
    ($($number:ty),+) => {$(
        impl Number for $number {
            type Total = f64;
            type Sum = f64;
            fn total(self) -> f64 {
                f64::from(self)
            }
            fn plus(a: f64, b: f64) -> Option<f64> {
                Some(a + b)
            }
            fn sum(total: f64) -> Option<f64> {
                Some(total)
            }
            fn dividend(total: f64) -> f64 {
                total
            }
        }
    )+};
}
floats!(f32, f64);

/// Counts records. State: 8 bytes per key and window.
pub fn count<T: Record>() -> impl Aggregate<In = T, Acc = u64, Out = u64> {
    Count(PhantomData)
}

struct Count<T>(PhantomData<fn(T)>);

impl<T: Record> Aggregate for Count<T> {
    type In = T;
    type Acc = u64;
    type Out = u64;

    fn create(&self) -> u64 {
        0
    }
    fn add(&self, acc: &mut u64, _record: &Timed<T>) -> Result<()> {
        *acc += 1;
        Ok(())
    }
    fn merge(&self, acc: &mut u64, later: &u64) -> Result<()> {
        *acc += later;
        Ok(())
    }
    fn finish(&self, acc: &u64) -> Result<u64> {
        Ok(*acc)
    }
}

/// Adds up what `of` returns; integers give `i64` or `u64`, floats `f64`.
///
/// # Errors
/// A sum that does not fit its type is refused by the operator's policy when it is emitted.
pub fn sum<T: Record, N: Number>(
    of: impl Fn(&T) -> N + Send + Sync + 'static,
) -> impl Aggregate<In = T, Acc = N::Total, Out = N::Sum> {
    Sum { of, types: PhantomData }
}

struct Sum<T, N, F> {
    of: F,
    types: PhantomData<fn(T) -> N>,
}

impl<T: Record, N: Number, F: Fn(&T) -> N + Send + Sync + 'static> Aggregate for Sum<T, N, F> {
    type In = T;
    type Acc = N::Total;
    type Out = N::Sum;

    fn create(&self) -> N::Total {
        N::Total::default()
    }
    fn add(&self, acc: &mut N::Total, record: &Timed<T>) -> Result<()> {
        self.merge(acc, &(self.of)(&record.value).total())
    }
    fn merge(&self, acc: &mut N::Total, later: &N::Total) -> Result<()> {
        *acc = N::plus(*acc, *later).ok_or_else(overflow::<i128>)?;
        Ok(())
    }
    fn finish(&self, acc: &N::Total) -> Result<N::Sum> {
        N::sum(*acc).ok_or_else(overflow::<N::Sum>)
    }
}

fn overflow<S>() -> Error {
    Error::data(format!("sum does not fit {}", std::any::type_name::<S>()))
        .hint("sum as f64, or aggregate with a wider accumulator of your own")
}

/// The average of what `of` returns, as `f64`; integer totals are exact until the division.
pub fn avg<T: Record, N: Number>(
    of: impl Fn(&T) -> N + Send + Sync + 'static,
) -> impl Aggregate<In = T, Acc = (N::Total, u64), Out = f64> {
    Avg(Sum { of, types: PhantomData })
}

struct Avg<T, N, F>(Sum<T, N, F>);

impl<T: Record, N: Number, F: Fn(&T) -> N + Send + Sync + 'static> Aggregate for Avg<T, N, F> {
    type In = T;
    type Acc = (N::Total, u64);
    type Out = f64;

    fn create(&self) -> Self::Acc {
        (self.0.create(), 0)
    }
    fn add(&self, acc: &mut Self::Acc, record: &Timed<T>) -> Result<()> {
        self.0.add(&mut acc.0, record)?;
        acc.1 += 1;
        Ok(())
    }
    fn merge(&self, acc: &mut Self::Acc, later: &Self::Acc) -> Result<()> {
        self.0.merge(&mut acc.0, &later.0)?;
        acc.1 += later.1;
        Ok(())
    }
    fn finish(&self, acc: &Self::Acc) -> Result<f64> {
        Ok(N::dividend(acc.0) / acc.1 as f64)
    }
}

/// The least of what `of` returns; of equal ones the first. NaN counts only when there is no other.
pub fn min<T: Record, V: Record + PartialOrd>(
    of: impl Fn(&T) -> V + Send + Sync + 'static,
) -> impl Aggregate<In = T, Acc = Option<V>, Out = V> {
    Extreme { of, wanted: Ordering::Less, types: PhantomData }
}

/// The greatest of what `of` returns; of equal ones the first. NaN counts only when there is no
/// other.
pub fn max<T: Record, V: Record + PartialOrd>(
    of: impl Fn(&T) -> V + Send + Sync + 'static,
) -> impl Aggregate<In = T, Acc = Option<V>, Out = V> {
    Extreme { of, wanted: Ordering::Greater, types: PhantomData }
}

struct Extreme<T, V, F> {
    of: F,
    wanted: Ordering,
    types: PhantomData<fn(T) -> V>,
}

impl<T, V: PartialOrd, F> Extreme<T, V, F> {
    fn is_better(&self, new: &V, than: Option<&V>) -> bool {
        let Some(old) = than else { return true };
        match new.partial_cmp(old) {
            Some(order) => order == self.wanted,
            // What does not even equal itself gives way to anything that does.
            None => old.partial_cmp(old).is_none(),
        }
    }
}

impl<T, V, F> Aggregate for Extreme<T, V, F>
where
    T: Record,
    V: Record + PartialOrd,
    F: Fn(&T) -> V + Send + Sync + 'static,
{
    type In = T;
    type Acc = Option<V>;
    type Out = V;

    fn create(&self) -> Option<V> {
        None
    }
    fn add(&self, acc: &mut Option<V>, record: &Timed<T>) -> Result<()> {
        let new = (self.of)(&record.value);
        if self.is_better(&new, acc.as_ref()) {
            *acc = Some(new);
        }
        Ok(())
    }
    fn merge(&self, acc: &mut Option<V>, later: &Option<V>) -> Result<()> {
        if let Some(new) = later
            && self.is_better(new, acc.as_ref())
        {
            *acc = Some(new.clone());
        }
        Ok(())
    }
    fn finish(&self, acc: &Option<V>) -> Result<V> {
        acc.clone().ok_or_else(|| Error::internal("minimum or maximum of no record"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_core::EventTime;

    fn run<A: Aggregate>(aggregate: &A, parts: &[&[A::In]]) -> Result<A::Out> {
        let mut merged = aggregate.create();
        for part in parts {
            let mut acc = aggregate.create();
            for value in *part {
                aggregate.add(&mut acc, &Timed::new(EventTime(0), value.clone()))?;
            }
            aggregate.merge(&mut merged, &acc)?;
        }
        aggregate.finish(&merged)
    }

    #[test]
    fn integers_do_not_wrap() {
        let top = sum(|v: &i64| *v);
        assert_eq!(run(&top, &[&[i64::MAX, -5], &[5]]).unwrap(), i64::MAX);
        let error = run(&top, &[&[i64::MAX], &[1]]).unwrap_err();
        assert_eq!(error.to_string(), "sum does not fit i64");
        // It may overflow on the way, as long as the result fits.
        assert_eq!(run(&top, &[&[i64::MAX, 7, -9]]).unwrap(), i64::MAX - 2);
        assert_eq!(run(&avg(|v: &u64| *v), &[&[u64::MAX], &[u64::MAX]]).unwrap(), u64::MAX as f64);
    }

    #[test]
    fn extremes_pass_over_nan_and_keep_the_first() {
        let nan = f64::NAN;
        assert_eq!(run(&min(|v: &f64| *v), &[&[nan, 2.0], &[nan, 1.0, 3.0]]).unwrap(), 1.0);
        assert_eq!(run(&max(|v: &f64| *v), &[&[nan], &[2.0, nan]]).unwrap(), 2.0);
        assert!(run(&max(|v: &f64| *v), &[&[nan], &[nan]]).unwrap().is_nan());
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        struct First(u8, char);
        impl PartialEq for First {
            fn eq(&self, other: &First) -> bool {
                self.0 == other.0
            }
        }
        impl PartialOrd for First {
            fn partial_cmp(&self, other: &First) -> Option<Ordering> {
                self.0.partial_cmp(&other.0)
            }
        }
        let first = run(&max(First::clone), &[&[First(1, 'a'), First(2, 'b')], &[First(2, 'c')]]);
        assert_eq!(first.unwrap().1, 'b');
    }

    #[test]
    fn a_tuple_aggregates_each() {
        let all = (count(), sum(|v: &u32| *v), min(|v: &u32| *v), avg(|v: &u32| *v));
        assert_eq!(run(&all, &[&[4, 1], &[7]]).unwrap(), (3, 12, 1, 4.0));
    }
}
