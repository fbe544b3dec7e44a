//! Real services for tests and demos: a Kafka broker as a child process, and a proxy that makes
//! network faults. Test support; nothing that is shipped depends on it.
//!
//! - [`kafka`]: [`kafka::Broker`] starts, kills, pauses and restarts a real broker, whose jars Maven
//!   fetches once. [`kafka_or_skip!`] gives tests one, or says loudly why there is none.
//! - [`proxy`]: [`proxy::Proxy`] stands between a client and a server: latency, resets, black holes,
//!   and requests of Kafka's protocol that are delayed, held or lost one by one.
//!
//! Invariants: no port number is fixed; what a test starts dies with its process, even when that is
//! killed; a service that is missing is never passed over in silence, and where the variable `CI` or
//! `HEADWATER_REQUIRE_SERVICES` is set, its absence is a failure.
//!
//! Absent: containers, and clients. What is said here in Kafka's protocol is the little that is
//! needed before any client can be trusted.

pub mod kafka;
mod ports;
pub mod proxy;
mod stderr;
