//! Faults of single requests: with a server that answers in Kafka's frames, then with a real broker.

use std::io::Write;
use std::time::Duration;

use headwater_services::kafka::wire::{Answer, Body, Connection};
use headwater_services::kafka::{ApiKey, BrokerOptions};
use headwater_services::kafka_or_skip;
use headwater_services::proxy::{Action, Counts, Faults, Proxy, Rule, Speaks};

use crate::servers::{Heard, LIMIT, MOMENT, Server, connect};

const END: ApiKey = ApiKey::END_TXN;
const OTHER: ApiKey = ApiKey::PRODUCE;

fn proxied() -> (Proxy, Server) {
    let (proxy, server) = (Proxy::start(Speaks::Kafka).unwrap(), Server::kafka());
    proxy.set_target(&server.address);
    (proxy, server)
}

fn client(proxy: &Proxy) -> Connection {
    Connection::open(&proxy.address(), LIMIT).unwrap()
}

/// A client that soon gives up.
fn hasty(proxy: &Proxy) -> Connection {
    Connection::open(&proxy.address(), MOMENT).unwrap()
}

fn call(client: &mut Connection, api: ApiKey) -> headwater_core::Result<Answer> {
    client.call(api, 0, &Body::new().i32(42))
}

/// Which requests the server has got, leaving out how connections began and ended.
fn next_request(server: &Server) -> ApiKey {
    loop {
        if let Heard::Got(request) = server.next() {
            return ApiKey(i16::from_be_bytes([request[0], request[1]]));
        }
    }
}

fn counts(hits: u64, delivered: u64, answered: u64) -> Counts {
    Counts { hits, delivered, answered }
}

fn wait(rule: &Rule, wanted: Counts) {
    assert!(rule.wait(LIMIT, |now| now == wanted), "{:?}", rule.counts());
}

#[test]
fn requests_without_a_rule_pass_and_are_counted() {
    let (proxy, server) = proxied();
    let mut client = client(&proxy);
    let other = proxy.on(ApiKey::FETCH, Action::DropRequest).unwrap();
    for api in [END, OTHER, END] {
        let mut answer = call(&mut client, api).unwrap();
        assert_eq!(answer.i16().unwrap(), api.0);
        assert_eq!(next_request(&server), api);
    }
    assert_eq!((proxy.requests(END), proxy.requests(OTHER)), (2, 1));
    assert_eq!(other.counts(), Counts::default());
}

#[test]
fn a_request_can_be_lost_before_the_server_once() {
    let (proxy, server) = proxied();
    let rule = proxy.on(END, Action::DropRequest).unwrap();
    let mut client = hasty(&proxy);
    assert!(call(&mut client, END).is_err());
    assert_eq!(rule.counts(), counts(1, 0, 0));
    // The same connection goes on: the next one passes.
    let correlation = client.send(END, 0, &Body::new().i32(42)).unwrap();
    assert_eq!(next_request(&server), END);
    client.receive(END, correlation).unwrap();
    assert_eq!(rule.counts(), counts(1, 0, 0));
}

#[test]
fn a_connection_can_end_instead_of_a_request() {
    let (proxy, server) = proxied();
    let rule = proxy.on_every(END, Action::Disconnect).unwrap();
    for hits in 1..=2 {
        let mut client = client(&proxy);
        call(&mut client, OTHER).unwrap();
        assert!(call(&mut client, END).is_err());
        assert_eq!(rule.counts(), counts(hits, 0, 0));
        assert_eq!(next_request(&server), OTHER);
        assert!(matches!(server.next(), Heard::Ended { .. }));
    }
    rule.remove();
    call(&mut client(&proxy), END).unwrap();
}

#[test]
fn a_response_can_be_lost_and_the_connection_goes_on() {
    let (proxy, server) = proxied();
    let rule = proxy.on(END, Action::DropResponse).unwrap();
    let mut client = client(&proxy);
    client.send(END, 0, &Body::new().i32(42)).unwrap();
    wait(&rule, counts(1, 1, 1));
    assert_eq!(next_request(&server), END);
    // Its response was kept: correlation id and the rest, as this server answers.
    assert_eq!(rule.response().unwrap()[..2], END.0.to_be_bytes());
    // The next response that comes is that of the next request.
    call(&mut client, OTHER).unwrap();
}

#[test]
fn a_connection_can_end_instead_of_a_response() {
    let (proxy, server) = proxied();
    let rule = proxy.on(END, Action::DisconnectOnResponse).unwrap();
    assert!(call(&mut client(&proxy), END).is_err());
    assert_eq!(next_request(&server), END);
    assert_eq!(rule.counts(), counts(1, 1, 1));
}

