//! Real services for tests and demos: a Kafka broker as a child process. Test support; nothing that
//! is shipped depends on it.
//!
//! - [`kafka`]: [`kafka::Broker`] starts, kills, pauses and restarts a real broker, whose jars Maven
//!   fetches once. [`kafka_or_skip!`] gives tests one, or says loudly why there is none.
//!
//! Invariants: no port number is fixed; what a test starts dies with its process, even when that is
//! killed; a service that is missing is never passed over in silence, and where the variable `CI` or
//! `HEADWATER_REQUIRE_SERVICES` is set, its absence is a failure.
//!
//! Absent: containers, and clients. What is said here in Kafka's protocol is the little that is
//! needed before any client can be trusted.

pub mod kafka;
mod ports;
mod stderr;
