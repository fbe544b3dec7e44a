//! Process functions from a closure: one state per key, no timers and no further states.

use std::marker::PhantomData;

use headwater_core::{Error, Key, Record, Result};

use crate::process::{Cx, Process};

/// The context a closure gets.
pub type FnCx<'a, K, I, O, S> = Cx<'a, Types<K, I, O, S>>;

/// Makes a [`Process`] function of a closure; for state without timers.
///
/// # Examples
/// ```
/// use headwater_core::Result;
/// use headwater_operators::process::{Process, process_fn};
///
/// /// Numbers the records of each key from 1.
/// fn numbered() -> impl Process<Key = String, In = u64, Out = (u64, u64), State = u64> {
///     process_fn(|cx, record| {
///         *cx.state() += 1;
///         let number = *cx.state();
///         cx.emit((number, record));
///         Ok(())
///     })
/// }
/// # let _ = numbered();
/// ```
pub fn process_fn<K, I, O, S, F>(f: F) -> ProcessFn<K, I, O, S, F>
where
    K: Key,
    I: Record,
    O: Record,
    S: Record + Default,
    F: Fn(&mut FnCx<'_, K, I, O, S>, I) -> Result<()> + Send + Sync + 'static,
{
    ProcessFn { f, types: PhantomData }
}

/// See [`process_fn`].
pub struct ProcessFn<K, I, O, S, F> {
    f: F,
    types: PhantomData<fn(K, I, S) -> O>,
}

/// Names the types of a closure's context without naming the closure, whose type would contain
/// itself otherwise. It is never run.
pub struct Types<K, I, O, S>(PhantomData<fn(K, I, S) -> O>);

impl<K: Key, I: Record, O: Record, S: Record + Default> Process for Types<K, I, O, S> {
    type Key = K;
    type In = I;
    type Out = O;
    type State = S;

    fn process(&self, _cx: &mut Cx<'_, Self>, _record: I) -> Result<()> {
        Err(Error::internal("the types of a closure were run instead of the closure"))
    }
}

impl<K, I, O, S, F> Process for ProcessFn<K, I, O, S, F>
where
    K: Key,
    I: Record,
    O: Record,
    S: Record + Default,
    F: Fn(&mut FnCx<'_, K, I, O, S>, I) -> Result<()> + Send + Sync + 'static,
{
    type Key = K;
    type In = I;
    type Out = O;
    type State = S;

    fn process(&self, cx: &mut Cx<'_, Self>, record: I) -> Result<()> {
        (self.f)(&mut Cx { parts: &mut *cx.parts, moment: cx.moment, rules: None }, record)
    }
}
