//! The file source and sink from outside: what is read, what resumes, what survives a crash.

mod crashes;
mod messages;
mod parquet;
mod resume;
mod sink;
mod source;
mod support;
