//! Avro with a given schema: what is decoded, encoded, resolved and refused.

use std::collections::BTreeMap;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Theirs;
use apache_avro::writer::datum::GenericDatumWriter;
use headwater_core::ErrorKind;
use headwater_formats::{Deserializer, Limits, Serializer, avro};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::hostile::survives;

pub const ORDER: &str = r#"{"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "id", "type": "long"},
    {"name": "price", "type": "double"},
    {"name": "count", "type": "int"},
    {"name": "paid", "type": "boolean"},
    {"name": "note", "type": ["null", "string"], "default": null},
    {"name": "tags", "type": {"type": "array", "items": "string"}},
    {"name": "sizes", "type": {"type": "map", "values": "float"}},
    {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 4}},
    {"name": "raw", "type": "bytes"},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["New", "Sent"]}},
    {"name": "payment", "type": ["null", {"type": "record", "name": "Card", "fields": [
        {"name": "number", "type": "string"}]}, "long"]},
    {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    {"name": "parent", "type": ["null", "Order"], "default": null}
]}"#;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum State {
    New,
    Sent,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Payment {
    Card {
        number: String,
    },
    #[serde(rename = "long")]
    Account(u64),
}

/// Not in the order of the schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub id: u64,
    pub count: u8,
    pub price: f64,
    pub paid: bool,
    pub note: Option<String>,
    pub sizes: BTreeMap<String, f32>,
    pub tags: Vec<String>,
    pub hash: [u8; 4],
    pub raw: Vec<u8>,
    pub total: String,
    pub state: State,
    pub payment: Option<Payment>,
    #[serde(default)]
    pub parent: Option<Box<Order>>,
}

pub fn order() -> Order {
    let parent = Order {
        id: u64::from(u32::MAX),
        count: 0,
        price: -1.5,
        paid: false,
        note: None,
        sizes: BTreeMap::new(),
        tags: Vec::new(),
        hash: [0, 255, 1, 128],
        raw: Vec::new(),
        total: "0.00".into(),
        state: State::New,
        payment: Some(Payment::Account(1 << 40)),
        parent: None,
    };
    Order {
        id: 7,
        count: 200,
        note: Some("grün".into()),
        sizes: BTreeMap::from([("a".into(), 1.5), ("b".into(), f32::MIN)]),
        tags: vec!["x".into(), String::new()],
        raw: (0..=255).collect(),
        total: "-1234.56".into(),
        state: State::Sent,
        payment: Some(Payment::Card { number: "4711".into() }),
        parent: Some(Box::new(parent.clone())),
        ..parent
    }
}

pub fn encode<T: Serialize + 'static>(schema: &str, value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    avro::<T>(schema).serialize(value, &mut out).unwrap();
    out
}

/// What `reader` makes of it.
fn resolved(writer: &str, value: &Value, reader: &str) -> Result<Value, String> {
    let format = avro::<Value>(writer).reader_schema(reader);
    format.deserialize(&encode(writer, value)).map_err(String::from)
}

#[test]
fn a_typed_record_comes_back() {
    let bytes = encode(ORDER, &order());
    assert_eq!(avro::<Order>(ORDER).deserialize(&bytes), Ok(order()));
    // The same record as a JSON value, and written from it.
    let value = avro::<Value>(ORDER).deserialize(&bytes).unwrap();
    assert_eq!(value["hash"], "\0ÿ\u{1}\u{80}");
    assert_eq!(value["total"], "-1234.56");
    assert_eq!(value["payment"], json!({"number": "4711"}));
    assert_eq!(encode(ORDER, &value), bytes);
}

