//! Protobuf through a registry.

use headwater_core::Wake;
use headwater_formats::{
    Deserializer, Readiness, Registration, Registry, Serializer, registered_protobuf,
    registered_protobuf_json,
};
use serde_json::json;

use crate::hostile::survives;
use crate::protobuf::{Order, PROTO, order};
use crate::registry::{framed, registry, wait};
use crate::stand_in::StandIn;

/// Id 1 is somebody else's, 2 is ours.
fn server() -> (StandIn, Registry) {
    let server = StandIn::start();
    server.add("", "\"long\"");
    server.add("PROTOBUF", PROTO);
    let registry = registry(&server);
    (server, registry)
}

#[test]
fn the_message_is_found_by_its_index() {
    let (server, registry) = server();
    let format = registered_protobuf_json(&registry);
    // The second message of the file; then the first in the second, as the entries of its map, which
    // the compiler puts before it, do not count.
    for (record, value) in [
        (&b"\x02\x02\x08\x07"[..], json!({"order_id": 7})),
        (b"\x00", json!({})),
        (b"\x04\x02\x00\x0a\x01x", json!({"number": "x"})),
    ] {
        let message = framed(2, record);
        wait(&format, &message).unwrap();
        assert_eq!(format.deserialize(&message), Ok(value));
    }
    let refused = |id, record: &[u8]| {
        wait(&format, &framed(id, record)).unwrap();
        format.deserialize(&framed(id, record)).unwrap_err().to_string()
    };
    assert_eq!(refused(2, b"\x02\x08"), "protobuf: no message [4] in schema 2");
    assert_eq!(refused(2, b"\x01"), "protobuf: no message's index after the schema's id");
    assert_eq!(refused(1, b"\x00"), "protobuf: schema 1: it is in Avro, not in Protobuf");
    assert_eq!(server.requests(), ["GET /schemas/ids/2", "GET /schemas/ids/1"]);
}

#[test]
fn typed_messages_need_no_schema_to_be_read() {
    let (server, registry) = server();
    let format = registered_protobuf::<Order>(&registry);
    let readiness = Deserializer::ready(&format, b"", &Wake::none()).unwrap();
    assert_eq!(readiness, Readiness::Now);
    let message = framed(2, b"\x02\x02\x08\x07");
    let order = Order { order_id: 7, ..Order::default() };
    assert_eq!(Deserializer::deserialize(&format, &message), Ok(order));
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn both_write_the_same() {
    let (server, registry) = server();
    let typed =
        registered_protobuf::<Order>(&registry).subject("orders-value", PROTO, "shop.Order");
    let untyped = registered_protobuf_json(&registry)
        .subject("orders-value", PROTO, "shop.Order")
        .registration(Registration::MustExist);
    Serializer::validate(&typed).unwrap();
    Serializer::validate(&untyped).unwrap();
    let (mut bytes, mut again) = (Vec::new(), Vec::new());
    typed.serialize(&order(), &mut bytes).unwrap();
    assert_eq!(bytes[..7], [0, 0, 0, 0, 3, 2, 2]);
    wait(&untyped, &bytes).unwrap();
    untyped.serialize(&untyped.deserialize(&bytes).unwrap(), &mut again).unwrap();
    assert_eq!(again, bytes);
    let card = registered_protobuf_json(&registry).subject("cards", PROTO, "shop.Order.Card");
    Serializer::validate(&card).unwrap();
    bytes.clear();
    card.serialize(&json!({"number": "x"}), &mut bytes).unwrap();
    assert_eq!(bytes, framed(4, b"\x04\x02\x00\x0a\x01x"));
    let posts = ["POST /subjects/orders-value/versions", "POST /subjects/orders-value"];
    assert_eq!(server.requests()[..2], posts);
}

#[test]
fn any_bytes_are_survived() {
    let (_server, registry) = server();
    let good = framed(2, &[&b"\x02\x02"[..], &prost::Message::encode_to_vec(&order())].concat());
    survives(&registered_protobuf::<Order>(&registry), "protobuf: ", &[&good]);
    let format = registered_protobuf_json(&registry);
    wait(&format, &good).unwrap();
    survives(&format, "protobuf: ", &[&good]);
}
