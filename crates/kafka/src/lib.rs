//! Kafka source and sink.
//!
//! [`cluster()`] names the brokers; its [`source`](Cluster::source) reads topics, its
//! [`sink`](Cluster::sink) writes them. Positions are ours and live in the checkpoint; they are
//! also committed to the consumer group, for tools that show lag.
//!
//! Exactly-once output comes in two forms, chosen by the engine (see [`sink`](mod@sink)):
//! - *epoch marker*: any sources; the epoch's output becomes visible with a marker record in one
//!   transaction, after the checkpoint is durable;
//! - *one transaction*: all sources and sinks in one cluster; output, state changes and positions
//!   become durable in one transaction per epoch, every few milliseconds.
//!
//! librdkafka's own threads fetch and send. Records cross to the workers through its bounded queue
//! per partition; when that is full it stops fetching, and when it fills a worker is woken. So a
//! worker never waits for the network, and the network never for a worker.
//!
//! Reading order: [`cluster`](mod@cluster) → [`source`](mod@source) → [`sink`](mod@sink) →
//! [`transaction_log`].
//!
//! # Examples
//! ```
//! # #[derive(Clone, serde::Serialize, serde::Deserialize)]
//! # struct Order { customer: String, cents: u64 }
//! use headwater_formats::json;
//! use headwater_kafka as kafka;
//!
//! let cluster = kafka::cluster("localhost:9092");
//! let orders = cluster.source("orders").start(kafka::Start::Earliest).value(json::<Order>());
//! let revenue = cluster.sink("revenue").key(|o: &Order| o.customer.clone()).value(json());
//! # let _ = (orders, revenue);
//! ```

pub mod cluster;
pub mod message;
pub mod sink;
pub mod source;
pub mod transaction_log;

mod control_log;
mod failure;
mod options;
mod producer;
mod topics;
mod transactions;

pub use cluster::{Cluster, cluster};
pub use message::{Headers, KafkaRecord, Timestamp};
pub use sink::{CreateTopic, KafkaSink, SinkBuilder};
pub use source::{End, KafkaSource, OnGap, SourceBuilder, Start, Topics};
