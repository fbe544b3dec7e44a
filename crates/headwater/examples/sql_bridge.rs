//! SQL in the middle of a job in Rust: clicks from a generator, a window and a ranking in SQL, and
//! the rows back in Rust, with one graph, one state and one checkpoint.
//!
//! ```sh
//! cargo run --example sql_bridge --features sql -- run
//! ```

use headwater::prelude::*;
use headwater::sql::session::JobSession;

/// A click on a page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Click {
    /// Which page.
    pub page: String,
    /// How long it was looked at, in milliseconds.
    pub millis: u64,
    /// When.
    pub at: EventTime,
}

/// One of the two best pages of a minute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Best {
    /// The minute's begin.
    pub minute: EventTime,
    /// 1 for the best.
    pub place: u64,
    /// Which page.
    pub page: String,
    /// How often it was clicked on.
    pub clicks: u64,
}

/// Click number `n`: ten a second, the pages in a pattern.
fn click(n: u64) -> Click {
    let page = ["home", "docs", "home", "blog", "docs", "home"][(n % 6) as usize];
    Click { page: page.to_owned(), millis: n % 1_000, at: EventTime(n as i64 * 100) }
}

/// The job: the lines it writes go to `out`.
pub fn best_pages(
    job: &mut Job,
    out: impl headwater::connectors::Sink<Record = String>,
) -> Result<()> {
    let clicks = job
        .source("clicks", generator(click).limit(1_800))
        .event_time(|click| click.at, Watermarks::bounded(secs(5)))
        .filter(|click| click.millis >= 100);

    let mut sql = JobSession::new(job)?;
    sql.add_timed_stream("clicks", &clicks, "at")?;
    sql.execute(
        "CREATE VIEW per_minute AS
         SELECT window_start, window_end, page, COUNT(*) AS clicks
         FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '1' MINUTE))
         GROUP BY window_start, window_end, page",
    )?;
    let best = sql.query(
        "SELECT window_start AS `minute`, page, clicks, place
         FROM (SELECT *, ROW_NUMBER() OVER (
                   PARTITION BY window_start, window_end ORDER BY clicks DESC, page) AS place
               FROM per_minute)
         WHERE place <= 2",
    )?;
    best.to_stream::<Best>()?
        .map(|b| format!("{} {}. {} with {} clicks", b.minute, b.place, b.page, b.clicks))
        .sink("best pages", out);
    Ok(())
}

fn main() -> headwater::Exit {
    headwater::main("best pages", |job| best_pages(job, console()))
}
