//! The Nexmark stream as a table: the columns of the published Flink DDL, from the generator of
//! [`headwater_connect::nexmark`], event by event the same.
//!
//! Split `i` of `s` gives events `i`, `i + s`, `i + 2s` and so on; a position is the number of
//! events given. Only the wanted columns and fields are made: a bid whose price nobody reads draws
//! no price.
//!
//! What it does not do: change its rate over time (`rate.shape` has no effect at equal rates).

use std::sync::Arc;
use std::time::Duration;

use headwater_connect::generator::{NumberedSplit, Numbers};
use headwater_connect::nexmark::{NexmarkConfig, NexmarkGenerator};
use headwater_connect::{Discovery, Measure, Position, ReadStatus, SplitId, Wake};
use headwater_core::{BadRecordPolicy, EventTime, ProcessingTime, Result, SplitTag};
use headwater_topology::erased::{AnyReader, AnySource, Chunk as Given};

use super::options::{OptionKind, OptionSpec, Options};
use super::{ChangelogMode, Connector, ConnectorContext, Projection, TableSource};
use crate::error::{SqlError, SqlResult, codes};
use crate::rows::{Chunk, READ_ROWS};

mod columns;
#[cfg(test)]
mod tests;

use columns::Maker;

/// The connector's name.
pub const NAME: &str = "nexmark";

/// The connector.
pub const CONNECTOR: Connector = Connector {
    name: NAME,
    help: "the events of an online auction, generated: persons, auctions and bids",
    reads: true,
    writes: false,
    options: OPTIONS,
    formats: &[],
};

const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new("events.num", OptionKind::Count, "ends after so many events; 0: never").or("0"),
    OptionSpec::new(
        "next-event.rate",
        OptionKind::Number,
        "events per second of event time, and of the clock with 'rate.limited'",
    )
    .or("100000"),
    OptionSpec::new(
        "first-event.rate",
        OptionKind::Number,
        "the rate at the beginning; must be that of 'next-event.rate'",
    ),
    OptionSpec::new("rate.limited", OptionKind::Boolean, "keeps to the rate on the clock too")
        .or("false"),
    OptionSpec::new(
        "rate.shape",
        OptionKind::Choice(&["square", "sine"]),
        "how rates alternate; without effect, as there is one rate",
    )
    .or("square"),
    OptionSpec::new(
        "rate.period",
        OptionKind::Duration,
        "how fast rates alternate; see rate.shape",
    )
    .or("600 s"),
    OptionSpec::new(
        "first-event.time",
        OptionKind::Integer,
        "event time of the first event, in milliseconds since 1970",
    )
    .or("1700000000000"),
    OptionSpec::new("person.proportion", OptionKind::Count, "persons in a round of events").or("1"),
    OptionSpec::new("auction.proportion", OptionKind::Count, "auctions in a round of events")
        .or("3"),
    OptionSpec::new("bid.proportion", OptionKind::Count, "bids in a round of events").or("46"),
    OptionSpec::new("person.avg-size", OptionKind::Size, "average size of a person").or("200 b"),
    OptionSpec::new("auction.avg-size", OptionKind::Size, "average size of an auction").or("500 b"),
    OptionSpec::new("bid.avg-size", OptionKind::Size, "average size of a bid").or("100 b"),
    OptionSpec::new(
        "bid.hot-ratio.auctions",
        OptionKind::Count,
        "one bid in this many goes to a random auction, the others to the hot one",
    )
    .or("2"),
    OptionSpec::new(
        "bid.hot-ratio.bidders",
        OptionKind::Count,
        "one bid in this many is by a random person, the others by the hot one",
    )
    .or("4"),
    OptionSpec::new(
        "auction.hot-ratio.sellers",
        OptionKind::Count,
        "one auction in this many is by a random person, the others by the hot one",
    )
    .or("4"),
    OptionSpec::new("keep-alive", OptionKind::Boolean, "does not end after the last event")
        .or("false"),
    OptionSpec::new(
        "scan.splits",
        OptionKind::Count,
        "how many splits share the events; 4 or the number of workers unless set. A restored job \
         needs the number that it was started with",
    ),
];

