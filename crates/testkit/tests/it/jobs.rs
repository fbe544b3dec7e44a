//! The jobs of the cases: each as small as what it is there to show.

use std::time::Duration;

use headwater_api::windowed::{Count, Hopping, Session, Tumbling};
use headwater_api::{Job, Stream, Windowed};
use headwater_connect::blackhole::blackhole;
use headwater_connect::collection::collection;
use headwater_core::{BadRecordPolicy, Error, EventTime, ProcessingTime, Record, Result};
use headwater_operators::broadcast::{BroadcastCx, BroadcastProcess};
use headwater_operators::process::{Cx, Process, Side, States, process_fn};
use headwater_operators::watermarks::Watermarks;
use headwater_operators::window::{PaneTiming, StandardTrigger, WindowSpec};
use serde::{Deserialize, Serialize};

/// Someone bought something; without `at`, nobody knows when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Order {
    pub customer: String,
    #[serde(default)]
    pub at: Option<i64>,
    #[serde(default)]
    pub amount: i64,
}

/// A window result, flat.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counted {
    pub customer: String,
    pub start: i64,
    pub end: i64,
    pub value: i64,
    pub pane: u32,
    pub timing: String,
}

/// How much a customer has spent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Spent {
    pub customer: String,
    pub amount: i64,
}

/// How much a customer may spend.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limit {
    pub customer: String,
    pub amount: i64,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn source<T: Record>(job: &mut Job, name: &str) -> Stream<T> {
    job.source(name, collection(Vec::new()))
}

fn timed(stream: Stream<Order>) -> Stream<Order> {
    let watermarks = Watermarks::bounded(ms(10)).idle_after(ms(1_000)).max_future(ms(60_000));
    stream.event_time(|o| o.at.map(EventTime), watermarks)
}

fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|e| Error::data(format!("{e}")))
}

pub fn words(job: &mut Job) -> Result<()> {
    let words = source::<String>(job, "texts")
        .flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter(|word| word.len() > 1);
    words.map(|word| word.to_uppercase()).sink("words", blackhole());
    Ok(())
}

pub fn parse(job: &mut Job) -> Result<()> {
    let numbers = source::<String>(job, "texts").try_map(|text| number(text)).named("parse");
    numbers
        .try_filter(|n| if *n == 0 { Err(Error::data("zero")) } else { Ok(n % 2 == 0) })
        .sink("numbers", blackhole());
    Ok(())
}

pub fn parse_or_skip(job: &mut Job) -> Result<()> {
    let texts = source::<String>(job, "texts").on_error(BadRecordPolicy::Skip);
    let numbers =
        texts.try_flat_map(|text| text.split(' ').map(number).collect::<Result<Vec<_>>>());
    numbers.named("parse").sink("numbers", blackhole());
    Ok(())
}

pub fn parse_or_fail(job: &mut Job) -> Result<()> {
    let texts =
        job.source_with_policy("texts", collection(Vec::<String>::new()), BadRecordPolicy::Fail);
    let numbers = texts.on_error(BadRecordPolicy::Fail).try_map(|text| number(text));
    numbers.named("parse").sink("numbers", blackhole());
    Ok(())
}

pub fn parse_and_split(job: &mut Job) -> Result<()> {
    let numbers = source::<String>(job, "texts").try_map(|text| number(text));
    // A third output does not exist: zero goes nowhere.
    let [even, odd] = numbers.split(["even", "odd"], |n| match n {
        0 => 2,
        n => usize::from(n % 2 != 0),
    });
    even.sink("numbers", blackhole());
    odd.sink("odd", blackhole());
    Ok(())
}

pub fn union(job: &mut Job) -> Result<()> {
    let orders = source::<Order>(job, "orders");
    orders.union(&source(job, "returns")).sink("all", blackhole());
    Ok(())
}

pub fn stamped(job: &mut Job) -> Result<()> {
    timed(source(job, "orders")).named("times").sink("stamped", blackhole());
    Ok(())
}

/// Stamped behind the union: the splits of both sources are told apart.
pub fn stamped_union(job: &mut Job) -> Result<()> {
    let both = source(job, "orders").union(&source(job, "returns"));
    timed(both).named("times").sink("stamped", blackhole());
    Ok(())
}

fn counted(results: Windowed<String, Order, i64>) {
    let counts = results.results().map(|w| Counted {
        customer: w.key,
        start: w.window.start.millis(),
        end: w.window.end.millis(),
        value: w.value,
        pane: w.pane,
        timing: match w.timing {
            PaneTiming::Early => "early".into(),
            PaneTiming::OnTime => "on time".into(),
            PaneTiming::Late => "late".into(),
        },
    });
    counts.sink("counts", blackhole());
    results.late().sink("late", blackhole());
}

fn count_of(orders: Stream<Order>, windows: WindowSpec<Order>) {
    let counts = headwater_operators::window::sum(|_: &Order| 1i64);
    counted(orders.key_by(|o| o.customer.clone()).window(windows).aggregate("count", counts));
}

pub fn two_sources(job: &mut Job) -> Result<()> {
    let orders = timed(source(job, "orders")).named("order times");
    let returns = timed(source(job, "returns")).named("return times");
    count_of(orders.union(&returns), Tumbling::of(ms(10)));
    Ok(())
}

pub fn tumbling_count(job: &mut Job) -> Result<()> {
    count_of(timed(source(job, "orders")).named("times"), Tumbling::of(ms(10)));
    Ok(())
}

