//! The registry's client, through Avro: who waits for what, what fails how, what is asked how often.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use headwater_core::{ErrorKind, Wake};
use headwater_formats::{
    Deserializer, Limits, Readiness, Registration, Registry, Serializer, registered_avro,
};
use serde_json::{Value, json};

use crate::avro::{ORDER, Order, encode, order};
use crate::hostile::survives;
use crate::stand_in::StandIn;

/// A registry that nobody waits long for.
pub fn registry(server: &StandIn) -> Registry {
    Registry::new(&server.url).give_up_after(Duration::from_millis(500))
}

fn wake() -> (Wake, Receiver<()>) {
    let (woken, waiting) = sync_channel(100);
    (Wake::new(move || woken.send(()).unwrap()), waiting)
}

pub fn framed(id: u32, record: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], record].concat()
}

/// Asks until the answer is there, as a connector does; how often it was told to come again.
pub fn wait<T>(format: &impl Deserializer<T>, message: &[u8]) -> headwater_core::Result<usize> {
    let (wake, waiting) = wake();
    for times in 0.. {
        match format.ready(message, &wake)? {
            Readiness::Now => return Ok(times),
            Readiness::Later => waiting.recv().unwrap(),
        }
    }
    unreachable!()
}

#[test]
fn a_schema_is_fetched_once_in_the_background() {
    let server = StandIn::start();
    let id = server.add("", ORDER);
    let format = registered_avro::<Order>(&registry(&server));
    let message = framed(id, &encode(ORDER, &order()));
    let early = format.deserialize(&message).unwrap_err().to_string();
    assert_eq!(early, "avro: schema 1 is still being fetched");
    assert_eq!(wait(&format, &message).unwrap(), 1);
    assert_eq!(format.deserialize(&message), Ok(order()));
    assert_eq!(wait(&format, &message).unwrap(), 0);
    assert_eq!(server.requests(), ["GET /schemas/ids/1"]);
}

#[test]
fn everybody_who_waits_is_woken() {
    let server = StandIn::start();
    let id = server.add("", "\"long\"");
    let registry = registry(&server);
    let formats = [registered_avro::<i64>(&registry), registered_avro::<i64>(&registry)];
    // Nothing is answered while this is held.
    let waiting = server.with(|_| {
        formats.each_ref().map(|format| {
            let (wake, waiting) = wake();
            let readiness = Deserializer::ready(format, &framed(id, &[2]), &wake);
            assert_eq!(readiness.unwrap(), Readiness::Later);
            let readiness = Deserializer::ready(format, &framed(id, &[2]), &wake);
            assert_eq!(readiness.unwrap(), Readiness::Later);
            waiting
        })
    });
    for (format, waiting) in formats.iter().zip(waiting) {
        waiting.recv().unwrap();
        assert_eq!(format.deserialize(&framed(id, &[2])), Ok(1));
        assert!(waiting.try_recv().is_err(), "woken once");
    }
    assert_eq!(server.requests().len(), 1, "one cache for all clones");
}

#[test]
fn an_unknown_schema_refuses_the_message_and_is_asked_for_once() {
    let server = StandIn::start();
    let format = registered_avro::<Order>(&registry(&server));
    let message = framed(17, b"");
    for _ in 0..3 {
        wait(&format, &message).unwrap();
        let refused = format.deserialize(&message).unwrap_err().to_string();
        let reason =
            format!("avro: schema registry {}/schemas/ids/17: Schema not found", server.url);
        assert_eq!(refused, reason);
    }
    assert_eq!(server.requests(), ["GET /schemas/ids/17"]);
}

#[test]
fn schemas_that_cannot_be_used_refuse_the_message() {
    let server = StandIn::start();
    let limits = Limits { schema_bytes: 200, ..Limits::default() };
    let format = registered_avro::<Value>(&registry(&server).limits(limits));
    for (kind, schema, reason) in [
        ("PROTOBUF", "syntax = \"proto3\";", "schema 1: it is in Protobuf, not in Avro"),
        ("JSON", "{}", "schema 2: it is in another language, not in Avro"),
        ("", "\"nothing\"", "schema 3: type \"nothing\" is not defined"),
        ("", &" ".repeat(201), "schema 4 of 201 bytes, 200 bytes are allowed"),
    ] {
        let message = framed(server.add(kind, schema), b"");
        wait(&format, &message).unwrap();
        let refused = format.deserialize(&message).unwrap_err().to_string();
        assert_eq!(refused, format!("avro: {reason}"));
    }
}

