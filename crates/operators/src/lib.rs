//! Synchronous state machines: every operator of the engine, without thread, clock, socket or file.
//!
//! An [`Operator`] is handed batches, watermarks and processing time, and emits batches through its
//! [`OperatorContext`]. The same operator runs under the timely runtime, under the test driver and
//! (later) under the simulator.
//!
//! Reading order: [`operator`] → [`stateless`] → [`watermarks`] → [`process`] → [`window`].

pub mod broadcast;
pub mod key_by;
pub mod operator;
pub mod process;
pub mod stateless;
pub mod watermarks;
pub mod window;

pub use operator::{Counts, Operator, OperatorContext, OperatorInit, Port, SplitEvent};
