//! Functions with state and timers per key: [`Process`], its context [`Cx`], named states and side
//! outputs; and beside broadcast rules: [`BroadcastProcess`].

pub use headwater_operators::broadcast::{BroadcastCx, BroadcastProcess};
pub use headwater_operators::process::*;
