//! Brokers for tests: one for all, or one of their own; and what happens when there can be none.

use std::sync::OnceLock;

use headwater_core::{Error, ErrorKind, Result};

use super::{Admin, Broker, BrokerOptions};
use crate::stderr::say;

/// Names a broker that is there already: `host:port`.
const KAFKA_VAR: &str = "HEADWATER_KAFKA";
/// Where one of these is set, a missing service is a failure.
const REQUIRING_VARS: [&str; 2] = ["CI", "HEADWATER_REQUIRE_SERVICES"];

/// The broker that all tests of this program share: the one that `HEADWATER_KAFKA` names, or one
/// that is started for them. `None` if there can be none, which is said on stderr as
/// `NOT RUN: kafka: REASON`.
///
/// Tests take names of their own for topics ([`Admin::new_topic`]), groups and transactional ids.
///
/// # Panics
/// It must be there (`CI` or `HEADWATER_REQUIRE_SERVICES` is set) and is not; or it is there and
/// does not work.
pub fn for_tests() -> Option<&'static Admin> {
    struct Shared(
        Admin,
        #[expect(dead_code, reason = "lives until the program ends")] Option<Broker>,
    );
    static SHARED: OnceLock<Result<Shared>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| match named() {
        Some(address) => {
            let admin = Admin::new(&address);
            let unusable = |e: Error| Error::connector(format!("{KAFKA_VAR}={address}")).because(e);
            admin.brokers().map_err(unusable)?;
            Ok(Shared(admin, None))
        }
        None => Broker::launch(BrokerOptions::default()).map(|b| Shared(b.admin(), Some(b))),
    });
    match shared {
        Ok(Shared(admin, _)) => Some(admin),
        Err(e) => not_run(e),
    }
}

/// A broker of the test's own, to be killed or set up otherwise; `None` as for [`for_tests`].
///
/// # Panics
/// As [`for_tests`].
pub fn launch_for_tests(options: BrokerOptions) -> Option<Broker> {
    Broker::launch(options).map_or_else(|e| not_run(&e), Some)
}

fn named() -> Option<String> {
    std::env::var(KAFKA_VAR).ok().filter(|address| !address.is_empty())
}

/// Says why a test does not run, or fails it.
#[allow(clippy::panic, reason = "a test fails by panicking")]
fn not_run<T>(error: &Error) -> Option<T> {
    let may_be_missing = matches!(error.kind(), ErrorKind::Config | ErrorKind::Transient);
    let set =
        |name: &str| std::env::var(name).is_ok_and(|value| !matches!(&*value, "" | "0" | "false"));
    match REQUIRING_VARS.into_iter().find(|name| set(name)) {
        _ if !may_be_missing => panic!("kafka: {}", error.report()),
        Some(name) => panic!("kafka is required ({name} is set): {}", error.report()),
        None => say(&format!("NOT RUN: kafka: {}", error.report())),
    }
    None
}

/// A Kafka for this test, or its end: `let kafka = kafka_or_skip!();` is the broker that all tests
/// share, an [`Admin`]; `let broker = kafka_or_skip!(BrokerOptions { .. });` a
/// [`Broker`] of its own.
///
/// See [`for_tests`] for what happens when there can be none.
#[macro_export]
macro_rules! kafka_or_skip {
    () => {
        match $crate::kafka::for_tests() {
            Some(admin) => admin,
            None => return,
        }
    };
    ($options:expr) => {
        match $crate::kafka::launch_for_tests($options) {
            Some(broker) => broker,
            None => return,
        }
    };
}
