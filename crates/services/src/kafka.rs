//! Kafka for tests: a real broker, started, killed and paused at will.
//!
//! The broker is Kafka's own, one node that is its own controller (KRaft), run by Java from jars that
//! Maven fetches once. Starting takes some seconds; it has one partition for each internal topic,
//! creates no topic by itself and has its data in a folder of its own.
//!
//! Reading order: [`Broker`] → [`BrokerOptions`] → [`Admin`] → [`wire`] → [`for_tests`] →
//! [`Background`].

mod admin;
mod api_key;
mod background;
mod broker;
mod install;
mod java;
mod listeners;
mod options;
mod process;
mod shared;
mod warm_up;
pub mod wire;

pub use admin::{Admin, Operation, Resource};
pub use api_key::ApiKey;
pub use background::{Background, Status};
pub use broker::Broker;
pub use options::{BrokerOptions, User};
pub use shared::{for_tests, launch_for_tests};
