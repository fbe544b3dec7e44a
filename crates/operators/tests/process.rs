//! Process functions: against a naive model, and case by case.

#[path = "process/cases.rs"]
mod cases;
#[path = "process/declarations.rs"]
mod declarations;
#[path = "process/harness.rs"]
mod harness;
#[path = "process/model.rs"]
mod model;
#[path = "process/probe.rs"]
mod probe;
