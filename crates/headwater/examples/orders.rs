//! Orders per customer and ten minutes: from a gzipped file with disorder, late orders and
//! malformed lines, to Parquet, exactly once.
//!
//! ```sh
//! cargo run --release --example make_orders -- orders.jsonl.gz 1000000
//! cargo run --release --example orders -- run --checkpoint-dir orders-state
//! cargo run --release --example orders -- dump > windows.csv
//! python3 crates/headwater/examples/check_orders.py orders.jsonl.gz windows.csv orders-out
//! ```
//!
//! Kill it in the middle and start it again: the parts in `orders-out` are what they would have
//! been. `ORDERS_IN` and `ORDERS_OUT` name another file and another directory.

use std::path::{Path, PathBuf};

use headwater::connectors::dead_letters::DeadLetterFile;
use headwater::prelude::*;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Unique.
    pub id: u64,
    /// Who ordered.
    pub customer: String,
    /// What it comes to.
    pub cents: u64,
    /// When it was placed, in milliseconds since 1970.
    pub at: EventTime,
}

/// What a customer ordered within ten minutes: a row of the Parquet parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CustomerWindow {
    /// Who ordered.
    pub customer: String,
    /// In milliseconds since 1970.
    pub window_start: EventTime,
    /// How many orders.
    pub orders: u64,
    /// What they come to.
    pub cents: u64,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Totals {
    orders: u64,
    cents: u64,
}

/// The job: reads `input`, writes `windows/`, `late/` and `dead-letters.jsonl` below `out`.
pub fn orders(job: &mut Job, input: &Path, out: &Path) -> Result<()> {
    std::fs::create_dir_all(out)
        .map_err(|e| Error::config(format!("cannot create directory {out:?}")).because(e))?;
    job.dead_letters(DeadLetterFile::new(out.join("dead-letters.jsonl")));
    let totals = job
        .source("orders", files::source(input).json::<Order>())
        .event_time(|o| o.at, Watermarks::bounded(secs(30)))
        .key_by(|o| o.customer.clone())
        .window(Tumbling::of(mins(10)))
        .fold("totals", Totals::default(), |totals, order| {
            totals.orders += 1;
            totals.cents += order.cents;
        });
    totals.late().sink("late orders", files::sink(out.join("late")).json());
    totals
        .results()
        .map(|w| CustomerWindow {
            customer: w.key,
            window_start: w.window.start,
            orders: w.value.orders,
            cents: w.value.cents,
        })
        .sink("windows out", files::sink(out.join("windows")).parquet());
    Ok(())
}

/// The rows of all Parquet parts below `out`, in order.
pub fn read_windows(out: &Path) -> Result<Vec<CustomerWindow>> {
    let rows = collect::<CustomerWindow>();
    let mut job = Job::new("read windows");
    let parts = files::source(out.join("windows")).parquet::<CustomerWindow>();
    job.source_with_policy("parts", parts, BadRecordPolicy::Fail).sink("rows", rows.clone());
    job.start(Config::default())?.wait()?;
    Ok(rows.sorted())
}

fn dump(out: &Path) -> Result<()> {
    println!("customer,window_start,orders,cents");
    for row in read_windows(out)? {
        println!("{},{},{},{}", row.customer, row.window_start.millis(), row.orders, row.cents);
    }
    Ok(())
}

fn main() -> headwater::Exit {
    let path = |variable, default: &str| {
        std::env::var_os(variable).map_or_else(|| PathBuf::from(default), PathBuf::from)
    };
    let (input, out) = (path("ORDERS_IN", "orders.jsonl.gz"), path("ORDERS_OUT", "orders-out"));
    if std::env::args().nth(1).as_deref() == Some("dump") {
        return match dump(&out) {
            Ok(()) => headwater::Exit::OK,
            Err(e) => headwater::Exit::report(&e),
        };
    }
    headwater::main("orders", |job| orders(job, &input, &out))
}
