//! A real broker, if there is Java.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use headwater_services::kafka::wire::{Body, Connection};
use headwater_services::kafka::{
    Admin, ApiKey, Background, BrokerOptions, Operation, Resource, Status, User,
};
use headwater_services::kafka_or_skip;

const TIMEOUT: Duration = Duration::from_secs(20);

#[test]
fn the_shared_broker_makes_topics_and_has_transactions_of_version_2() {
    let kafka = kafka_or_skip!();
    let topic = kafka.new_topic("orders", 3).unwrap();
    assert!(topic.starts_with("orders-") && kafka.has_topic(&topic).unwrap());
    let error = kafka.create_topic(&topic, 3).unwrap_err().to_string();
    assert!(error.contains("already exists"), "{error}");
    assert!(!kafka.has_topic("no-such-topic").unwrap(), "topics are not made by asking");
    assert_eq!(kafka.feature("transaction.version").unwrap(), 2);
    assert_eq!(kafka.feature("no.such.feature").unwrap(), 0);
    assert_ne!(kafka.new_topic("orders", 1).unwrap(), topic);
}

#[test]
fn a_broker_keeps_its_data_and_ports_when_stopped_killed_or_paused() {
    let broker = kafka_or_skip!(BrokerOptions { transaction_version: 1, ..Default::default() });
    let kafka = broker.admin();
    assert_eq!(broker.bootstrap(), kafka.bootstrap());
    assert_eq!(kafka.feature("transaction.version").unwrap(), 1);
    let (topic, pid) = (kafka.new_topic("kept", 2).unwrap(), broker.pid().unwrap());
    assert!(broker.start().is_err(), "it runs");

    broker.kill().unwrap();
    assert_eq!(broker.pid(), None);
    assert!(kafka.brokers().is_err());
    assert!(broker.kill().is_err() && broker.stop().is_err() && broker.pause().is_err());
    timed("start after kill", || broker.start().unwrap());
    assert!(kafka.has_topic(&topic).unwrap());
    assert_ne!(broker.pid(), Some(pid));

    timed("stop", || broker.stop().unwrap());
    timed("start after stop", || broker.start().unwrap());
    assert!(kafka.has_topic(&topic).unwrap());

    let mut connection = Connection::open(kafka.bootstrap(), Duration::from_secs(1)).unwrap();
    broker.pause().unwrap();
    let body = Body::new();
    let correlation = connection.send(ApiKey::API_VERSIONS, 0, &body).unwrap();
    assert!(connection.receive(ApiKey::API_VERSIONS, correlation).is_err(), "it stands still");
    broker.resume().unwrap();
    connection.receive(ApiKey::API_VERSIONS, correlation).unwrap();

    broker.pause().unwrap();
    broker.stop().unwrap();
    let dir = broker.log_path().parent().unwrap().to_owned();
    assert!(fs::read_to_string(broker.log_path()).unwrap().contains("started"));
    drop(broker);
    assert!(!dir.exists(), "a temporary folder goes with its broker");
}

#[test]
fn users_have_passwords_and_only_the_permissions_that_were_given() {
    let broker = kafka_or_skip!(BrokerOptions {
        plain_users: vec![User::new("reader", "secret"), User::new("nobody", "secret")],
        scram_users: vec![User::new("scram", "secret")],
        tls: true,
        ..Default::default()
    });
    let (kafka, sasl) = (broker.admin(), broker.sasl_bootstrap().unwrap());
    let topic = kafka.new_topic("guarded", 1).unwrap();
    kafka.allow("reader", Resource::Topic(&topic), Operation::Read).unwrap();
    kafka.allow("reader", Resource::Group("any"), Operation::Read).unwrap();
    kafka.allow("reader", Resource::TransactionalId("any"), Operation::Write).unwrap();
    kafka.allow("reader", Resource::Cluster, Operation::IdempotentWrite).unwrap();

    assert!(log_in(&sasl, "reader", "wrong").is_none());
    assert!(Admin::new(&sasl).brokers().is_err(), "nothing without logging in");
    let mut reader = log_in(&sasl, "reader", "secret").unwrap();
    let mut nobody = log_in(&sasl, "nobody", "secret").unwrap();
    // 29 is TOPIC_AUTHORIZATION_FAILED.
    assert_eq!(topic_error(&mut reader, &topic), 0);
    assert_eq!(topic_error(&mut nobody, &topic), 29);

    let certificate = fs::read_to_string(broker.certificate_path()).unwrap();
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(speaks_tls(&broker.tls_bootstrap().unwrap()));
}

