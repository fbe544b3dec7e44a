//! Strings and bytes.

use headwater_formats::{Deserializer, Limits, Serializer, bytes, string};

use crate::hostile::survives;

#[test]
fn strings_are_utf8() {
    let mut out = Vec::new();
    string().serialize(&"ä\0".to_owned(), &mut out).unwrap();
    assert_eq!(string().deserialize(&out).unwrap(), "ä\0");
    let refused = string().deserialize(b"ab\xffc").unwrap_err();
    assert_eq!(refused.to_string(), "string: not UTF-8 from byte 2 on");
    survives(&string(), "string: ", &["aäö€".as_bytes()]);
}

#[test]
fn bytes_are_kept() {
    let mut out = vec![1];
    bytes().serialize(&vec![0xff, 0], &mut out).unwrap();
    assert_eq!(bytes().deserialize(&out).unwrap(), [1, 0xff, 0]);
    assert_eq!(bytes().deserialize(b"").unwrap(), [0u8; 0]);
}

#[test]
fn both_are_limited() {
    let limits = Limits { message_bytes: 2, ..Limits::default() };
    let refused = string().limits(limits).deserialize(b"abc").unwrap_err();
    assert_eq!(refused.to_string(), "string: message of 3 bytes, 2 bytes are allowed");
    let refused = bytes().limits(limits).deserialize(b"abc").unwrap_err();
    assert_eq!(refused.to_string(), "bytes: message of 3 bytes, 2 bytes are allowed");
}
