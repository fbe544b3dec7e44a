//! Runs a topology on timely dataflow: threads, exchange, checkpoints and recovery.
