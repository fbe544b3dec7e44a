//! What is wrong with a configuration is said by `start`, before anything is read or written.

use std::net::TcpListener;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use headwater::prelude::*;
use headwater_connect::blackhole::blackhole;
use headwater_core::ErrorKind;
use headwater_formats::string;
use headwater_kafka::{self as kafka, Cluster, CreateTopic, End, Start};
use headwater_services::kafka::{
    Admin, Broker, BrokerOptions, Operation, Resource, User, launch_for_tests,
};
use headwater_services::kafka_or_skip;

const PASSWORD: &str = "correct-horse";
const WRONG: &str = "battery-staple-7";

/// A broker with users who may do what a test lets them; `None` if there can be none.
fn guarded() -> Option<&'static Broker> {
    static GUARDED: OnceLock<Option<Broker>> = OnceLock::new();
    let launch = || {
        launch_for_tests(BrokerOptions {
            plain_users: vec![User::new("alice", PASSWORD)],
            scram_users: vec![User::new("bob", PASSWORD)],
            transaction_max_timeout: Duration::from_secs(120),
            ..BrokerOptions::default()
        })
    };
    GUARDED.get_or_init(launch).as_ref()
}

fn alice(broker: &Broker) -> Cluster {
    kafka::cluster(broker.sasl_bootstrap().unwrap()).sasl_plain("alice", PASSWORD)
}

/// A job that only reads.
fn reading(source: kafka::KafkaSource<String>) -> Job {
    let mut job = Job::new("reading");
    job.source("in", source).sink("out", blackhole());
    job
}

/// A job that only writes.
fn writing(name: &str, records: &[&str], sink: kafka::KafkaSink<String>) -> Job {
    let records: Vec<String> = records.iter().map(|r| (*r).to_owned()).collect();
    let mut job = Job::new(name);
    job.source("in", collection(records)).sink("out", sink);
    job
}

/// What `start` says of a job that cannot be; never a secret.
#[track_caller]
fn refusal(job: Job) -> String {
    match headwater::start(job.build().unwrap(), Config { workers: 1, ..Config::default() }) {
        Ok(_) => panic!("the job starts"),
        Err(error) => {
            assert!(
                matches!(error.kind(), ErrorKind::Config | ErrorKind::Transient),
                "{}",
                error.report()
            );
            let said = format!("{} {error:?}", error.report());
            assert!(!said.contains(PASSWORD) && !said.contains(WRONG), "{said}");
            error.report()
        }
    }
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

fn allow(kafka: &Admin, user: &str, resource: Resource<'_>, operations: &[Operation]) {
    for operation in operations {
        kafka.allow(user, resource, *operation).unwrap();
    }
}

#[test]
fn an_unreachable_broker_is_named_within_the_connect_timeout() {
    // Bound and dropped: nobody listens there.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let cluster = kafka::cluster(&nobody).connect_timeout(Duration::from_millis(700));
    let since = Instant::now();
    let said = refusal(reading(cluster.source("orders").value(string())));
    assert_says(&said, &["source \"in\"", &nobody, "within 0.7 s", "check the address"]);
    assert!(since.elapsed() < Duration::from_secs(8), "the default is 10 s");
    let said = refusal(writing("writing", &[], cluster.sink("orders").value(string())));
    assert_says(&said, &["sink \"out\"", &nobody, "within 0.7 s"]);
}

#[test]
fn a_broker_that_accepts_and_says_nothing_is_unreachable_too() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let cluster = kafka::cluster(&address).connect_timeout(Duration::from_millis(700));
    let said = refusal(reading(cluster.source("orders").value(string())));
    assert_says(&said, &[&address, "within 0.7 s"]);
}

#[test]
fn an_empty_list_of_brokers_is_refused() {
    let said = refusal(reading(kafka::cluster(" ").source("orders").value(string())));
    assert_says(&said, &["the list of brokers is empty", "host:port"]);
}

#[test]
fn an_unknown_topic_is_refused_with_the_nearest_names() {
    let broker = kafka_or_skip!();
    let topic = broker.new_topic("purchases", 1).unwrap();
    let cluster = kafka::cluster(broker.bootstrap());
    let wrong = topic.replace("purchases", "purchase");
    let said = refusal(reading(cluster.source(wrong.as_str()).value(string())));
    assert_says(&said, &[&format!("{wrong:?} does not exist"), "did you mean", &topic]);
    let said = refusal(writing("writing", &[], cluster.sink(wrong.as_str()).value(string())));
    assert_says(&said, &["sink \"out\"", &format!("{wrong:?} does not exist"), &topic]);
    let said = refusal(reading(cluster.source("%&/").value(string())));
    assert_says(&said, &["\"%&/\" does not exist"]);
    let said = refusal(reading(cluster.source(kafka::Topics::matching("a(")).value(string())));
    assert_says(&said, &["topic pattern \"a(\"", "unclosed"]);
}

