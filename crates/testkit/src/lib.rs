//! Runs a topology without a runtime: one thread, a manual clock, crash and restore.