pub fn tumbling_lateness(job: &mut Job) -> Result<()> {
    let windows = Tumbling::of(ms(10)).allowed_lateness(ms(20));
    count_of(timed(source(job, "orders")), windows);
    Ok(())
}

/// The times come from the source; watermarks are given by the test.
pub fn source_times(job: &mut Job) -> Result<()> {
    let counts = source::<Order>(job, "orders").event_time(
        |o| o.at.map(EventTime),
        // Nothing is ever out of order by more: only a test moves event time.
        Watermarks::bounded(Duration::from_secs(1_000_000)),
    );
    count_of(counts, Tumbling::of(ms(10)));
    Ok(())
}

pub fn hopping_sum(job: &mut Job) -> Result<()> {
    let sums = headwater_operators::window::sum(|o: &Order| o.amount);
    let orders = timed(source(job, "orders")).key_by(|o| o.customer.clone());
    counted(orders.window(Hopping::of(ms(20), ms(10))).aggregate("sum", sums));
    Ok(())
}

pub fn session_count(job: &mut Job) -> Result<()> {
    count_of(timed(source(job, "orders")), Session::of(ms(10)));
    Ok(())
}

pub fn every_two(job: &mut Job) -> Result<()> {
    count_of(timed(source(job, "orders")), Count::of(2));
    Ok(())
}

pub fn early_count(job: &mut Job) -> Result<()> {
    let trigger = StandardTrigger::on_time().early_count(2);
    count_of(timed(source(job, "orders")), Tumbling::of(ms(10)).trigger(trigger));
    Ok(())
}

pub fn early_every(job: &mut Job) -> Result<()> {
    let trigger = StandardTrigger::on_time().early_every(ms(100));
    count_of(timed(source(job, "orders")), Tumbling::of(ms(10)).trigger(trigger));
    Ok(())
}

pub fn by_the_clock(job: &mut Job) -> Result<()> {
    count_of(source(job, "orders"), Tumbling::of(ms(100)).on_processing_time());
    Ok(())
}

pub fn totals(job: &mut Job) -> Result<()> {
    let add = process_fn(|cx, order: Order| {
        if order.amount < 0 {
            return Err(Error::data("nobody buys less than nothing"));
        }
        *cx.state() += order.amount;
        let (customer, amount) = (String::clone(cx.key()), *cx.state());
        cx.emit(Spent { customer, amount });
        Ok(())
    });
    let orders = source::<Order>(job, "orders").key_by(|o| o.customer.clone());
    orders.process("totals of customers", add).sink("spent", blackhole());
    Ok(())
}

const REJECTED: Side<Order> = Side::new("rejected");

/// Says when a customer has been quiet for 50 ms of event time, and 1 s after a first order.
struct Watchdog;

impl Process for Watchdog {
    type Key = String;
    type In = Order;
    type Out = String;
    type State = Option<EventTime>;

    fn declare(&self, states: &mut States<Self>) {
        states.side(REJECTED);
    }
    fn process(&self, cx: &mut Cx<Self>, order: Order) -> Result<()> {
        if order.amount == 0 {
            cx.emit_to(REJECTED, order);
            return Ok(());
        }
        let now = cx.event_time();
        if cx.state().is_none() {
            cx.processing_timer_after(ms(1_000));
        }
        if let Some(before) = cx.state().replace(now) {
            cx.cancel_timer(before + ms(50));
        }
        cx.timer_at(now + ms(50));
        Ok(())
    }
    fn on_timer(&self, cx: &mut Cx<Self>, at: EventTime) -> Result<()> {
        let alert = format!("{} is quiet at {}", cx.key(), at.millis());
        cx.emit(alert);
        cx.clear_state();
        Ok(())
    }
    fn on_processing_timer(&self, cx: &mut Cx<Self>, at: ProcessingTime) -> Result<()> {
        let alert = format!("{} was new at {}", cx.key(), at.0 - 1_000);
        cx.emit(alert);
        Ok(())
    }
}

pub fn watchdog(job: &mut Job) -> Result<()> {
    let orders = timed(source(job, "orders")).key_by(|o| o.customer.clone());
    let alerts = orders.process("watchdog", Watchdog);
    alerts.sink("alerts", blackhole());
    alerts.side(REJECTED).sink("rejected", blackhole());
    Ok(())
}

struct Limits;

impl Process for Limits {
    type Key = String;
    type In = Order;
    type Out = Spent;
    type State = i64;

    fn process(&self, cx: &mut Cx<Self>, order: Order) -> Result<()> {
        let limit = cx.rules()?.get(cx.key()).copied().unwrap_or(i64::MAX);
        *cx.state() += order.amount;
        let amount = *cx.state();
        if amount > limit {
            cx.emit(Spent { customer: order.customer, amount });
        }
        Ok(())
    }
}

impl BroadcastProcess for Limits {
    type Update = Limit;
    type RuleKey = String;
    type Rule = i64;

    fn on_broadcast(&self, cx: &mut BroadcastCx<Self>, limit: Limit) -> Result<()> {
        if limit.amount < 0 {
            return Err(Error::data("a limit cannot be negative"));
        }
        cx.rules().insert(limit.customer, limit.amount);
        Ok(())
    }
}

pub fn limits(job: &mut Job) -> Result<()> {
    let limits = source::<Limit>(job, "limits");
    let orders = source::<Order>(job, "orders").key_by(|o| o.customer.clone());
    orders.process_with_broadcast("limits of customers", &limits, Limits).sink("over", blackhole());
    Ok(())
}