#[test]
fn what_is_behind_a_late_request_waits_but_other_connections_do_not() {
    let (proxy, server) = proxied();
    let delayed = proxy.on(END, Action::Delay(Duration::from_millis(20))).unwrap();
    let mut client = client(&proxy);
    let first = client.send(END, 0, &Body::new()).unwrap();
    let second = client.send(OTHER, 0, &Body::new()).unwrap();
    assert_eq!((next_request(&server), next_request(&server)), (END, OTHER));
    client.receive(END, first).unwrap();
    client.receive(OTHER, second).unwrap();
    wait(&delayed, counts(1, 1, 1));

    let held = proxy.on(END, Action::Hold).unwrap();
    let first = client.send(END, 0, &Body::new()).unwrap();
    let second = client.send(OTHER, 0, &Body::new()).unwrap();
    wait(&held, counts(1, 0, 0));
    let mut unconcerned = Connection::open(&proxy.address(), LIMIT).unwrap();
    call(&mut unconcerned, END).unwrap();
    while !matches!(server.next(), Heard::Got(_)) {}
    assert!(server.hears_nothing());
    held.release();
    client.receive(END, first).unwrap();
    client.receive(OTHER, second).unwrap();
    wait(&held, counts(1, 1, 1));
}

#[test]
fn a_held_request_is_delivered_after_its_client_has_gone() {
    let (proxy, server) = proxied();
    let held = proxy.on(END, Action::Hold).unwrap();
    let mut gone = hasty(&proxy);
    assert!(call(&mut gone, END).is_err(), "the client gives up");
    drop(gone);
    call(&mut client(&proxy), OTHER).unwrap();
    assert_eq!(next_request(&server), OTHER);
    assert_eq!(held.counts(), counts(1, 0, 0));
    held.release();
    wait(&held, counts(1, 1, 1));
    assert_eq!(next_request(&server), END);
}

#[test]
fn what_is_not_kafka_is_cut_off() {
    let (proxy, _server) = proxied();
    let mut client = connect(&proxy.address());
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let outcome = std::io::Read::read(&mut client, &mut [0]);
    assert_eq!(outcome.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_real_broker_behind_a_proxy_is_reached_through_it_alone() {
    let proxy = Proxy::start(Speaks::Kafka).unwrap();
    let advertised = Some(proxy.address());
    let broker = kafka_or_skip!(BrokerOptions { advertised, ..BrokerOptions::default() });
    proxy.set_target(broker.behind_proxy().unwrap());
    assert_eq!(broker.bootstrap(), proxy.address());

    // Whom it meets through the proxy, and past it.
    let told = |address: &str| {
        let mut connection = Connection::open(address, LIMIT).unwrap();
        let mut answer = connection.call(ApiKey::METADATA, 4, &Body::new().i32(0).i8(0)).unwrap();
        let (_throttled, brokers, _id) = (answer.i32(), answer.i32().unwrap(), answer.i32());
        assert_eq!(brokers, 1);
        format!("{}:{}", answer.string().unwrap(), answer.i32().unwrap())
    };
    assert_eq!(told(&broker.bootstrap()), proxy.address());
    let admin = broker.admin();
    assert_eq!(told(admin.bootstrap()), admin.bootstrap());

    let versions = |client: &mut Connection| client.call(ApiKey::API_VERSIONS, 0, &Body::new());
    let lost = proxy.on(ApiKey::API_VERSIONS, Action::DropResponse).unwrap();
    let mut client = hasty(&proxy);
    assert!(versions(&mut client).is_err());
    wait(&lost, counts(1, 1, 1));
    versions(&mut Connection::open(&proxy.address(), LIMIT).unwrap()).unwrap();

    // A topic that is made long after the one who asked for it has gone.
    let held = proxy.on(ApiKey::CREATE_TOPICS, Action::Hold).unwrap();
    let mut gone = Connection::open(&proxy.address(), LIMIT).unwrap();
    let topic = Body::new().i32(1).string("late").i32(1).i16(1).i32(0).i32(0);
    gone.send(ApiKey::CREATE_TOPICS, 4, &topic.i32(10_000).i8(0)).unwrap();
    drop(gone);
    wait(&held, counts(1, 0, 0));
    assert!(!admin.has_topic("late").unwrap());
    held.release();
    wait(&held, counts(1, 1, 1));
    // Past the proxy, whatever it does.
    proxy.set_faults(Faults { black_hole: true, ..Faults::default() }).unwrap();
    assert!(admin.has_topic("late").unwrap());
}
