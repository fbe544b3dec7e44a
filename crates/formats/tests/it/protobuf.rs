//! Protobuf with types and without.

use headwater_core::ErrorKind;
use headwater_formats::{Deserializer, Limits, Serializer, protobuf, protobuf_json};
use serde_json::{Value, json};

use crate::hostile::survives;

pub const PROTO: &str = r#"syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Other {}
message Order {
    uint64 order_id = 1;
    string note = 2;
    repeated sint32 steps = 3;
    map<string, double> prices = 4;
    Order parent = 5;
    State state = 6;
    bytes raw = 7;
    oneof payment { Card card = 8; int64 account = 9; }
    google.protobuf.Timestamp at = 10;
    message Card { string number = 1; }
    enum State { NEW = 0; SENT = 1; }
}
"#;

#[derive(Clone, PartialEq, prost::Message)]
pub struct Order {
    #[prost(uint64, tag = "1")]
    pub order_id: u64,
    #[prost(string, tag = "2")]
    pub note: String,
    #[prost(sint32, repeated, tag = "3")]
    pub steps: Vec<i32>,
    #[prost(btree_map = "string, double", tag = "4")]
    pub prices: std::collections::BTreeMap<String, f64>,
    #[prost(message, optional, boxed, tag = "5")]
    pub parent: Option<Box<Order>>,
    #[prost(bytes = "vec", tag = "7")]
    pub raw: Vec<u8>,
}

pub fn order() -> Order {
    Order {
        order_id: u64::MAX,
        note: "grün".into(),
        steps: vec![-1, 300],
        prices: [("a".to_owned(), 0.5)].into(),
        parent: Some(Box::new(Order { order_id: 1, ..Order::default() })),
        raw: vec![0, 255],
    }
}

fn value() -> Value {
    json!({
        "order_id": u64::MAX, "note": "grün", "steps": [-1, 300], "prices": {"a": 0.5},
        "parent": {"order_id": 1}, "raw": "AP8=",
    })
}

fn written<T>(format: &impl Serializer<T>, value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    format.serialize(value, &mut out).unwrap();
    out
}

#[test]
fn typed_and_untyped_agree() {
    let (typed, untyped) = (protobuf::<Order>(), protobuf_json(PROTO, "shop.Order"));
    let bytes = written(&typed, &order());
    assert_eq!(typed.deserialize(&bytes), Ok(order()));
    assert_eq!(untyped.deserialize(&bytes), Ok(value()));
    assert_eq!(written(&untyped, &value()), bytes);
}

#[test]
fn values_follow_the_json_mapping() {
    let format = protobuf_json(PROTO, "shop.Order");
    let value = json!({"state": "SENT", "card": {"number": "4711"}, "at": "2026-01-01T00:00:00Z"});
    assert_eq!(format.deserialize(&written(&format, &value)), Ok(value));
    assert_eq!(format.deserialize(b""), Ok(json!({})));
}

#[test]
fn refusals_and_errors_say_what_is_wrong() {
    let refused = protobuf::<Order>().deserialize(b"\x08").unwrap_err().to_string();
    let reason = "protobuf: failed to decode Protobuf message: Order.order_id: invalid varint";
    assert_eq!(refused, reason);
    let format = protobuf_json(PROTO, "shop.Order");
    let refused = format.deserialize(b"\x12\x01\xff").unwrap_err().to_string();
    assert!(refused.starts_with("protobuf: failed to decode Protobuf message: "), "{refused}");
    let error = format.serialize(&json!({"nothing": 1}), &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("nothing"), "{error}");
    let short = Limits { message_bytes: 1, ..Limits::default() };
    assert!(protobuf::<Order>().limits(short).deserialize(b"\x08\x01").is_err());
}

#[test]
fn schemas_are_checked_before_the_job_starts() {
    let any = r#"syntax = "proto3"; import "google/protobuf/any.proto"; message A {}"#;
    let import = r#"syntax = "proto3"; import "other.proto"; message A {}"#;
    let deep = "message A { ".repeat(1 << 16);
    for (schema, message, reason) in [
        (PROTO, "Order", "no message \"Order\" in the schema; there are: shop.Other, shop.Order"),
        ("message", "A", "schema does not compile: "),
        (&deep, "A", "schema does not compile: "),
        (import, "A", "schema does not compile: "),
        (any, "A", "google.protobuf.Any is not supported"),
        (&" ".repeat(1 << 21), "A", "schema of 2097152 bytes, 1048576 bytes are allowed"),
    ] {
        let error = Deserializer::validate(&protobuf_json(schema, message)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().starts_with(&format!("protobuf: {reason}")), "{error}");
    }
}

#[test]
fn nesting_is_limited() {
    // `parent` within `parent`, from the inside out.
    let mut nested = Vec::new();
    for _ in 0..5000 {
        let mut outer = vec![0x2a];
        prost::encoding::encode_varint(nested.len() as u64, &mut outer);
        outer.append(&mut nested);
        nested = outer;
    }
    let reason = "recursion limit reached";
    let refused = protobuf::<Order>().deserialize(&nested).unwrap_err().to_string();
    assert!(refused.ends_with(reason), "{}", refused.len());
    let refused = protobuf_json(PROTO, "shop.Order").deserialize(&nested).unwrap_err();
    assert!(refused.to_string().ends_with(reason));
    // Groups of unknown fields nest, too.
    let groups = [0xa3, 0x06].repeat(100_000);
    assert!(protobuf::<Order>().deserialize(&groups).is_err());
    assert!(protobuf_json(PROTO, "shop.Order").deserialize(&groups).is_err());
}

#[test]
fn any_bytes_are_survived() {
    let good = written(&protobuf::<Order>(), &order());
    survives(&protobuf::<Order>(), "protobuf: ", &[&good]);
    survives(&protobuf_json(PROTO, "shop.Order"), "protobuf: ", &[&good]);
}
