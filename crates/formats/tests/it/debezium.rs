//! Debezium's change events.

use headwater_core::{Change, ChangeEvent, RowKind};
use headwater_formats::{Deserializer, Serializer, debezium_json};
use serde::{Deserialize, Serialize};

use crate::hostile::survives;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Customer {
    id: u64,
    name: String,
}

fn customer(name: &str) -> Customer {
    Customer { id: 1004, name: name.to_owned() }
}

/// As in Debezium's tutorial, with the schema cut short.
const WRAPPED: &str = r#"{"schema":{"type":"struct","fields":[{"type":"struct","field":"before"}]},
    "payload":{"before":{"id":1004,"name":"Anne"},"after":{"id":1004,"name":"Anne Marie"},
    "source":{"version":"3.0","name":"dbserver1","ts_ms":1486501486000,"file":"mysql-bin.3"},
    "op":"u","ts_ms":1486501486308,"transaction":null}}"#;

fn read(text: &str) -> Result<ChangeEvent<Customer>, String> {
    debezium_json().deserialize(text.as_bytes()).map_err(String::from)
}

fn written<C>(change: &C) -> String
where
    headwater_formats::DebeziumJson<Customer>: Serializer<C>,
{
    let mut out = Vec::new();
    debezium_json::<Customer>().serialize(change, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn operations_become_events() {
    let anne = r#"{"id":1004,"name":"Anne"}"#;
    let update = ChangeEvent::Update { before: customer("Anne"), after: customer("Anne Marie") };
    assert_eq!(read(WRAPPED), Ok(update));
    for op in ["c", "r"] {
        let text = format!(r#"{{"op":"{op}","before":null,"after":{anne},"ts_ms":7}}"#);
        assert_eq!(read(&text), Ok(ChangeEvent::Insert(customer("Anne"))), "{op}");
    }
    let text = format!(r#"{{"before":{anne},"after":null,"op":"d"}}"#);
    assert_eq!(read(&text), Ok(ChangeEvent::Delete(customer("Anne"))));
}

#[test]
fn what_is_written_is_read_again() {
    let (before, after) = (customer("a"), customer("b"));
    for event in [
        ChangeEvent::Insert(after.clone()),
        ChangeEvent::Update { before: before.clone(), after },
        ChangeEvent::Delete(before),
    ] {
        assert_eq!(read(&written(&event)), Ok(event));
    }
}

#[test]
fn single_rows_are_written_as_inserts_and_deletes() {
    let inserted = r#"{"before":null,"after":{"id":1004,"name":"a"},"op":"c"}"#;
    let deleted = r#"{"before":{"id":1004,"name":"a"},"after":null,"op":"d"}"#;
    for (kind, expected) in [
        (RowKind::Insert, inserted),
        (RowKind::UpdateBefore, deleted),
        (RowKind::UpdateAfter, inserted),
        (RowKind::Delete, deleted),
    ] {
        assert_eq!(written(&Change::new(kind, customer("a"))), expected, "{kind}");
    }
}

#[test]
fn refusals_say_what_is_missing() {
    let row = r#"{"id":1,"name":""}"#;
    let no_before =
        "debezium-json: `before` is missing; Postgres sends it with REPLICA IDENTITY FULL";
    for (text, reason) in [
        (format!(r#"{{"before":null,"after":{row},"op":"u"}}"#), no_before),
        (r#"{"before":null,"after":null,"op":"d"}"#.into(), no_before),
        (r#"{"before":null,"after":null,"op":"c"}"#.into(), "debezium-json: `after` is missing"),
        (
            r#"{"op":"t"}"#.into(),
            "debezium-json: the table was truncated, which changes no single row",
        ),
        (
            r#"{"schema":{},"payload":null}"#.into(),
            "debezium-json: neither `op` nor `payload`: is it a change event?",
        ),
        (
            r#"{"payload":{"after":{"id":1},"op":"c"}}"#.into(),
            "debezium-json: missing field `name` at line 1 column 28",
        ),
    ] {
        assert_eq!(read(&text), Err(reason.to_owned()), "{text}");
    }
}

#[test]
fn any_bytes_are_survived() {
    survives(&debezium_json::<Customer>(), "debezium-json: ", &[WRAPPED.as_bytes()]);
}