#[test]
fn messages_that_name_no_schema_are_refused_without_asking() {
    let server = StandIn::start();
    let format = registered_avro::<Order>(&registry(&server));
    for (message, reason) in [
        (&b"\0\0\0\x01"[..], "avro: 4 bytes are too few for a schema's id before a record"),
        (
            b"{\"id\":1}",
            "avro: the first byte is 123, not 0: not written through a schema registry",
        ),
    ] {
        assert_eq!(wait(&format, message).unwrap(), 0);
        assert_eq!(format.deserialize(message).unwrap_err().to_string(), reason);
    }
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn a_registry_that_recovers_is_asked_again() {
    let server = StandIn::start();
    let id = server.add("", "\"int\"");
    server.with(|state| state.failures.push_back((503, "busy".into())));
    let format = registered_avro::<i32>(&Registry::new(&server.url));
    assert_eq!(wait(&format, &framed(id, &[2])).unwrap(), 1);
    assert_eq!(format.deserialize(&framed(id, &[2])), Ok(1));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_registry_that_is_away_ends_the_attempt() {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let registry = Registry::new(&url).give_up_after(Duration::from_millis(150));
    let format = registered_avro::<i32>(&registry);
    for error in
        [wait(&format, &framed(1, &[2])).unwrap_err(), Deserializer::validate(&format).unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::Transient);
        let begin = format!("cannot reach schema registry {}: ", url.trim_end_matches('/'));
        assert!(error.to_string().starts_with(&begin), "{error}");
    }
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let server = StandIn::start();
    // `user:open sesame`
    server.with(|state| state.authorization = Some("Basic dXNlcjpvcGVuIHNlc2FtZQ==".into()));
    let good = registry(&server).basic_auth("user", "open sesame");
    Deserializer::validate(&registered_avro::<i32>(&good)).unwrap();
    let bad = registry(&server).bearer("open sesame");
    let error = Deserializer::validate(&registered_avro::<i32>(&bad)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let reason =
        format!("schema registry {} refuses us (401 Unauthorized): Unauthorized", server.url);
    assert_eq!(error.to_string(), reason);
    assert!(!format!("{good:?} {bad:?} {}", error.report()).contains("sesame"));
    server.with(|state| state.authorization = Some("Bearer open sesame".into()));
    let good = registry(&server).bearer("open sesame");
    Deserializer::validate(&registered_avro::<i32>(&good)).unwrap();
}

#[test]
fn only_trusted_certificates_are_talked_to() {
    let (server, pem) = StandIn::start_tls();
    let trusting = registry(&server).trust(pem).basic_auth("user", "open sesame");
    Deserializer::validate(&registered_avro::<i32>(&trusting)).unwrap();
    assert_eq!(server.requests(), ["GET /schemas/ids/1"]);
    let strangers = [registry(&server), registry(&server).trust(StandIn::start_tls().1)];
    for stranger in strangers {
        let error = Deserializer::validate(&registered_avro::<i32>(&stranger)).unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
    }
    assert_eq!(server.requests().len(), 1, "nothing was said to an unknown server");
}

#[test]
fn what_is_no_registry_is_found_before_the_job_starts() {
    let server = StandIn::start();
    let validate = |registry: &Registry| {
        let error = Deserializer::validate(&registered_avro::<i32>(registry)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    };
    let elsewhere = Registry::new(format!("{}/wrong", server.url));
    let reason = format!("schema registry {}/wrong/schemas/ids/1: 404 Not Found", server.url);
    assert_eq!(validate(&elsewhere), reason);
    let hidden = "the schema registry's address has no host, or has credentials";
    assert_eq!(validate(&Registry::new("http://me:secret@host")), hidden);
    let nothing = "the schema registry's address is no URL";
    assert_eq!(validate(&Registry::new("registry/path")), nothing);
    let scheme = "schema registry \"ftp://host\" is neither http nor https";
    assert_eq!(validate(&Registry::new("ftp://host")), scheme);
    let pem = "no certificate among the trusted ones: they must be PEM";
    assert_eq!(validate(&Registry::new("https://host").trust("x")), pem);
}

#[test]
fn a_serializer_registers_its_schema_once() {
    let server = StandIn::start();
    server.add("", "\"string\"");
    let format = registered_avro::<Order>(&registry(&server)).subject("shop/orders-value", ORDER);
    let mut out = Vec::new();
    let early = format.serialize(&order(), &mut out).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::Transient);
    out.clear();
    Serializer::validate(&format).unwrap();
    assert_eq!(Serializer::ready(&format, &Wake::none()).unwrap(), Readiness::Now);
    format.serialize(&order(), &mut out).unwrap();
    assert_eq!(out, framed(2, &encode(ORDER, &order())));
    // One that was not validated in this process waits instead.
    let other = registered_avro::<Order>(&registry(&server)).subject("shop/orders-value", ORDER);
    let (wake, waiting) = wake();
    assert_eq!(Serializer::ready(&other, &wake).unwrap(), Readiness::Later);
    waiting.recv().unwrap();
    assert_eq!(Serializer::ready(&other, &wake).unwrap(), Readiness::Now);
    assert_eq!(server.requests(), ["POST /subjects/shop%2Forders-value/versions"; 2]);
}

#[test]
fn a_serializer_may_want_its_schema_to_be_there() {
    let server = StandIn::start();
    let format = |schema: &str| {
        registered_avro::<i32>(&registry(&server))
            .subject("a", schema)
            .registration(Registration::MustExist)
    };
    let error = Serializer::validate(&format("\"int\"")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let reason = format!("schema registry {}/subjects/a: Schema not found", server.url);
    assert_eq!(error.to_string(), reason);
    server.with(|state| state.schemas.push(("a".into(), json!({ "schema": "\"int\"" }))));
    Serializer::validate(&format("\"int\"")).unwrap();
    let invalid = r#"{"type": "fixed", "size": 1, "name": "invalid"}"#;
    let error = Serializer::validate(&format(invalid)).unwrap_err();
    let reason = format!("schema registry {}/subjects/a: Invalid schema", server.url);
    assert_eq!(error.to_string(), reason);
    let error = Serializer::validate(&registered_avro::<i32>(&registry(&server))).unwrap_err();
    assert_eq!(error.to_string(), "avro: no subject to write under");
}

#[test]
fn any_bytes_are_survived() {
    let server = StandIn::start();
    let id = server.add("", ORDER);
    let format = registered_avro::<Order>(&registry(&server));
    let good = framed(id, &encode(ORDER, &order()));
    wait(&format, &good).unwrap();
    survives(&format, "avro: ", &[&good]);
}
