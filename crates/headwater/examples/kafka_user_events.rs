//! Events per user in windows of 5 minutes, events up to 30 seconds out of order.
//!
//! ```sh
//! cargo xtask services up kafka          # prints the address
//! export HEADWATER_KAFKA=127.0.0.1:PORT
//! cargo run --release --features kafka --example kafka_user_events -- run --checkpoint-dir users-state
//! ```
//! Reads JSON events from `events`, writes one count per user and window to `event-counts`, exactly
//! once. Events that are later than 30 seconds are counted and kept in the late output.

use headwater::formats::json;
use headwater::kafka::{self, End};
use headwater::prelude::*;

/// Something a user did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UserEvent {
    /// Who.
    pub user: String,
    /// When, in milliseconds since 1970.
    pub at: EventTime,
}

/// How much a user did in a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCount {
    /// Who.
    pub user: String,
    /// Begin of the window, in milliseconds since 1970.
    pub window_start: EventTime,
    /// How many events.
    pub events: u64,
}

/// The job, from `events` up to `end`.
pub fn user_events(
    job: &mut Job,
    bootstrap: &str,
    [events, counts]: [&str; 2],
    end: End,
) -> Result<()> {
    let cluster = kafka::cluster(bootstrap);
    job.source("events", cluster.source(events).end(end).value(json::<UserEvent>()))
        .event_time(|event: &UserEvent| event.at, Watermarks::bounded(secs(30)))
        .key_by(|event: &UserEvent| event.user.clone())
        .window(Tumbling::of(mins(5)))
        .count("counts")
        .results()
        .map(|result: WindowResult<String, u64>| EventCount {
            user: result.key,
            window_start: result.window.start,
            events: result.value,
        })
        .sink(
            "counts out",
            cluster.sink(counts).key(|c: &EventCount| c.user.clone()).value(json()),
        );
    Ok(())
}

#[allow(dead_code, reason = "the test that includes this file has no main")]
fn main() -> headwater::Exit {
    let bootstrap = std::env::var("HEADWATER_KAFKA").unwrap_or_else(|_| "localhost:9092".into());
    let topics = ["events", "event-counts"];
    headwater::main("user events", |job| user_events(job, &bootstrap, topics, End::Never))
}
