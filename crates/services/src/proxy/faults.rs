//! What can be wrong with all connections of a proxy.

use std::time::Duration;

/// A way through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// Few bytes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drip {
    /// How many; 0 counts as 1.
    pub bytes: usize,
    /// How often.
    pub every: Duration,
}

/// The faults that a proxy makes at a time; the default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Time from the client to the server, for what comes from now on.
    pub latency_up: Duration,
    /// Time from the server to the client.
    pub latency_down: Duration,
    /// Both ways only so much at a time.
    pub drip: Option<Drip>,
    /// Nothing gets to the server: a connection that is open on one side only, or, with `hold_down`, a
    /// partition. When it heals, what was sent arrives, as TCP would send it again.
    pub hold_up: bool,
    /// Nothing gets to the client; until it heals.
    pub hold_down: bool,
    /// Whoever connects is let in, and what is sent is swallowed. A connection that lost something so
    /// passes nothing on any more, even when the others are healed.
    pub black_hole: bool,
    /// Whoever connects is reset at once.
    pub reset_new: bool,
    /// The port is closed; connections that there are stay.
    pub refuse: bool,
}

impl Faults {
    pub(super) fn latency(&self, direction: Direction) -> Duration {
        match direction {
            Direction::Up => self.latency_up,
            Direction::Down => self.latency_down,
        }
    }

    pub(super) fn holds(&self, direction: Direction) -> bool {
        match direction {
            Direction::Up => self.hold_up,
            Direction::Down => self.hold_down,
        }
    }
}
