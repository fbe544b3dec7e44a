//! A named accumulator per key, by the same aggregates that windows use.

use headwater_core::{Key, Result, Timed};

use crate::process::entry::Access;
use crate::process::value::access;
use crate::window::Aggregate;

/// Handle of an aggregated value per key; a constant.
///
/// # Examples
/// ```
/// use headwater_core::{Result, Timed};
/// use headwater_operators::process::AggregatingState;
/// use headwater_operators::window::Aggregate;
///
/// struct Mean;
/// impl Aggregate for Mean {
///     type In = f64;
///     type Acc = (f64, u64);
///     type Out = f64;
///     fn create(&self) -> (f64, u64) {
///         (0.0, 0)
///     }
///     fn add(&self, acc: &mut (f64, u64), n: &Timed<f64>) -> Result<()> {
///         *acc = (acc.0 + n.value, acc.1 + 1);
///         Ok(())
///     }
///     fn merge(&self, acc: &mut (f64, u64), later: &(f64, u64)) -> Result<()> {
///         *acc = (acc.0 + later.0, acc.1 + later.1);
///         Ok(())
///     }
///     fn finish(&self, acc: &(f64, u64)) -> Result<f64> {
///         Ok(acc.0 / acc.1 as f64)
///     }
/// }
/// const MEAN: AggregatingState<Mean> = AggregatingState::new("mean", Mean);
/// // in `declare`: states.aggregating(&MEAN);
/// // in `process`: cx.aggregating(&MEAN).add(3.0)?;
/// ```
pub struct AggregatingState<A> {
    pub(crate) name: &'static str,
    pub(crate) aggregate: A,
}

impl<A> AggregatingState<A> {
    /// A handle of the accumulator called `name`; the name is what checkpoints know it by.
    pub const fn new(name: &'static str, aggregate: A) -> Self {
        AggregatingState { name, aggregate }
    }
}

/// One key's accumulator. Every operation fails when the state was not declared.
#[must_use]
pub struct AggregatingView<'c, K, A: Aggregate> {
    pub(crate) entry: Access<'c, K, (), A::Acc>,
    pub(crate) aggregate: &'c A,
}

impl<K: Key, A: Aggregate> AggregatingView<'_, K, A> {
    /// Adds a value, with the event time of the record or timer being processed.
    ///
    /// # Errors
    /// When the state was not declared (this holds for all operations), or what the aggregate's
    /// `add` returned.
    pub fn add(&mut self, value: A::In) -> Result<()> {
        let entry = access(&mut self.entry)?;
        let (time, late_by) = (entry.moment.time, entry.moment.late_by);
        let record = Timed { time, late_by, value };
        match entry.get_mut(&())? {
            Some(acc) => self.aggregate.add(acc, &record),
            None => {
                // Stored only if the aggregate takes the value: `finish` never sees a fresh one.
                let mut acc = self.aggregate.create();
                self.aggregate.add(&mut acc, &record)?;
                entry.insert(&(), acc)
            }
        }
    }

    /// The aggregate's result, if anything was added.
    pub fn get(&mut self) -> Result<Option<A::Out>> {
        let acc = access(&mut self.entry)?.peek(&());
        acc.map(|acc| self.aggregate.finish(acc)).transpose()
    }

    /// Removes the accumulator.
    pub fn clear(&mut self) -> Result<()> {
        access(&mut self.entry)?.clear()
    }
}
