//! What a job is usually written with: `use headwater::prelude::*;`.
//!
//! The functions that make the light connectors are here under their names (`collection`,
//! `console`, `generator` …), beside their modules; `files` is a module only. Aggregates other than
//! those that windowed streams have as methods are in [`crate::window`].

pub use serde::{Deserialize, Serialize};

pub use crate::connectors::blackhole::{self, blackhole};
pub use crate::connectors::callback::{self, callback, try_callback};
pub use crate::connectors::collect::{self, collect};
pub use crate::connectors::collection::{self, collection};
pub use crate::connectors::console::{self, console};
pub use crate::connectors::generator::{self, generator};
pub use crate::connectors::nexmark::{self, NexmarkConfig, nexmark};
pub use crate::connectors::{files, lines};
pub use crate::process::{
    AggregatingState, BroadcastProcess, Cx, ListState, MapState, Process, ReducingState, Side,
    States, ValueState, process_fn,
};
pub use crate::run::RunJob;
pub use crate::time::{days, hours, millis, mins, secs};
pub use crate::watermarks::Watermarks;
pub use crate::window::{
    Aggregate, Cumulative, Hopping, Session, Sliding, Tumbling, Window, WindowResult,
};
pub use crate::{
    BadRecordPolicy, CheckpointConfig, Config, Error, EventTime, Job, Key, KeyedStream, Outcome,
    Record, RestartStrategy, Result, StopMode, Stream, Timed,
};
