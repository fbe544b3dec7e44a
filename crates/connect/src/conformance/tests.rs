//! The suites can fail: faults are planted one by one and must be found.

mod faulty_sinks;
mod faulty_sources;