#[test]
fn a_broker_that_cannot_start_shows_its_log() {
    // Whether there is Java is found out before.
    kafka_or_skip!();
    let properties = vec![("num.io.threads".to_owned(), "none".to_owned())];
    let options = BrokerOptions { properties, ..Default::default() };
    let error = headwater_services::kafka::Broker::launch(options).unwrap_err().to_string();
    assert!(error.contains("num.io.threads"), "{error}");
}

#[test]
fn a_broker_in_the_background_outlives_its_handle() {
    kafka_or_skip!();
    let dir = tempfile::tempdir().unwrap();
    let background = Background::in_dir(dir.path());
    assert_eq!(background.status(), Status::Stopped);
    assert!(!background.down().unwrap());
    let up = background.up().unwrap();
    let Status::Running { pid, bootstrap } = up.clone() else { panic!("{up:?}") };
    let topic = Admin::new(&bootstrap).new_topic("kept", 1).unwrap();
    let another = Background::in_dir(dir.path());
    assert_eq!(another.up().unwrap(), up, "it is not started twice");
    assert!(another.kill().unwrap());
    assert_eq!(another.status(), Status::Stopped);
    let Status::Running { pid: next, bootstrap: same } = another.up().unwrap() else { panic!() };
    assert!(next != pid && same == bootstrap);
    assert!(Admin::new(&same).has_topic(&topic).unwrap());
    assert!(another.down().unwrap() && another.status() == Status::Stopped);
}

fn timed(what: &str, f: impl FnOnce()) {
    let since = Instant::now();
    f();
    println!("{what}: {:?}", since.elapsed());
}

/// SASL PLAIN; `None` if the broker says no.
fn log_in(address: &str, user: &str, password: &str) -> Option<Connection> {
    let mut connection = Connection::open(address, TIMEOUT).unwrap();
    for mechanism in ["SCRAM-SHA-512", "PLAIN"] {
        // Only the last counts; that SCRAM is offered is seen on the way.
        connection = Connection::open(address, TIMEOUT).unwrap();
        let body = Body::new().string(mechanism);
        let mut answer = connection.call(ApiKey::SASL_HANDSHAKE, 1, &body).unwrap();
        assert_eq!(answer.i16().unwrap(), 0, "{mechanism}");
    }
    let body = Body::new().bytes(format!("\0{user}\0{password}").as_bytes());
    let mut answer = connection.call(ApiKey::SASL_AUTHENTICATE, 0, &body).unwrap();
    (answer.i16().unwrap() == 0).then_some(connection)
}

/// Kafka's error code for the topic in a response to a question about it.
fn topic_error(connection: &mut Connection, topic: &str) -> i16 {
    let body = Body::new().i32(1).string(topic).i8(0);
    let mut answer = connection.call(ApiKey::METADATA, 4, &body).unwrap();
    answer.i32().unwrap();
    for _ in 0..answer.i32().unwrap() {
        answer.i32().unwrap();
        answer.string().unwrap();
        answer.i32().unwrap();
        answer.string().unwrap();
    }
    answer.string().unwrap();
    answer.i32().unwrap();
    assert_eq!(answer.i32().unwrap(), 1);
    answer.i16().unwrap()
}

/// Whether a listener answers a `ClientHello` of TLS 1.2 with a `ServerHello`.
fn speaks_tls(address: &str) -> bool {
    // ECDHE_RSA with AES_128_GCM; curve secp256r1; signatures rsa_pkcs1_sha256, rsa_pss_rsae_sha256.
    let extensions = [
        [0, 10, 0, 4, 0, 2, 0, 23].as_slice(),
        [0, 11, 0, 2, 1, 0].as_slice(),
        [0, 13, 0, 6, 0, 4, 4, 1, 8, 4].as_slice(),
    ]
    .concat();
    let length = u8::try_from(extensions.len()).unwrap();
    let ciphers_and_compression = [0, 0, 4, 0xc0, 0x2f, 0, 0xff, 1, 0, 0, length];
    let hello = [[3, 3].as_slice(), &[7; 32], &ciphers_and_compression, &extensions].concat();
    let length = u8::try_from(hello.len()).unwrap();
    let record = [[22, 3, 1, 0, length + 4, 1, 0, 0, length].as_slice(), &hello].concat();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.write_all(&record).unwrap();
    let mut start = [0; 6];
    stream.read_exact(&mut start).unwrap();
    // A handshake record of TLS 1.2, with a ServerHello in it.
    start[..3] == [22, 3, 3] && start[5] == 2
}
