//! Revenue per customer: a running aggregate from topic to topic, exactly once.
//!
//! ```sh
//! cargo xtask services up kafka          # prints the address
//! export HEADWATER_KAFKA=127.0.0.1:PORT
//! cargo run --release --features kafka --example kafka_revenue -- run --checkpoint-dir revenue-state
//! ```
//! Reads JSON orders from `orders`, writes every new total to `revenue`, keyed by customer. As both
//! topics are in one cluster, totals, state and positions are committed in one transaction every 20
//! ms: kill it at any moment and start it again, and a `read_committed` reader sees each total once.

use headwater::formats::json;
use headwater::kafka::{self, End};
use headwater::prelude::*;

/// An order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Who ordered.
    pub customer: String,
    /// What it comes to.
    pub cents: u64,
}

/// What a customer has ordered so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revenue {
    /// Who ordered.
    pub customer: String,
    /// How many orders.
    pub orders: u64,
    /// What they come to.
    pub cents: u64,
}

/// The job, from `orders` up to `end`.
pub fn revenue(
    job: &mut Job,
    bootstrap: &str,
    [orders, revenue]: [&str; 2],
    end: End,
) -> Result<()> {
    let cluster = kafka::cluster(bootstrap);
    job.source("orders", cluster.source(orders).end(end).value(json::<Order>()))
        .key_by(|order: &Order| order.customer.clone())
        .process(
            "totals",
            process_fn(|cx, order: Order| -> Result<()> {
                let totals: &mut (u64, u64) = cx.state();
                totals.0 += 1;
                totals.1 += order.cents;
                let (orders, cents) = *totals;
                cx.emit(Revenue { customer: order.customer, orders, cents });
                Ok(())
            }),
        )
        .sink("revenue", cluster.sink(revenue).key(|r: &Revenue| r.customer.clone()).value(json()));
    Ok(())
}

#[allow(dead_code, reason = "the test that includes this file has no main")]
fn main() -> headwater::Exit {
    let bootstrap = std::env::var("HEADWATER_KAFKA").unwrap_or_else(|_| "localhost:9092".into());
    headwater::main("revenue", |job| revenue(job, &bootstrap, ["orders", "revenue"], End::Never))
}
