//! Free ports that stay free while nobody listens on them.
//!
//! A broker is stopped and started on the same port while clients try to reconnect. From the range
//! that systems give to outgoing connections, such a client could be given the very port it calls,
//! and be connected to itself; so ports come from below that range.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::TcpListener;
use std::ops::Range;

use headwater_core::{Error, Result};

/// Below the outgoing ports of Linux (from 32768), macOS and Windows (from 49152).
const RANGE: Range<u16> = 20_000..32_000;
/// Ports that are tried.
const TRIES: usize = 1_000;

/// A port of the loopback interface on which nobody listens.
///
/// # Errors
/// Transient: none was found.
pub(crate) fn free_port() -> Result<u16> {
    let width = u64::from(RANGE.end - RANGE.start);
    (0..TRIES)
        .map(|_| {
            // Each state has keys of its own: the one random number that std has.
            let random = RandomState::new().build_hasher().finish();
            RANGE.start + u16::try_from(random % width).unwrap_or_default()
        })
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .ok_or_else(|| {
            let Range { start, end } = RANGE;
            Error::transient(format!("no free port of 127.0.0.1 between {start} and {end}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_not_of_the_outgoing_range() {
        let port = free_port().unwrap();
        assert!(RANGE.contains(&port));
        let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        assert!((0..100).all(|_| free_port().unwrap() != port));
    }
}
