//! A keyed stream: the steps that keep state per key start here.

use headwater_core::Keyed;

use crate::stream::Stream;

/// Records grouped by key. What follows keeps its state per key, on the worker that owns the key.
pub struct KeyedStream<K, T> {
    pub(crate) stream: Stream<Keyed<K, T>>,
}

impl<K, T> Clone for KeyedStream<K, T> {
    fn clone(&self) -> Self {
        KeyedStream { stream: self.stream.clone() }
    }
}
