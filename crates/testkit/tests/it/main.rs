//! Tests of the test driver, and of the engine through it.

mod batching;
mod cases;
mod driver;
mod jobs;
