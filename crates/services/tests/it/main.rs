//! The services themselves.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test that calls them")]

mod broker;