#[test]
fn options_are_checked_by_name_and_end() {
    let broker = kafka_or_skip!();
    let topic = broker.new_topic("options", 1).unwrap();
    let cluster = kafka::cluster(broker.bootstrap());
    let source = || cluster.source(topic.as_str());
    let sink = || cluster.sink(topic.as_str());
    let said = refusal(reading(source().option("fetch.min.byte", "1").value(string())));
    assert_says(&said, &["\"fetch.min.byte\" is not known", "did you mean \"fetch.min.bytes\"?"]);
    let said = refusal(reading(source().option("linger.ms", "1").value(string())));
    assert_says(&said, &["\"linger.ms\" is not for a source", "set it on the sink"]);
    let job = writing("writing", &[], sink().option("fetch.min.bytes", "1").value(string()));
    assert_says(&refusal(job), &["\"fetch.min.bytes\" is not for a sink", "set it on the source"]);
    let all = cluster.clone().option("plugin.library.paths", "/tmp/evil.so");
    let said = refusal(reading(all.source(topic.as_str()).value(string())));
    assert_says(&said, &["\"plugin.library.paths\" is not known, or not allowed"]);
    let said = refusal(reading(source().option("fetch.min.bytes", "many").value(string())));
    assert_says(&said, &["fetch.min.bytes", "many"]);
    let job = writing("writing", &[], sink().option("compression.type", "rar").value(string()));
    assert_says(&refusal(job), &["compression.", "rar"]);
}

#[test]
fn bad_credentials_are_told_at_once_and_never_shown() {
    let Some(broker) = guarded() else { return };
    let topic = broker.admin().new_topic("logins", 1).unwrap();
    let cluster = kafka::cluster(broker.sasl_bootstrap().unwrap());
    for cluster in [
        cluster.clone().sasl_plain("alice", WRONG),
        cluster.clone().sasl_plain("mallory", PASSWORD),
        cluster.clone().sasl_scram_sha_256("bob", WRONG),
        cluster.clone().sasl_scram_sha_512("bob", WRONG),
        cluster.clone().sasl_scram_sha_512("mallory", PASSWORD),
    ] {
        let since = Instant::now();
        let said = refusal(reading(cluster.source(topic.as_str()).value(string())));
        assert_says(&said, &["refused the login", "uthentication", "check user, password"]);
        assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
        let said = refusal(writing("logins", &[], cluster.sink(topic.as_str()).value(string())));
        assert_says(&said, &["sink \"out\"", "refused the login"]);
    }
    // Without any: the listener closes the connection.
    let cluster = cluster.connect_timeout(Duration::from_secs(1));
    let said = refusal(reading(cluster.source(topic.as_str()).value(string())));
    assert_says(&said, &["kafka:", &broker.sasl_bootstrap().unwrap()]);
}

#[test]
fn good_credentials_work_by_every_mechanism() {
    let Some(broker) = guarded() else { return };
    let topic = broker.admin().new_topic("welcome", 1).unwrap();
    for user in ["alice", "bob"] {
        allow(&broker.admin(), user, Resource::Topic(&topic), &[Operation::Read]);
        allow(&broker.admin(), user, Resource::Group("welcome"), &[Operation::Read]);
    }
    let cluster = kafka::cluster(broker.sasl_bootstrap().unwrap());
    for cluster in [
        cluster.clone().sasl_plain("alice", PASSWORD),
        cluster.clone().sasl_scram_sha_256("bob", PASSWORD),
        cluster.clone().sasl_scram_sha_512("bob", PASSWORD),
    ] {
        let source = cluster.source(topic.as_str()).group("welcome").end(End::Latest);
        let job = reading(source.value(string()));
        headwater::start(job.build().unwrap(), Config::default()).unwrap().wait().unwrap();
    }
}