/// The source of a table.
pub fn source(
    options: &Options<'_>,
    projection: Projection,
    cx: &ConnectorContext,
) -> SqlResult<TableSource> {
    let generator =
        NexmarkGenerator::new(config(options)?).map_err(|e| SqlError::from(e).within(NAME))?;
    let limit = options.count("events.num").filter(|n| *n > 0);
    let rate = generator.config().events_per_second;
    let numbers = Numbers::new()
        .limit(limit)
        .rate(options.is_true("rate.limited").then_some(rate))
        .splits(cx.splits(options));
    numbers.validate(NAME)?;
    if let Some((place, key)) = projection.metadata().first() {
        let column = projection.schema.field(*place).name();
        let message = format!("'{NAME}' has no metadata '{key}', as column `{column}` wants it");
        return Err(SqlError::new(codes::UNKNOWN_OPTION, message));
    }
    let keep_alive = options.is_true("keep-alive");
    let maker = Maker::new(generator, Arc::clone(&projection.schema), options.table())?;
    Ok(TableSource {
        source: Arc::new(NexmarkTable { numbers, maker: Arc::new(maker), keep_alive }),
        schema: projection.schema,
        bounded: limit.is_some() && !keep_alive,
        changelog: ChangelogMode::Append,
        bad_records: BadRecordPolicy::default(),
    })
}

fn config(options: &Options<'_>) -> SqlResult<NexmarkConfig> {
    let default = NexmarkConfig::default();
    let number = |key: &str, default: u32| match options.count(key) {
        None => Ok(default),
        Some(value) => u32::try_from(value)
            .map_err(|_| options.wrong(key, format!("option '{key}' can't be so large: {value}"))),
    };
    let bytes = |key: &str, default: u32| match options.size(key) {
        None => Ok(default),
        Some(value) => u32::try_from(value)
            .map_err(|_| options.wrong(key, format!("option '{key}' can't be so large: {value}"))),
    };
    let (first, next) = (options.number("first-event.rate"), options.number("next-event.rate"));
    let rate = match first {
        Some(first) if !options.is_set("next-event.rate") => Some(first),
        Some(first) if Some(first) != next => {
            let message = "a rate that changes is not supported: 'first-event.rate' and \
                           'next-event.rate' must be equal";
            return Err(options.wrong("first-event.rate", message));
        }
        _ => next,
    };
    Ok(NexmarkConfig {
        events_per_second: rate.unwrap_or(default.events_per_second),
        first_event_time: options
            .integer("first-event.time")
            .map_or(default.first_event_time, EventTime),
        person_proportion: number("person.proportion", default.person_proportion)?,
        auction_proportion: number("auction.proportion", default.auction_proportion)?,
        bid_proportion: number("bid.proportion", default.bid_proportion)?,
        hot_auction_ratio: number("bid.hot-ratio.auctions", default.hot_auction_ratio)?,
        hot_bidders_ratio: number("bid.hot-ratio.bidders", default.hot_bidders_ratio)?,
        hot_sellers_ratio: number("auction.hot-ratio.sellers", default.hot_sellers_ratio)?,
        average_person_bytes: bytes("person.avg-size", default.average_person_bytes)?,
        average_auction_bytes: bytes("auction.avg-size", default.average_auction_bytes)?,
        average_bid_bytes: bytes("bid.avg-size", default.average_bid_bytes)?,
        ..default
    })
}

struct NexmarkTable {
    numbers: Numbers,
    maker: Arc<Maker>,
    keep_alive: bool,
}

impl AnySource for NexmarkTable {
    fn validate(&self) -> Result<()> {
        self.numbers.validate(NAME)
    }
    fn splits(&self) -> Result<Vec<SplitId>> {
        self.numbers.ids(NAME)
    }
    fn batch_size(&self) -> usize {
        READ_ROWS
    }
    fn discovery(&self) -> Discovery {
        Discovery::Once
    }
    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        _wake: Wake,
    ) -> Result<Box<dyn AnyReader>> {
        let numbers = self.numbers.open(NAME, split, position)?;
        let maker = Arc::clone(&self.maker);
        Ok(Box::new(NexmarkReader { numbers, maker, keep_alive: self.keep_alive }))
    }
    fn first_position(&self) -> Option<Position> {
        None
    }
    fn checkpointed(&self, _positions: &[(SplitId, Position)]) {}
    fn measures(&self) -> Vec<Measure> {
        Vec::new()
    }
    fn transaction_domain(&self) -> Option<String> {
        None
    }
}

struct NexmarkReader {
    numbers: NumberedSplit,
    maker: Arc<Maker>,
    keep_alive: bool,
}

impl AnyReader for NexmarkReader {
    fn read(
        &mut self,
        max: usize,
        elapsed: Duration,
        _now: ProcessingTime,
        split: SplitTag,
    ) -> Result<Given> {
        let (numbers, mut status) = self.numbers.take(max, elapsed);
        if status == ReadStatus::End && self.keep_alive {
            status = ReadStatus::After(Duration::from_secs(1));
        }
        let chunk = Chunk::inserts(self.maker.make(numbers)?);
        let batch = headwater_core::Batch::from(chunk).with_split(split);
        Ok(Given { batch, bad: Vec::new(), skipped: 0, status })
    }
    fn position(&self) -> Position {
        self.numbers.position()
    }
}
