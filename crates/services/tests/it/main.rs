//! The services themselves. What needs no Java comes first.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test that calls them")]

mod broker;
mod faults;
mod late_end_txn;
mod requests;
mod servers;
mod skipping;