fn some_order() -> impl Strategy<Value = Order> {
    let payment = prop_oneof![
        Just(None),
        ".*".prop_map(|number| Some(Payment::Card { number })),
        (0..u64::MAX / 2).prop_map(|account| Some(Payment::Account(account))),
    ];
    let first = (any::<u32>(), any::<u8>(), any::<f32>(), any::<bool>());
    let texts = (proptest::option::of(".*"), proptest::collection::vec(".*", 0..5));
    let rest = (proptest::collection::vec(any::<u8>(), 0..99), any::<[u8; 4]>(), any::<i64>());
    let leaf = (first, texts, rest, payment).prop_map(|(first, texts, rest, payment)| {
        let cents = rest.2 / 100;
        Order {
            id: u64::from(first.0) << 20,
            count: first.1,
            price: first.2.into(),
            paid: first.3,
            sizes: texts.1.iter().map(|tag| (tag.clone(), first.2)).collect(),
            note: texts.0,
            tags: texts.1,
            raw: rest.0,
            hash: rest.1,
            total: format!("{cents}.{:02}", rest.2.unsigned_abs() % 100),
            state: if first.3 { State::New } else { State::Sent },
            payment,
            parent: None,
        }
    });
    let recursive = |inner: BoxedStrategy<Order>| {
        (inner.clone(), inner)
            .prop_map(|(parent, order)| Order { parent: Some(Box::new(parent)), ..order })
    };
    leaf.prop_recursive(3, 4, 1, recursive)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    /// What we write the library of the field reads and writes again, and we read that.
    #[test]
    fn we_agree_with_the_library_of_the_field(order in some_order()) {
        let schema = apache_avro::Schema::parse_str(ORDER).unwrap();
        let bytes = encode(ORDER, &order);
        let reader = GenericDatumReader::builder(&schema).build().unwrap();
        let theirs = reader.read_value(&mut &bytes[..]).unwrap();
        let Theirs::Record(fields) = &theirs else { panic!("{theirs:?}") };
        let id = i64::try_from(order.id).unwrap();
        prop_assert_eq!(&fields[0], &("id".to_owned(), Theirs::Long(id)));
        let writer = GenericDatumWriter::builder(&schema).build().unwrap();
        let written = writer.write_value_to_vec(theirs).unwrap();
        prop_assert_eq!(avro::<Order>(ORDER).deserialize(&written), Ok(order));
    }
}

#[test]
fn a_reader_schema_adds_renames_drops_and_widens() {
    let writer = r#"{"type": "record", "name": "A", "fields": [
        {"name": "old", "type": "int"}, {"name": "gone", "type": {"type": "array", "items": "A"}},
        {"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["X", "Y"]}},
        {"name": "text", "type": "bytes"}, {"name": "one", "type": "string"}]}"#;
    let reader = r#"{"type": "record", "name": "B", "aliases": ["A"], "fields": [
        {"name": "added", "type": "string", "default": "here"},
        {"name": "new", "aliases": ["old"], "type": "double"},
        {"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["X", "?"], "default": "?"}},
        {"name": "text", "type": "string"}, {"name": "one", "type": ["null", "string"]}]}"#;
    let inner = json!({"old": 1, "gone": [], "kind": "X", "text": "", "one": ""});
    let value = json!({"old": 7, "gone": [inner], "kind": "Y", "text": "é", "one": "1"});
    let expected = json!({"added": "here", "new": 7.0, "kind": "?", "one": "1"});
    let mut found = resolved(writer, &value, reader);
    // One byte above 127 is no UTF-8, which bytes must be to become a string.
    assert_eq!(found, Err("avro: text is not UTF-8 from its byte 0 on at byte 11".into()));
    let value = json!({"old": 7, "gone": [], "kind": "Y", "text": "t", "one": "1"});
    found = resolved(writer, &value, reader);
    let found = found.map(|mut found| {
        assert_eq!(found.as_object_mut().unwrap().remove("text"), Some(json!("t")));
        found
    });
    assert_eq!(found, Ok(expected));
}

