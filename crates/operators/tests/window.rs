//! Window operators against a naive model, on random input with disorder, barriers and crashes; and
//! the parts of their behaviour that a model does not show, one by one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy exempts only the test functions themselves"
)]

#[path = "window/driver.rs"]
mod driver;
#[path = "window/input.rs"]
mod input;
#[path = "window/model.rs"]
mod model;
#[path = "window/naive.rs"]
mod naive;
#[path = "window/single.rs"]
mod single;
