//! The job against the verifier, end to end: killed, crashed at named points, with faults planted.
//!
//! `HEADWATER_SLOW_TESTS=1` asks for the long forms.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test that calls them")]

mod crashes;
mod kafka;
mod plants;
mod support;
