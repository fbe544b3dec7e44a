//! The same from topic to topic: a Kafka job under kills of the job and of the broker, outages
//! beyond the transaction timeout, and commits that arrive late.
//!
//! ```text
//! input ──> payments ──> chaos-kafka-job ──> totals, windows ──> observer (read_committed, all the time)
//! (paced)    (4 partitions)   ▲  proxy?         (4 partitions)      │
//!                          harness: kills, stops, holds             └─> verdict( expected from payments )
//! ```
//! The job writes a row per record (a running total of its key) and a row per key and window. The
//! verifier reads the log of the input topic, computes from it on its own what must be written, and
//! compares that with what a fresh reader finds at the end and with what the observer saw meanwhile.
//!
//! Reading order: [`records`] → [`job`] → [`input`] → [`observer`] → [`expected`] → [`verdict`] →
//! [`arena`] → [`harness`] → [`crashes`] → [`plants`].

pub mod arena;
pub mod crashes;
pub mod expected;
pub mod harness;
pub mod input;
pub mod job;
pub mod observer;
pub mod plants;
pub mod records;
pub mod topics;
pub mod verdict;
