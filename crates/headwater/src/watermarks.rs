//! Event time: how watermarks come about ([`Watermarks`]), your own logic ([`WatermarkGenerator`]),
//! and splits that wait for each other ([`Alignment`]).

pub use headwater_operators::watermarks::{Alignment, EventTimeOf, WatermarkGenerator, Watermarks};
