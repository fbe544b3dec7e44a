//! What a job makes of bad input, bad disks and bad user code, and what it says about them.
//!
//! Every message is compared as a whole, with its causes and its hint; `DIR` stands for the test's
//! directory. `UPDATE_EXPECT=1` accepts what is there now.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

#[cfg(target_os = "linux")]
#[path = "bad_input/disk.rs"]
mod disk;
#[path = "bad_input/places.rs"]
mod places;
#[path = "bad_input/records.rs"]
mod records;
#[path = "bad_input/restarts.rs"]
mod restarts;
#[path = "bad_input/state.rs"]
mod state;
#[path = "support/support.rs"]
mod support;
#[path = "bad_input/times.rs"]
mod times;
#[path = "bad_input/user_code.rs"]
mod user_code;
