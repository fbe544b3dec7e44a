//! From numbers of events to columns.
//!
//! Persons and auctions are made one by one into vectors, from which columns are then filled; bids,
//! which are most events, go right into theirs. A row of `bid` is null where the event is no bid,
//! and so are all its fields.

mod bids;

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringBuilder, StructArray,
    TimestampMillisecondArray,
};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{DataType, Fields, SchemaRef, TimeUnit};
use headwater_connect::generator::Stride;
use headwater_connect::nexmark::{Auction, Event, EventKind, NexmarkGenerator, Person};
use headwater_core::{Error, Result};

use crate::catalog::Table;
use crate::error::{SqlError, SqlResult, codes};
use bids::{Bids, Wanted};

const TIME: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

const COLUMNS: &[&str] = &["event_type", "person", "auction", "bid", "dateTime"];
const PERSON: &[(&str, DataType)] = &[
    ("id", DataType::Int64),
    ("name", DataType::Utf8),
    ("emailAddress", DataType::Utf8),
    ("creditCard", DataType::Utf8),
    ("city", DataType::Utf8),
    ("state", DataType::Utf8),
    ("dateTime", TIME),
    ("extra", DataType::Utf8),
];
const AUCTION: &[(&str, DataType)] = &[
    ("id", DataType::Int64),
    ("itemName", DataType::Utf8),
    ("description", DataType::Utf8),
    ("initialBid", DataType::Int64),
    ("reserve", DataType::Int64),
    ("dateTime", TIME),
    ("expires", TIME),
    ("seller", DataType::Int64),
    ("category", DataType::Int64),
    ("extra", DataType::Utf8),
];
const BID: &[(&str, DataType)] = &[
    ("auction", DataType::Int64),
    ("bidder", DataType::Int64),
    ("price", DataType::Int64),
    ("channel", DataType::Utf8),
    ("url", DataType::Utf8),
    ("dateTime", TIME),
    ("extra", DataType::Utf8),
];

/// Makes the wanted columns.
pub(super) struct Maker {
    generator: NexmarkGenerator,
    schema: SchemaRef,
    /// Whether persons have to be made; their time is known without.
    persons: bool,
    auctions: bool,
    /// Which columns of bids, if any.
    bids: Option<Wanted>,
}

/// The events of a batch.
#[derive(Default)]
struct Events {
    /// What each is: 0, 1 and 2 as in the column `event_type`.
    kinds: Vec<i32>,
    times: Vec<i64>,
    persons: Vec<Person>,
    auctions: Vec<Auction>,
    bids: Bids,
}

impl Maker {
    /// Checks the columns and finds out what has to be made for them.
    pub(super) fn new(
        generator: NexmarkGenerator,
        schema: SchemaRef,
        table: &Table,
    ) -> SqlResult<Self> {
        let mut maker = Maker {
            generator,
            schema: Arc::clone(&schema),
            persons: false,
            auctions: false,
            bids: None,
        };
        for field in schema.fields() {
            match (field.name().as_str(), field.data_type()) {
                ("event_type", DataType::Int32) => {}
                ("dateTime", time) if *time == TIME => {}
                ("person", DataType::Struct(fields)) => {
                    check(table, "person", fields, PERSON)?;
                    maker.persons = fields.iter().any(|f| f.name() != "dateTime");
                }
                ("auction", DataType::Struct(fields)) => {
                    check(table, "auction", fields, AUCTION)?;
                    maker.auctions = fields.iter().any(|f| f.name() != "dateTime");
                }
                ("bid", DataType::Struct(fields)) => {
                    check(table, "bid", fields, BID)?;
                    maker.bids = Wanted::of(fields);
                }
                (name, found) => return Err(misfit(table, name, found)),
            }
        }
        Ok(maker)
    }

