//! The aggregate contract: how the records of a window become one value.
//!
//! Invariant every operator keeps: a result is emitted only for a window that holds at least one
//! record, so `finish` never sees a fresh accumulator (an evictor that leaves nothing stops the
//! emission).

use headwater_core::{Error, Record, Result, Timed};

use crate::window::result::Window;

/// Folds the records of a window into an accumulator, and that into a result.
///
/// - State: one accumulator per key and window (or slice of a window, or record time), which is
///   written to checkpoints as it is: keep it small.
/// - Order: records of one key are added as they arrive; partial accumulators are merged in order
///   of time. Unless the input is in order, the result should not depend on order.
///
/// # Examples
/// ```
/// use headwater_core::{Record, Result, Timed};
/// use headwater_operators::window::Aggregate;
///
/// struct Longest;
/// impl Aggregate for Longest {
///     type In = String;
///     type Acc = u64;
///     type Out = u64;
///     fn create(&self) -> u64 {
///         0
///     }
///     fn add(&self, acc: &mut u64, record: &Timed<String>) -> Result<()> {
///         *acc = (*acc).max(record.value.len() as u64);
///         Ok(())
///     }
///     fn merge(&self, acc: &mut u64, later: &u64) -> Result<()> {
///         *acc = (*acc).max(*later);
///         Ok(())
///     }
///     fn finish(&self, acc: &u64) -> Result<u64> {
///         Ok(*acc)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not aggregate windows",
    note = "use `count()`, `sum(..)`, `reduce(..)`, `fold(..)`, `collect()`, a tuple of these, or \
            implement `Aggregate`"
)]
pub trait Aggregate: Send + Sync + 'static {
    /// What is aggregated.
    type In: Record;
    /// The state of an unfinished window.
    type Acc: Record;
    /// What a window emits.
    type Out: Record;

    /// The accumulator of no record.
    fn create(&self) -> Self::Acc;

    /// Adds one record.
    ///
    /// # Errors
    /// The record is refused by the operator's policy; `acc` must be as it was. A record of several
    /// windows that one of them refuses stays in those that took it before.
    fn add(&self, acc: &mut Self::Acc, record: &Timed<Self::In>) -> Result<()>;

    /// Adds what another accumulator, of later or interleaved records, has seen.
    ///
    /// # Errors
    /// Fails the job.
    fn merge(&self, acc: &mut Self::Acc, later: &Self::Acc) -> Result<()>;

    /// Whether [`Aggregate::merge`] works. Session and sliding windows need it, hopping ones are
    /// faster with it.
    fn merges(&self) -> bool {
        true
    }

    /// Called before every emission, with the accumulator as it is stored; false to emit nothing.
    ///
    /// For evictors. Windows that are cut into slices pass a merged copy.
    fn prepare(&self, acc: &mut Self::Acc, window: Window) -> bool {
        let _ = (acc, window);
        true
    }

    /// The result; the accumulator may live on.
    ///
    /// # Errors
    /// The result is refused by the operator's policy, as if it were a record.
    fn finish(&self, acc: &Self::Acc) -> Result<Self::Out>;
}

/// The error of merging what cannot be merged; operators are built such that it does not come up.
pub(crate) fn cannot_merge() -> Error {
    Error::internal("an aggregate that cannot be merged was merged")
}

macro_rules! tuple_of_aggregates {
    ($($name:ident $at:tt),+) => {
        /// Several aggregates over the same records; the result is a tuple.
        ///
        /// When a later part refuses a record, the earlier parts keep it.
        impl<T: Record, $($name: Aggregate<In = T>),+> Aggregate for ($($name,)+) {
            type In = T;
            type Acc = ($($name::Acc,)+);
            type Out = ($($name::Out,)+);

            fn create(&self) -> Self::Acc {
                ($(self.$at.create(),)+)
            }
            fn add(&self, acc: &mut Self::Acc, record: &Timed<T>) -> Result<()> {
                $(self.$at.add(&mut acc.$at, record)?;)+
                Ok(())
            }
            fn merge(&self, acc: &mut Self::Acc, later: &Self::Acc) -> Result<()> {
                $(self.$at.merge(&mut acc.$at, &later.$at)?;)+
                Ok(())
            }
            fn merges(&self) -> bool {
                $(self.$at.merges())&&+
            }
            fn prepare(&self, acc: &mut Self::Acc, window: Window) -> bool {
                // Each part must get its chance to evict, so no short circuit.
                $(self.$at.prepare(&mut acc.$at, window))&+
            }
            fn finish(&self, acc: &Self::Acc) -> Result<Self::Out> {
                Ok(($(self.$at.finish(&acc.$at)?,)+))
            }
        }
    };
}

tuple_of_aggregates!(A 0, B 1);
tuple_of_aggregates!(A 0, B 1, C 2);
tuple_of_aggregates!(A 0, B 1, C 2, D 3);
tuple_of_aggregates!(A 0, B 1, C 2, D 3, E 4);
