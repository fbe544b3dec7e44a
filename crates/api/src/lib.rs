//! The typed API: Job, Stream, KeyedStream and windows build a topology.
