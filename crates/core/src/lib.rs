//! The vocabulary every other crate speaks: records and batches, event time and watermarks, epochs
//! and key groups, the codec, the clock contract and the error type.
//!
//! Nothing here knows a thread, a socket, a file, the system clock or a random source.
//!
//! Reading order: [`time`] → [`record`] → [`batch`] → [`key_group`] → [`codec`] → [`error`].

pub mod batch;
pub mod block;
pub mod changelog;
pub mod clock;
pub mod codec;
pub mod dead_letter;
pub mod error;
pub mod key_group;
pub mod record;
pub mod schema;
pub mod secret;
pub mod shape;
pub mod time;
pub mod wake;

pub use batch::{AnyBatch, Batch, SplitTag};
pub use changelog::{Change, ChangeEvent, RowKind};
pub use clock::{Clock, ManualClock};
pub use dead_letter::{BadRecordPolicy, DeadLetter, Original};
pub use error::{Error, ErrorKind, Result};
pub use key_group::{KeyGroup, KeyGroupRange, Keyed};
pub use record::{Key, Record, Timed};
pub use schema::Schema;
pub use secret::Secret;
pub use time::{Epoch, EventTime, ProcessingTime, Watermark};
pub use wake::Wake;
