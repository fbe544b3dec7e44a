//! JSON.

use headwater_core::ErrorKind;
use headwater_formats::{Deserializer, Limits, Serializer, json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hostile::survives;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Bid {
    auction: u64,
    price: f64,
    channel: Option<String>,
    #[serde(default)]
    next: Option<Box<Bid>>,
}

fn refused<T: serde::de::DeserializeOwned + 'static>(bytes: &[u8]) -> String {
    json::<T>().deserialize(bytes).err().unwrap().to_string()
}

#[test]
fn typed_and_untyped_records_come_back() {
    let next = Box::new(Bid { auction: 2, price: 0.1 + 0.2, channel: None, next: None });
    let bid =
        Bid { auction: u64::MAX, price: -0.0, channel: Some("ä\n".into()), next: Some(next) };
    let mut out = b"kept".to_vec();
    json::<Bid>().serialize(&bid, &mut out).unwrap();
    assert_eq!(&out[..4], b"kept");
    assert_eq!(json::<Bid>().deserialize(&out[4..]).unwrap(), bid);

    let value = json::<Value>().deserialize(&out[4..]).unwrap();
    let mut again = Vec::new();
    json::<Value>().serialize(&value, &mut again).unwrap();
    assert_eq!(json::<Bid>().deserialize(&again).unwrap(), bid);
}

#[test]
fn refusals_say_where() {
    let found = [
        &b"{\"auction\" 1}"[..],
        b"{\"auction\":1,\"price\":2} x",
        b"{\"auction\":1,\"auction\":1}",
        b"{\"auction\":18446744073709551616,\"price\":1}",
        b"{\"auction\":-1}",
        b"{\"auction\":1,\"price\":1,\"channel\":\"\xff\"}",
        b"",
    ]
    .map(refused::<Bid>);
    let expected = [
        "json: expected `:` at line 1 column 12",
        "json: trailing characters at line 1 column 25",
        "json: duplicate field `auction` at line 1 column 22",
        "json: invalid type: floating point `1.8446744073709552e+19`, expected u64 at line 1 column 31",
        "json: invalid value: integer `-1`, expected u64 at line 1 column 13",
        "json: invalid unicode code point at line 1 column 35",
        "json: EOF while parsing a value at line 1 column 0",
    ];
    assert_eq!(found, expected);
}

#[test]
fn nesting_and_size_are_limited() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(json::<Value>().deserialize(deep(127).as_bytes()).is_ok());
    let reason = refused::<Value>(deep(1 << 20).as_bytes());
    assert_eq!(reason, "json: recursion limit exceeded at line 1 column 128");
    // A recursive type is bounded by the text, too.
    let chain = "{\"auction\":1,\"price\":1,\"next\":".repeat(1 << 16);
    assert!(refused::<Bid>(chain.as_bytes()).starts_with("json: recursion limit exceeded"));

    let limits = Limits { message_bytes: 4, ..Limits::default() };
    let short = json::<Value>().limits(limits);
    assert!(short.deserialize(b"1234").is_ok());
    let reason = short.deserialize(b"12345").unwrap_err().to_string();
    assert_eq!(reason, "json: message of 5 bytes, 4 bytes are allowed");
}

#[test]
fn reasons_are_short_whatever_they_quote() {
    let reason = refused::<Bid>(format!("{{\"auction\":\"{}\"}}", "ä".repeat(1 << 20)).as_bytes());
    assert!(reason.starts_with("json: invalid type: string \"ää"), "{reason}");
    assert!(reason.ends_with("ä\", expected u64 at line 1 column 2097165"), "{reason}");
    assert!(reason.contains("ä … ä") && reason.len() < 1010, "{}", reason.len());
}

#[test]
fn a_record_that_json_cannot_hold_is_an_error_of_that_record() {
    type Pairs = std::collections::BTreeMap<(u8, u8), u8>;
    let error = json::<Pairs>().serialize(&Pairs::from([((1, 2), 3)]), &mut Vec::new());
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(error.to_string(), "json: key must be a string");
}

#[test]
fn any_bytes_are_survived() {
    let good = br#"{"auction":1,"price":1.5e3,"channel":"a\u00e4","next":{"auction":2,"price":3}}"#;
    survives(&json::<Bid>(), "json: ", &[good]);
    survives(&json::<Value>(), "json: ", &[good, b"[[[1,-2.5e-7,null,true]]]"]);
}
