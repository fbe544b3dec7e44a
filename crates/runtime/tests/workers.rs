//! The answer does not depend on the number of workers, on batches, on checkpoints or on a crash.
//!
//! Every kind of window, process functions with timers, broadcast rules and unions run on 1, 2 and
//! 4 workers over several splits with disorder and late records, with a checkpoint every 20 ms and
//! a panic in the middle, and are compared with a naive computation that knows none of that.
//!
//! Random inputs: `HEADWATER_SEED=n` repeats the run of a seed, which is printed with a failure.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

#[path = "support/support.rs"]
mod support;
// The model that the window operators are tested against one by one.
#[path = "workers/counters.rs"]
mod counters;
#[path = "workers/functions.rs"]
mod functions;
#[path = "workers/input.rs"]
mod input;
#[allow(dead_code, reason = "the model can do more")]
#[path = "../../operators/tests/window/naive.rs"]
mod naive;
#[path = "workers/windows.rs"]
mod windows;
