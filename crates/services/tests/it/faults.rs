//! Faults of whole connections, with a server that sends back what it gets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use headwater_services::kafka::ApiKey;
use headwater_services::proxy::{Action, Drip, Faults, Proxy, Speaks};

use crate::servers::{Heard, Server, connect, is_silent, read};

fn proxied() -> (Proxy, Server) {
    let (proxy, server) = (Proxy::start(Speaks::Bytes).unwrap(), Server::echo());
    proxy.set_target(&server.address);
    (proxy, server)
}

/// A connection that works.
fn open(proxy: &Proxy, server: &Server) -> TcpStream {
    let mut client = connect(&proxy.address());
    client.write_all(b"a").unwrap();
    assert_eq!(read(&mut client, 1), b"a");
    assert_eq!((server.next(), server.next()), (Heard::Connected, Heard::Got(b"a".into())));
    client
}

#[test]
fn without_faults_bytes_and_the_end_pass_both_ways() {
    let (proxy, server) = proxied();
    let mut client = open(&proxy, &server);
    assert_eq!(proxy.connections(), 1);
    client.write_all(&[7; 300_000]).unwrap_or_default();
    client.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    client.read_to_end(&mut back).unwrap();
    assert_eq!(back, vec![7; 300_000]);
    let ended = std::iter::repeat_with(|| server.next()).find(|h| !matches!(h, Heard::Got(_)));
    assert_eq!(ended, Some(Heard::Ended { in_order: true }));
}

#[test]
fn the_target_holds_for_new_connections() {
    let (proxy, server) = proxied();
    let mut client = open(&proxy, &server);
    let other = Server::echo();
    proxy.set_target(&other.address);
    open(&proxy, &other);
    client.write_all(b"b").unwrap();
    assert_eq!(server.next(), Heard::Got(b"b".into()));
}

#[test]
fn without_a_server_a_client_is_reset() {
    let proxy = Proxy::start(Speaks::Bytes).unwrap();
    let error = connect(&proxy.address()).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    proxy.set_target(format!("127.0.0.1:{}", closed_port()));
    let error = connect(&proxy.address()).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

fn closed_port() -> u16 {
    // Refuses as long as the proxy is there.
    static CLOSED: std::sync::OnceLock<Proxy> = std::sync::OnceLock::new();
    let closed = CLOSED.get_or_init(|| {
        let proxy = Proxy::start(Speaks::Bytes).unwrap();
        proxy.set_faults(Faults { refuse: true, ..Faults::default() }).unwrap();
        proxy
    });
    closed.address().rsplit_once(':').unwrap().1.parse().unwrap()
}

#[test]
fn latency_is_added_each_way_but_not_for_each_piece() {
    let (proxy, server) = proxied();
    let mut client = open(&proxy, &server);
    let latency = Duration::from_millis(100);
    let faults = Faults { latency_up: latency, latency_down: latency, ..Faults::default() };
    proxy.set_faults(faults).unwrap();
    let since = Instant::now();
    let pieces = 50;
    for _ in 0..pieces {
        client.write_all(b"b").unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    read(&mut client, 1);
    assert!(since.elapsed() >= 2 * latency);
    read(&mut client, pieces - 1);
    // One after the other would be ten seconds.
    assert!(since.elapsed() < latency * u32::try_from(2 * pieces).unwrap());
}

#[test]
fn a_reset_reaches_both_sides() {
    let (proxy, server) = proxied();
    let (mut client, _other) = (open(&proxy, &server), open(&proxy, &server));
    proxy.reset_connections();
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let reset = Heard::Ended { in_order: false };
    assert_eq!(
        [server.next(), server.next()],
        [&reset, &reset].map(|_| Heard::Ended { in_order: false })
    );
    open(&proxy, &server);
}

#[test]
fn new_connections_can_be_reset_or_refused_while_old_ones_stay() {
    let (proxy, server) = proxied();
    let mut client = open(&proxy, &server);
    proxy.set_faults(Faults { reset_new: true, ..Faults::default() }).unwrap();
    let error = connect(&proxy.address()).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    for _ in 0..3 {
        proxy.set_faults(Faults { refuse: true, ..Faults::default() }).unwrap();
        let error = TcpStream::connect(proxy.address()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        client.write_all(b"b").unwrap();
        assert_eq!(read(&mut client, 1), b"b");
        assert_eq!(server.next(), Heard::Got(b"b".into()));
        proxy.heal().unwrap();
        drop(open(&proxy, &server));
        assert_eq!(server.next(), Heard::Ended { in_order: true });
    }
}

#[test]
fn a_black_hole_swallows_and_what_it_had_stays_lost() {
    let (proxy, server) = proxied();
    let mut old = open(&proxy, &server);
    let mut untouched = open(&proxy, &server);
    proxy.set_faults(Faults { black_hole: true, ..Faults::default() }).unwrap();
    let mut new = connect(&proxy.address());
    for client in [&mut old, &mut new] {
        client.write_all(b"b").unwrap();
        assert!(is_silent(client));
    }
    assert!(server.hears_nothing());
    proxy.heal().unwrap();
    for client in [&mut old, &mut new] {
        client.write_all(b"c").unwrap();
        assert!(is_silent(client));
    }
    assert!(server.hears_nothing());
    untouched.write_all(b"d").unwrap();
    assert_eq!(server.next(), Heard::Got(b"d".into()));
    drop(old);
    assert!(matches!(server.next(), Heard::Ended { .. }));
    open(&proxy, &server);
}

#[test]
fn what_is_held_arrives_when_it_heals_even_if_the_client_is_gone() {
    let (proxy, server) = proxied();
    let (mut client, mut brief) = (open(&proxy, &server), open(&proxy, &server));
    proxy.set_faults(Faults { hold_up: true, ..Faults::default() }).unwrap();
    client.write_all(b"b").unwrap();
    assert!(server.hears_nothing());
    proxy.set_faults(Faults { hold_down: true, ..Faults::default() }).unwrap();
    assert_eq!(server.next(), Heard::Got(b"b".into()));
    assert!(is_silent(&mut client));
    proxy.set_faults(Faults { hold_up: true, hold_down: true, ..Faults::default() }).unwrap();
    brief.write_all(b"c").unwrap();
    drop(brief);
    assert!(server.hears_nothing() && is_silent(&mut client));
    proxy.heal().unwrap();
    assert_eq!(read(&mut client, 1), b"b");
    assert_eq!(server.next(), Heard::Got(b"c".into()));
    assert!(matches!(server.next(), Heard::Ended { .. }));
}

#[test]
fn a_drip_passes_a_little_at_a_time() {
    let (proxy, server) = proxied();
    let mut client = open(&proxy, &server);
    let every = Duration::from_millis(5);
    let drip = Some(Drip { bytes: 3, every });
    proxy.set_faults(Faults { drip, ..Faults::default() }).unwrap();
    let since = Instant::now();
    client.write_all(&[7; 30]).unwrap();
    for _ in 0..10 {
        assert_eq!(server.next(), Heard::Got(vec![7; 3]));
    }
    assert!(since.elapsed() >= every * 9);
    assert_eq!(read(&mut client, 30), [7; 30]);
}

#[test]
fn dropping_the_proxy_ends_everything() {
    let (proxy, server) = proxied();
    let mut client = open(&proxy, &server);
    let address = proxy.address();
    assert!(proxy.on(ApiKey::PRODUCE, Action::Hold).is_err(), "it reads no requests");
    drop(proxy);
    assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
    assert!(matches!(server.next(), Heard::Ended { .. }));
    assert!(TcpStream::connect(address).is_err());
}
