//! The Kafka source and sink against a real broker, in whole jobs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod configuration;
mod examples;
mod gaps;
mod jobs;
mod malformed;
mod reading;
mod support;
mod writing;
