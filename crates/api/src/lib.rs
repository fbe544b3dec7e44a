//! The typed API: [`Job`], [`Stream`] and [`KeyedStream`] build a topology; they know no runtime.
//!
//! Rules: a name is the first argument of every source, sink and stateful step and is its uid,
//! under which its state is stored; stateless steps take none. Late records are an output, not a
//! setting. A closure that may fail is given to a `try_` method, and a record it refuses follows
//! the declared policy. Mistakes in the graph are collected and returned by [`Job::build`].

pub mod job;
pub mod keyed;
pub mod raw;
pub mod stream;
pub mod windowed;

pub use job::Job;
pub use keyed::{KeyedStream, Processed};
pub use stream::Stream;
pub use windowed::{Windowed, WindowedStream};