#[test]
fn a_missing_permission_to_read_is_found_before_the_start() {
    let Some(broker) = guarded() else { return };
    let kafka = broker.admin();
    let topic = kafka.new_topic("private", 2).unwrap();
    let (group, cluster) = (format!("{topic}-readers"), alice(broker));
    let source = || cluster.source(topic.as_str()).group(&group).start(Start::Group);
    let job = || reading(source().end(End::Latest).value(string()));

    // The topic is not even seen.
    assert_says(&refusal(job()), &[&topic, "uthoriz", "grant the user READ or WRITE"]);
    allow(&kafka, "alice", Resource::Topic(&topic), &[Operation::Describe]);
    assert_says(&refusal(job()), &[&format!("group {group:?}"), "READ on the consumer group"]);
    allow(&kafka, "alice", Resource::Group(&group), &[Operation::Read]);
    assert_says(&refusal(job()), &[&format!("read topics {topic:?}"), "grant the user READ"]);
    allow(&kafka, "alice", Resource::Topic(&topic), &[Operation::Read]);
    headwater::start(job().build().unwrap(), Config::default()).unwrap().wait().unwrap();
}

#[test]
fn a_missing_permission_to_write_is_found_before_the_start_as_far_as_it_can_be() {
    let Some(broker) = guarded() else { return };
    let kafka = broker.admin();
    let topic = kafka.new_topic("private", 1).unwrap();
    let cluster = alice(broker);
    let name = topic.clone();
    let job =
        |records: &[&str]| writing(&name, records, cluster.sink(topic.as_str()).value(string()));
    let control = format!("headwater-{topic}-out-epochs");

    assert_says(&refusal(job(&[])), &[&topic, "uthoriz", "grant the user READ or WRITE"]);
    allow(&kafka, "alice", Resource::Topic(&topic), &[Operation::Describe]);
    assert_says(&refusal(job(&[])), &[&format!("make topic {control:?}"), "grant CREATE"]);
    // Made by hand, as the hint says, it is taken as it is.
    kafka.create_topic(&control, 1).unwrap();
    let all = [Operation::Read, Operation::Write];
    allow(&kafka, "alice", Resource::Topic(&control), &all);
    let said = refusal(job(&[]));
    assert_says(
        &said,
        &[&format!("transactional id {control:?}"), "WRITE and DESCRIBE on the tra"],
    );
    allow(&kafka, "alice", Resource::TransactionalId(&control), &[Operation::Write]);
    // Brokers do not tell who may write but when something is written: then the job ends at once.
    let run = |records: &[&str]| {
        let topology = job(records).build().unwrap();
        headwater::start(topology, Config::default()).unwrap().wait()
    };
    let said = run(&["one"]).unwrap_err();
    assert_eq!(said.kind(), ErrorKind::Config, "{}", said.report());
    assert_says(&said.report(), &[&topic, "uthoriz", "grant the user READ or WRITE"]);
    allow(&kafka, "alice", Resource::Topic(&topic), &[Operation::Write]);
    run(&["one"]).unwrap();
}

#[test]
fn a_transaction_timeout_above_the_brokers_cap_is_found_before_the_start() {
    let Some(broker) = guarded() else { return };
    let kafka = broker.admin();
    let [input, output] = ["in", "out"].map(|name| kafka.new_topic(name, 1).unwrap());
    let cluster = kafka::cluster(broker.bootstrap());
    let sink = |ms: &str| {
        cluster.sink(output.as_str()).option("transaction.timeout.ms", ms).value(string())
    };
    let said = refusal(writing(&output, &[], sink("121000")));
    assert_says(
        &said,
        &["sink \"out\"", "lower transaction.timeout.ms", "transaction.max.timeout"],
    );
    // In one transaction, too.
    let through = |ms: &str| {
        let source = cluster.source(input.as_str()).end(End::Latest).value(string());
        let mut job = Job::new(input.as_str());
        job.source("in", source).sink("out", sink(ms));
        job
    };
    assert_says(&refusal(through("121000")), &["lower transaction.timeout.ms"]);
    headwater::start(through("119000").build().unwrap(), Config::default())
        .unwrap()
        .wait()
        .unwrap();
}

#[test]
fn a_topic_that_cannot_be_made_is_named() {
    let broker = kafka_or_skip!();
    let cluster = kafka::cluster(broker.bootstrap());
    let create = CreateTopic { partitions: 1, replication: 3, config: Vec::new() };
    let job = writing("writing", &[], cluster.sink("none").create_topic(create).value(string()));
    assert_says(&refusal(job), &["make topic \"none\" for the output", "replication"]);
    let config = vec![("retention.msec".into(), "1".into())];
    let create = CreateTopic { partitions: 1, replication: 0, config };
    let job = writing("writing", &[], cluster.sink("none").create_topic(create).value(string()));
    assert_says(&refusal(job), &["make topic \"none\" for the output"]);
}
