//! A partition's queue in the client, read many messages at a time.
//!
//! The client's Rust interface gives one message per call, and each call locks the queue and asks
//! for the time twice: 8 % of a job that only filters. `rd_kafka_consume_batch_queue` does that
//! once per batch.
//!
//! Invariants: the queue and its messages die before the client, which is kept here; the client
//! calls `wake` under the queue's lock, so not after it was told not to.

#![expect(unsafe_code, reason = "calls of librdkafka that its Rust interface does not have")]

use std::ffi::{CStr, CString, c_void};
use std::marker::PhantomData;
use std::ptr::{NonNull, null, null_mut};
use std::sync::Arc;

use headwater_core::Wake;
use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;

use crate::failure::Witness;
use crate::message::{Headers, Timestamp};

/// Most messages that are taken out of the client's queue at once.
const BATCH: usize = 512;

/// See the module documentation.
pub(crate) struct PartitionQueue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// Messages taken out of the client's queue, each ours to destroy, from `next` on.
    batch: Vec<*mut sys::rd_kafka_message_t>,
    next: usize,
    partition: i32,
    /// At a fixed address, which the client has.
    _wake: Box<Wake>,
    _client: Arc<BaseConsumer<Witness>>,
}

// SAFETY: librdkafka's queues and messages may be used from any thread, by one at a time; `&mut self`
// sees to that.
unsafe impl Send for PartitionQueue {}

unsafe extern "C" fn on_nonempty(_: *mut sys::rd_kafka_t, wake: *mut c_void) {
    // SAFETY: `open` gave the address of a `Wake` that lives until `drop` has taken it back.
    let wake = unsafe { &*wake.cast::<Wake>() };
    wake.wake();
}

impl PartitionQueue {
    /// Takes a partition's messages out of the client's common queue; `wake` is called when there
    /// are some after there were none. None if the name has a zero byte.
    pub(crate) fn open(
        client: &Arc<BaseConsumer<Witness>>,
        topic: &str,
        partition: i32,
        wake: Wake,
    ) -> Option<Self> {
        let topic = CString::new(topic).ok()?;
        let wake = Box::new(wake);
        let address = (&raw const *wake).cast_mut().cast::<c_void>();
        let native = client.client().native_ptr();
        // SAFETY: the client lives, the name ends with a zero, and the address of `wake` stays valid
        // until `drop` has told the client to forget it.
        let queue = unsafe {
            let queue = sys::rd_kafka_queue_get_partition(native, topic.as_ptr(), partition);
            let queue = NonNull::new(queue)?;
            sys::rd_kafka_queue_forward(queue.as_ptr(), null_mut());
            sys::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(on_nonempty), address);
            queue
        };
        let (batch, _client) = (Vec::with_capacity(BATCH), Arc::clone(client));
        Some(PartitionQueue { queue, batch, next: 0, partition, _wake: wake, _client })
    }

    /// The next message, without taking it; none if there is none now. Never waits.
    pub(crate) fn peek(&mut self) -> Option<Result<Message<'_>, KafkaError>> {
        if self.next == self.batch.len() {
            self.refill();
        }
        let message = *self.batch.get(self.next)?;
        // SAFETY: a message of the batch from `next` on is ours and alive; the borrow of `self` keeps
        // it so.
        let raw = unsafe { &*message };
        Some(match raw.err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(Message { raw, queue: PhantomData }),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                Err(KafkaError::PartitionEOF(self.partition))
            }
            error => Err(KafkaError::MessageConsumption(error.into())),
        })
    }

    /// Takes the message that [`PartitionQueue::peek`] gave.
    pub(crate) fn advance(&mut self) {
        if let Some(message) = self.batch.get(self.next) {
            // SAFETY: it is ours, and from now on nobody looks at it.
            unsafe { sys::rd_kafka_message_destroy(*message) };
            self.next += 1;
        }
    }

    fn refill(&mut self) {
        self.batch.clear();
        self.next = 0;
        // SAFETY: there is room for `BATCH` pointers; the client says how many it has written.
        unsafe {
            let (queue, room) = (self.queue.as_ptr(), self.batch.as_mut_ptr());
            let taken = sys::rd_kafka_consume_batch_queue(queue, 0, room, BATCH);
            self.batch.set_len(usize::try_from(taken).unwrap_or(0).min(BATCH));
        }
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        while self.next < self.batch.len() {
            self.advance();
        }
        // SAFETY: the queue is ours; after the first call the client does not use `wake` any more.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, null_mut());
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// A message that is still in the client's memory.
pub(crate) struct Message<'a> {
    raw: &'a sys::rd_kafka_message_t,
    queue: PhantomData<&'a PartitionQueue>,
}

impl<'a> Message<'a> {
    pub(crate) fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: the client says where the key is and how long; it lives as long as the message.
        unsafe { bytes(self.raw.key, self.raw.key_len) }
    }

    pub(crate) fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: as for the key.
        unsafe { bytes(self.raw.payload, self.raw.len) }
    }

    pub(crate) fn offset(&self) -> i64 {
        self.raw.offset
    }

    pub(crate) fn timestamp(&self) -> Timestamp {
        use sys::rd_kafka_timestamp_type_t as Type;
        let mut kind = Type::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message lives, and there is room for the kind.
        let millis = unsafe { sys::rd_kafka_message_timestamp(self.raw, &raw mut kind) };
        match kind {
            _ if millis == -1 => Timestamp::None,
            Type::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => Timestamp::None,
            Type::RD_KAFKA_TIMESTAMP_CREATE_TIME => Timestamp::Create(millis),
            Type::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => Timestamp::Append(millis),
        }
    }

    pub(crate) fn headers(&self) -> Headers {
        let mut all = Headers::new();
        let mut headers = null_mut();
        // SAFETY: the message lives; each call says by its result whether it has set the pointers,
        // and what they point to lives as long as the message.
        unsafe {
            let found = sys::rd_kafka_message_headers(self.raw, &raw mut headers);
            if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return all;
            }
            for at in 0.. {
                let (mut name, mut value, mut len) = (null(), null(), 0);
                let found = sys::rd_kafka_header_get_all(
                    headers,
                    at,
                    &raw mut name,
                    &raw mut value,
                    &raw mut len,
                );
                if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    break;
                }
                let name = CStr::from_ptr(name).to_string_lossy().into_owned();
                all.push((name, bytes(value.cast_mut(), len).map(<[u8]>::to_vec)));
            }
        }
        all
    }
}

/// # Safety
/// `at` is null, or `len` bytes are there for `'a`.
unsafe fn bytes<'a>(at: *mut c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: as above.
    (!at.is_null()).then(|| unsafe { std::slice::from_raw_parts(at.cast::<u8>(), len) })
}
