//! The logical graph of a job, and an instance of it on one worker.