#[test]
fn what_a_reader_cannot_read_is_refused_when_it_comes() {
    let refused = |value: Value, reader| resolved(r#"["long", "string"]"#, &value, reader);
    assert_eq!(refused(json!(5), r#""long""#), Ok(json!(5)));
    assert_eq!(refused(json!(5), r#"["string", "double"]"#), Ok(json!(5.0)));
    let reason = "avro: string was written, which long does not read at byte 1";
    assert_eq!(refused(json!("5"), r#""long""#), Err(reason.into()));
    let missing = r#"{"type": "record", "name": "A", "fields": [{"name": "x", "type": "int"}]}"#;
    let empty = r#"{"type": "record", "name": "A", "fields": []}"#;
    let reason = "avro: field \"x\" was not written at byte 0";
    assert_eq!(resolved(empty, &json!({}), missing), Err(reason.into()));
}

#[test]
fn recursive_schemas_resolve() {
    let list = |name: &str, kind: &str| {
        format!(
            r#"{{"type": "record", "name": "{name}", "aliases": ["W"], "fields": [
            {{"name": "value", "type": "{kind}"}}, {{"name": "next", "type": ["null", "{name}"]}}]}}"#
        )
    };
    let value = json!({"value": 1, "next": {"value": 2, "next": null}});
    let expected = json!({"value": 1.0, "next": {"value": 2.0, "next": null}});
    assert_eq!(resolved(&list("W", "int"), &value, &list("R", "double")), Ok(expected));
}

#[test]
fn records_that_the_schema_does_not_hold_are_errors_of_those_records() {
    let schema = r#"{"type": "record", "name": "A", "fields": [{"name": "x", "type": "int"}]}"#;
    let refused = |value: Value| {
        let error = avro::<Value>(schema).serialize(&value, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        error.to_string()
    };
    let too_large = "avro: field \"x\": 2147483648 is too large for its type";
    assert_eq!(refused(json!({"x": 1u32 << 31})), too_large);
    assert_eq!(refused(json!({"x": "a"})), "avro: field \"x\": text where the schema has int");
    assert_eq!(refused(json!({})), "avro: field \"x\" is missing");
    assert_eq!(refused(json!({"y": 1})), "avro: field \"y\" is not in the schema");
    assert_eq!(refused(json!([1])), "avro: a sequence where the schema has A");
}

#[test]
fn schemas_are_checked_before_the_job_starts() {
    for (schema, reason) in [
        ("{", "avro: schema is not JSON: EOF while parsing an object at line 1 column 1"),
        (r#""longer""#, "avro: type \"longer\" is not defined"),
        (r#"{"type": "record", "name": "A"}"#, "avro: record without \"fields\""),
        (r#"{"type": "fixed", "name": "A", "size": -1}"#, "avro: \"size\" of a fixed is no number"),
        ("17", "avro: 17 is no type"),
        (r#"["int", ["null"]]"#, "avro: a union directly within a union"),
    ] {
        let error = Deserializer::validate(&avro::<Value>(schema)).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Config, reason));
        assert!(avro::<Value>(schema).deserialize(b"").is_err());
    }
    let huge = format!(r#"{{"type": "{}"}}"#, " ".repeat(1 << 20));
    let error = Deserializer::validate(&avro::<Value>(&huge)).unwrap_err();
    assert!(error.to_string().ends_with("1048576 bytes are allowed"), "{error}");
}

#[test]
fn lengths_counts_and_levels_are_not_believed() {
    let refused = |schema: &str, bytes: &[u8]| {
        avro::<Value>(schema).deserialize(bytes).unwrap_err().to_string()
    };
    // i64::MAX in each place.
    let max = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    let left = "avro: 9223372036854775807 bytes expected, 0 left at byte 10";
    assert_eq!(refused(r#""bytes""#, max), left);
    assert_eq!(refused(r#""string""#, max), left);
    let array = |items: &str| format!(r#"{{"type": "array", "items": {items}}}"#);
    assert_eq!(refused(&array(r#""int""#), max), "avro: 1 bytes expected, 0 left at byte 10");
    let empty = "avro: too many empty items at byte 10";
    assert_eq!(refused(&array(r#""null""#), max), empty);
    let record = r#"{"type": "record", "name": "E", "fields": []}"#;
    assert_eq!(refused(&array(record), max), empty);
    assert_eq!(refused(r#""long""#, &[0xff; 11]), "avro: a number of more than 64 bits at byte 10");
    assert_eq!(refused(r#""int""#, b"\x02\x02"), "avro: 1 bytes left over");

    let list =
        r#"{"type": "record", "name": "L", "fields": [{"name": "n", "type": ["null", "L"]}]}"#;
    let deep = |levels: usize| [vec![2; levels], vec![0]].concat();
    assert!(avro::<Value>(list).deserialize(&deep(63)).is_ok());
    assert_eq!(refused(list, &deep(1 << 20)), "avro: nested too deeply at byte 64");
    // A record of nothing but itself takes no bytes at all.
    let endless = r#"{"type": "record", "name": "L", "fields": [{"name": "n", "type": "L"}]}"#;
    assert_eq!(refused(endless, b""), "avro: nested too deeply at byte 0");
    let flat = Limits { nesting: 1, ..Limits::default() };
    assert!(avro::<Value>(list).limits(flat).deserialize(&deep(1)).is_err());
}

#[test]
fn any_bytes_are_survived() {
    let good = encode(ORDER, &order());
    survives(&avro::<Order>(ORDER), "avro: ", &[&good]);
    survives(&avro::<Value>(ORDER), "avro: ", &[&good]);
    let reader =
        ORDER.replace("\"int\"", "\"long\"").replace("\"name\": \"note\"", "\"name\": \"n\"");
    survives(&avro::<Value>(ORDER).reader_schema(&reader), "avro: ", &[&good]);
}
