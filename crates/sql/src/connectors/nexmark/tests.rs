use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMillisecondType};
use expect_test::expect;
use headwater_connect::nexmark::{Event, NexmarkGenerator};

use super::*;
use crate::connectors::testing::{
    cx, message, published, read_all, read_in_pieces, read_split, row, table,
};

#[test]
fn rows_are_the_events_of_the_stream() {
    let table = published(&[("events.num", "500"), ("scan.splits", "1")]);
    let source = crate::connectors::source(&table, None, &cx()).unwrap();
    assert!(source.bounded);
    let rows = read_all(&*source.source).data();
    assert_eq!(rows.num_rows(), 500);
    let generator = NexmarkGenerator::default();
    let kinds = rows.column(0).as_primitive::<datafusion::arrow::datatypes::Int32Type>();
    let field = |column: usize, name: &str| {
        Arc::clone(rows.column(column).as_struct().column_by_name(name).unwrap())
    };
    let number = |column, name: &str, row: usize| {
        field(column, name).as_primitive::<Int64Type>().value(row) as u64
    };
    let text = |column, name: &str, row: usize| {
        field(column, name).as_string::<i32>().value(row).to_owned()
    };
    let time = |column, name: &str, row: usize| {
        field(column, name).as_primitive::<TimestampMillisecondType>().value(row)
    };
    for n in 0..500 {
        let kind = match generator.event(n as u64) {
            Event::Person(p) => {
                assert_eq!((number(1, "id", n), time(1, "dateTime", n)), (p.id, p.date_time.0));
                let names = ["name", "emailAddress", "creditCard", "city", "state", "extra"];
                let texts = [p.name, p.email_address, p.credit_card, p.city, p.state, p.extra];
                assert_eq!(names.map(|name| text(1, name, n)), texts.map(|t| t.into_owned()));
                0
            }
            Event::Auction(a) => {
                let names = ["id", "initialBid", "reserve", "seller", "category"];
                let numbers = [a.id, a.initial_bid, a.reserve, a.seller, a.category];
                assert_eq!(names.map(|name| number(2, name, n)), numbers);
                let names = ["itemName", "description", "extra"];
                let texts = [a.item_name, a.description, a.extra];
                assert_eq!(names.map(|name| text(2, name, n)), texts.map(|t| t.into_owned()));
                let times = (time(2, "dateTime", n), time(2, "expires", n));
                assert_eq!(times, (a.date_time.0, a.expires.0));
                1
            }
            Event::Bid(b) => {
                let names = ["auction", "bidder", "price"];
                assert_eq!(names.map(|name| number(3, name, n)), [b.auction, b.bidder, b.price]);
                let names = ["channel", "url", "extra"];
                let texts = [b.channel, b.url, b.extra];
                assert_eq!(names.map(|name| text(3, name, n)), texts.map(|t| t.into_owned()));
                assert_eq!(time(3, "dateTime", n), b.date_time.0);
                2
            }
        };
        assert_eq!(kinds.value(n), kind);
        for column in 1..4 {
            let there = column == kind as usize + 1;
            assert_eq!(rows.column(column).is_valid(n), there);
            // Expressions look at fields without their row.
            assert_eq!(field(column, "dateTime").is_valid(n), there);
            assert_eq!(field(column, "extra").is_valid(n), there);
        }
    }
}

#[test]
fn what_is_not_wanted_changes_nothing_else() {
    let table = published(&[("events.num", "300"), ("scan.splits", "1")]);
    let all = crate::connectors::source(&table, None, &cx()).unwrap();
    let all = read_all(&*all.source).data();
    for (column, names) in [
        ("bid", &["bidder", "dateTime"][..]),
        ("bid", &["url"]),
        ("bid", &["price", "extra"]),
        ("person", &["dateTime"]),
        ("auction", &["category"]),
        ("bid", &[]),
    ] {
        let whole = table.schema.field_with_name(column).unwrap();
        let DataType::Struct(fields) = whole.data_type() else { panic!() };
        let part = fields.iter().filter(|f| names.contains(&f.name().as_str())).cloned();
        let part = Field::new(column, DataType::Struct(part.collect()), true);
        let wanted = Arc::new(Schema::new(vec![part]));
        let source = crate::connectors::source(&table, Some(&wanted), &cx()).unwrap();
        assert_eq!(source.schema, wanted);
        let some = read_all(&*source.source).data();
        let (all, some) =
            (all.column_by_name(column).unwrap().as_struct(), some.column(0).as_struct());
        assert_eq!(all.nulls(), some.nulls());
        for name in names {
            assert_eq!(all.column_by_name(name), some.column_by_name(name), "{column}.{name}");
        }
    }
}

#[test]
fn splits_take_turns_and_go_on_at_their_position() {
    let table = published(&[("events.num", "103"), ("scan.splits", "4")]);
    let source = crate::connectors::source(&table, None, &cx()).unwrap();
    let whole = read_all(&*source.source).lines();
    assert_eq!(whole.len(), 103);
    assert_eq!(read_in_pieces(&*source.source, 7).lines(), whole);
    let one = published(&[("events.num", "103"), ("scan.splits", "1")]);
    let one = read_all(&*crate::connectors::source(&one, None, &cx()).unwrap().source).lines();
    let mut second = Default::default();
    read_split(&*source.source, &SplitId("1-of-4".into()), None, 3, 1, &mut second);
    assert_eq!(second.lines(), [1, 5, 9].map(|n: usize| one[n].clone()));
}

#[test]
fn endless_unless_it_says_so() {
    for (options, bounded) in [
        (&[][..], false),
        (&[("events.num", "0")], false),
        (&[("events.num", "10")], true),
        (&[("events.num", "10"), ("keep-alive", "true")], false),
    ] {
        let source = crate::connectors::source(&published(options), None, &cx()).unwrap();
        assert_eq!(source.bounded, bounded, "{options:?}");
    }
}

#[test]
fn wrong_options_and_columns_are_named() {
    let fails = |options: &[(&str, &str)]| {
        message(crate::connectors::source(&published(options), None, &cx()))
    };
    expect![[r#"
        HW-O001: connector 'nexmark' has no option 'event.num' (did you mean `events.num`?)
          help: did you mean `events.num`?
          help: `headwater connectors show nexmark` prints all options"#]]
    .assert_eq(&fails(&[("event.num", "5")]));
    expect![[r#"
        HW-O002: option 'events.num' can't be '-5'
          help: it is a whole number, 0 or more"#]]
    .assert_eq(&fails(&[("events.num", "-5")]));
    expect!["HW-O002: a rate that changes is not supported: 'first-event.rate' and 'next-event.rate' must be equal"]
        .assert_eq(&fails(&[("first-event.rate", "5"), ("next-event.rate", "6")]));
    assert!(fails(&[("scan.splits", "0")]).contains("splits must be at least 1"));
    assert!(fails(&[("person.proportion", "0")]).contains("person_proportion must be 1"));
    let wrong = |name: &str, of| {
        let table = table(&[(name, of)], &[("connector", "nexmark")]);
        message(crate::connectors::source(&table, None, &cx()))
    };
    assert!(wrong("bids", DataType::Int32).contains("did you mean `bid`?"));
    assert!(wrong("event_type", DataType::Utf8).contains("can't be Utf8"));
    assert!(wrong("bid", row(&[("prize", DataType::Int64)])).contains("did you mean `price`?"));
}