    /// The rows of these events.
    pub(super) fn make(&self, numbers: Stride) -> Result<RecordBatch> {
        let mut events = self.events(numbers);
        let rows = events.kinds.len();
        let times = ScalarBuffer::from(std::mem::take(&mut events.times));
        let columns = self.schema.fields().iter().map(|field| {
            Ok(match (field.name().as_str(), field.data_type()) {
                ("event_type", _) => {
                    Arc::new(Int32Array::new(events.kinds.clone().into(), None)) as ArrayRef
                }
                ("person", DataType::Struct(fields)) => events.column(0, fields, &times, person)?,
                ("auction", DataType::Struct(fields)) => {
                    events.column(1, fields, &times, auction)?
                }
                ("bid", DataType::Struct(fields)) => {
                    events.column(2, fields, &times, |events, field, nulls| {
                        events.bids.column(field, nulls)
                    })?
                }
                _ => Arc::new(TimestampMillisecondArray::new(times.clone(), None)),
            })
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|e| Error::internal("nexmark: columns do not fit the table").because(e))
    }

    fn events(&self, numbers: Stride) -> Events {
        let generator = &self.generator;
        let mut events = Events {
            kinds: Vec::with_capacity(numbers.len()),
            times: Vec::with_capacity(numbers.len()),
            ..Events::default()
        };
        if let Some(wanted) = self.bids {
            events.bids = Bids::with_capacity(numbers.len(), wanted);
        }
        for n in numbers {
            let bid = self.bids.and_then(|wanted| generator.bid(n, wanted.fields()));
            let (kind, time) = match &bid {
                Some(bid) => (EventKind::Bid, bid.date_time),
                None => (generator.kind(n), generator.time(n)),
            };
            events.times.push(time.0);
            events.kinds.push(match kind {
                EventKind::Person => 0,
                EventKind::Auction => 1,
                EventKind::Bid => 2,
            });
            if self.bids.is_some() {
                events.bids.push(bid.as_ref());
            }
            match kind {
                EventKind::Person if self.persons => {
                    if let Event::Person(person) = generator.event(n) {
                        events.persons.push(*person);
                    }
                }
                EventKind::Auction if self.auctions => {
                    if let Event::Auction(auction) = generator.event(n) {
                        events.auctions.push(*auction);
                    }
                }
                _ => {}
            }
        }
        events
    }
}

/// The column of a field by name; none: the times.
type Column = fn(&mut Events, &str, &NullBuffer) -> Option<ArrayRef>;

impl Events {
    /// The rows of one kind; null where the event is of another.
    fn column(
        &mut self,
        kind: i32,
        fields: &Fields,
        times: &ScalarBuffer<i64>,
        column: Column,
    ) -> Result<ArrayRef> {
        let kinds = &self.kinds;
        let rows = kinds.len();
        let is_there = BooleanBuffer::collect_bool(rows, |i| kinds[i] == kind);
        let nulls = NullBuffer::new(is_there);
        let columns = fields.iter().map(|field| {
            column(self, field.name(), &nulls).unwrap_or_else(|| {
                Arc::new(TimestampMillisecondArray::new(times.clone(), Some(nulls.clone())))
            })
        });
        let columns: Vec<ArrayRef> = columns.collect();
        let rows = match columns.is_empty() {
            true => StructArray::new_empty_fields(rows, Some(nulls.clone())),
            false => StructArray::try_new(fields.clone(), columns, Some(nulls))
                .map_err(|e| Error::internal("nexmark: fields do not fit the table").because(e))?,
        };
        Ok(Arc::new(rows))
    }

    fn numbers<T>(&self, nulls: &NullBuffer, of: &[T], value: impl Fn(&T) -> u64) -> ArrayRef {
        let values = spread(nulls, of, |record| value(record) as i64, 0);
        Arc::new(Int64Array::new(values.into(), Some(nulls.clone())))
    }

