//! The fault of KIP-890, made: an `EndTxn` that arrives when its client has gone on.
//!
//! A producer's commit is held, it gives up, connects again, commits again and begins its next
//! transaction. Then the first request arrives. Spoken as clients did before, it ends the wrong
//! transaction; with `transaction.version` 2 each end raises the producer's epoch, and it is refused.

use headwater_services::kafka::wire::{Body, Connection};
use headwater_services::kafka::{Admin, ApiKey, BrokerOptions};
use headwater_services::kafka_or_skip;
use headwater_services::proxy::{Action, Proxy, Speaks};

use crate::servers::LIMIT;

/// The versions of `EndTxn` before and after.
const OLD: i16 = 1;
const NEW: i16 = 5;
/// Errors of Kafka.
const NONE: i16 = 0;
const COORDINATOR_NOT_READY: [i16; 3] = [14, 15, 16];
const INVALID_TXN_STATE: i16 = 48;
const CONCURRENT_TRANSACTIONS: i16 = 51;
const PRODUCER_FENCED: [i16; 2] = [47, 90];

/// A transactional producer that sends nothing, which is enough.
struct Producer<'a> {
    address: &'a str,
    id: &'a str,
    topic: &'a str,
    version: i16,
    producer: i64,
    epoch: i16,
}

impl<'a> Producer<'a> {
    fn start(address: &'a str, id: &'a str, topic: &'a str, version: i16) -> Producer<'a> {
        let mut new = Producer { address, id, topic, version, producer: -1, epoch: -1 };
        until_settled(|| {
            let body = Body::new().string(id).i8(1);
            let mut answer = new.connect().call(ApiKey::FIND_COORDINATOR, 1, &body).unwrap();
            answer.i32().unwrap();
            answer.i16().unwrap()
        });
        until_settled(|| {
            let body = Body::new().string(id).i32(60_000);
            let mut answer = new.connect().call(ApiKey::INIT_PRODUCER_ID, 1, &body).unwrap();
            answer.i32().unwrap();
            let error = answer.i16().unwrap();
            (new.producer, new.epoch) = (answer.i64().unwrap(), answer.i16().unwrap());
            error
        });
        new
    }

    fn connect(&self) -> Connection {
        Connection::open(self.address, LIMIT).unwrap()
    }

    /// Adds a partition to the transaction, which begins it.
    fn begin(&self) {
        let error = until_settled(|| {
            let body = Body::new().string(self.id).i64(self.producer).i16(self.epoch);
            let body = body.i32(1).string(self.topic).i32(1).i32(0);
            let mut answer = self.connect().call(ApiKey::ADD_PARTITIONS_TO_TXN, 1, &body).unwrap();
            let (_throttled, _topics, _name) = (answer.i32(), answer.i32(), answer.string());
            let (_partitions, _partition) = (answer.i32(), answer.i32());
            answer.i16().unwrap()
        });
        assert_eq!(error, NONE);
    }

    fn end_request(&self, commit: bool) -> Body {
        let commit = i8::from(commit);
        if self.version == OLD {
            return Body::new().string(self.id).i64(self.producer).i16(self.epoch).i8(commit);
        }
        let body = Body::new().raw(&[0]).compact_string(self.id);
        body.i64(self.producer).i16(self.epoch).i8(commit).raw(&[0])
    }

    /// Ends the transaction; gives Kafka's error.
    fn end(&mut self, commit: bool) -> i16 {
        let body = self.end_request(commit);
        let mut error = NONE;
        until_settled(|| {
            let mut answer = self.connect().call(ApiKey::END_TXN, self.version, &body).unwrap();
            if self.version == NEW {
                answer.tagged(0).unwrap();
            }
            answer.i32().unwrap();
            error = answer.i16().unwrap();
            if error == NONE && self.version == NEW {
                (self.producer, self.epoch) = (answer.i64().unwrap(), answer.i16().unwrap());
            }
            error
        });
        error
    }
}

/// Asks again while the coordinator is starting or still writes markers.
fn until_settled(mut ask: impl FnMut() -> i16) -> i16 {
    loop {
        let error = ask();
        if error != CONCURRENT_TRANSACTIONS && !COORDINATOR_NOT_READY.contains(&error) {
            return error;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// What the late `EndTxn` is answered, and what the abort of the transaction it met.
fn late_commit(proxy: &Proxy, admin: &Admin, id: &str, version: i16) -> (i16, i16) {
    let topic = admin.new_topic(id, 1).unwrap();
    let address = proxy.address();
    let mut producer = Producer::start(&address, id, &topic, version);

    producer.begin();
    let late = proxy.on(ApiKey::END_TXN, Action::Hold).unwrap();
    let mut gives_up = producer.connect();
    gives_up.send(ApiKey::END_TXN, version, &producer.end_request(true)).unwrap();
    assert!(late.wait(LIMIT, |counts| counts.hits == 1));
    drop(gives_up);
    assert_eq!(producer.end(true), NONE, "the second attempt");

    producer.begin();
    late.release();
    assert!(late.wait(LIMIT, |counts| counts.answered == 1));
    let response = late.response().unwrap();
    // Behind the tagged fields, if there are any, and the throttle time.
    let at = if version == NEW { 5 } else { 4 };
    (i16::from_be_bytes([response[at], response[at + 1]]), producer.end(false))
}

#[test]
fn a_late_end_of_a_transaction_ends_the_next_one_unless_epochs_rise() {
    let proxy = Proxy::start(Speaks::Kafka).unwrap();
    let advertised = Some(proxy.address());
    let broker = kafka_or_skip!(BrokerOptions { advertised, ..BrokerOptions::default() });
    proxy.set_target(broker.behind_proxy().unwrap());

    let (late, abort) = late_commit(&proxy, &broker.admin(), "old", OLD);
    assert_eq!(late, NONE, "it is taken for the end of the next transaction");
    assert_eq!(abort, INVALID_TXN_STATE, "which was committed and cannot be aborted");

    let (late, abort) = late_commit(&proxy, &broker.admin(), "new", NEW);
    assert!(PRODUCER_FENCED.contains(&late), "the late request is refused: {late}");
    assert_eq!(abort, NONE, "and the next transaction is its producer's");
}
