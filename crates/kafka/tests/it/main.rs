//! The Kafka source and sink against a real broker, in whole jobs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod examples;
mod jobs;
mod support;
