//! Has a producer send what it holds back to fill its batches.

#![expect(unsafe_code, reason = "the client's Rust interface takes the wish back at once")]

use rdkafka::bindings as sys;
use rdkafka::client::ClientContext;
use rdkafka::producer::{Producer, ThreadedProducer};

/// How long the wish stands; the client's threads see it when they wake up for it.
const STANDS_MS: i32 = 1;

/// Asks the client to send all that is queued, whatever `linger.ms` says; does not wait for
/// acknowledgement.
pub(crate) fn send_now<C>(producer: &ThreadedProducer<C>)
where
    C: ClientContext + rdkafka::producer::ProducerContext + 'static,
{
    // SAFETY: the producer lives. That not all is acknowledged after a millisecond is expected.
    let _ = unsafe { sys::rd_kafka_flush(producer.client().native_ptr(), STANDS_MS) };
}