    fn times<T>(&self, nulls: &NullBuffer, of: &[T], value: impl Fn(&T) -> i64) -> ArrayRef {
        let values = spread(nulls, of, value, 0);
        Arc::new(TimestampMillisecondArray::new(values.into(), Some(nulls.clone())))
    }

    fn texts<T>(&self, nulls: &NullBuffer, of: &[T], value: impl Fn(&T) -> &str) -> ArrayRef {
        let bytes = of.iter().map(|record| value(record).len()).sum();
        let mut texts = StringBuilder::with_capacity(nulls.len(), bytes);
        let mut records = of.iter();
        for is_there in nulls {
            match is_there.then(|| records.next()).flatten() {
                Some(record) => texts.append_value(value(record)),
                None => texts.append_null(),
            }
        }
        Arc::new(texts.finish())
    }
}

/// Values at the rows that are there.
fn spread<T, V: Copy>(nulls: &NullBuffer, of: &[T], value: impl Fn(&T) -> V, missing: V) -> Vec<V> {
    let mut records = of.iter();
    let next = |is_there: bool| is_there.then(|| records.next()).flatten().map_or(missing, &value);
    nulls.iter().map(next).collect()
}

fn person(events: &mut Events, field: &str, nulls: &NullBuffer) -> Option<ArrayRef> {
    let of = &events.persons;
    Some(match field {
        "id" => events.numbers(nulls, of, |p| p.id),
        "name" => events.texts(nulls, of, |p| &p.name),
        "emailAddress" => events.texts(nulls, of, |p| &p.email_address),
        "creditCard" => events.texts(nulls, of, |p| &p.credit_card),
        "city" => events.texts(nulls, of, |p| &p.city),
        "state" => events.texts(nulls, of, |p| &p.state),
        "extra" => events.texts(nulls, of, |p| &p.extra),
        _ => return None,
    })
}

fn auction(events: &mut Events, field: &str, nulls: &NullBuffer) -> Option<ArrayRef> {
    let of = &events.auctions;
    Some(match field {
        "id" => events.numbers(nulls, of, |a| a.id),
        "itemName" => events.texts(nulls, of, |a| &a.item_name),
        "description" => events.texts(nulls, of, |a| &a.description),
        "initialBid" => events.numbers(nulls, of, |a| a.initial_bid),
        "reserve" => events.numbers(nulls, of, |a| a.reserve),
        "expires" => events.times(nulls, of, |a| a.expires.0),
        "seller" => events.numbers(nulls, of, |a| a.seller),
        "category" => events.numbers(nulls, of, |a| a.category),
        "extra" => events.texts(nulls, of, |a| &a.extra),
        _ => return None,
    })
}

fn check(
    table: &Table,
    column: &str,
    fields: &Fields,
    known: &[(&str, DataType)],
) -> SqlResult<()> {
    for field in fields {
        match known.iter().find(|(name, _)| name == field.name()) {
            Some((_, wanted)) if wanted == field.data_type() => {}
            Some((name, _)) => {
                return Err(misfit(table, &format!("{column}.{name}"), field.data_type()));
            }
            None => {
                let message = format!(
                    "column `{column}` of connector 'nexmark' has no field `{}`",
                    field.name()
                );
                return Err(SqlError::new(codes::BAD_SCHEMA, message).names(
                    field.name(),
                    "fields",
                    known.iter().map(|(name, _)| *name),
                ));
            }
        }
    }
    Ok(())
}

fn misfit(table: &Table, name: &str, found: &DataType) -> SqlError {
    let known = name.contains('.') || COLUMNS.contains(&name);
    let message = if known {
        format!("column `{name}` of table `{}` can't be {found} in connector 'nexmark'", table.name)
    } else {
        format!("connector 'nexmark' has no column `{name}`")
    };
    let error = SqlError::new(codes::BAD_SCHEMA, message)
        .help("declare the columns of the published table: event_type INT, person ROW<…>, …");
    if known { error } else { error.names(name, "columns", COLUMNS.iter().copied()) }
}
