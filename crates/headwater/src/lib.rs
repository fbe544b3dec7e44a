//! Headwater: a stream processor as a library, a cluster and a query engine.
