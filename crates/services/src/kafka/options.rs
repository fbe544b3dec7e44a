//! What can be chosen about a broker, and the configuration it is started with.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headwater_core::{Error, Result};

use super::listeners::Listeners;

/// A user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Letters, digits, `-` and `_`.
    pub name: String,
    /// The same.
    pub password: String,
}

impl User {
    /// A user.
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> User {
        User { name: name.into(), password: password.into() }
    }
}

/// How a broker is set up.
///
/// With users it has a second listener that asks for SASL PLAIN or SCRAM (both hashes), on which a
/// user may do nothing but what [`Admin::allow`](super::Admin::allow) lets it; who comes over the
/// first may do everything.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// Where it keeps everything; `None`: a temporary folder, removed at the end.
    pub dir: Option<PathBuf>,
    /// The Java heap, in MiB.
    pub heap_mib: u32,
    /// `host:port` that clients are told instead of the broker's own, for a proxy in between.
    pub advertised: Option<String>,
    /// The longest transaction timeout a producer may ask for (`transaction.max.timeout.ms`).
    pub transaction_max_timeout: Duration,
    /// `transaction.version`: 2 is that of KIP-890, 0 and 1 are without its defence.
    pub transaction_version: i16,
    /// Users of SASL PLAIN.
    pub plain_users: Vec<User>,
    /// Users of SASL SCRAM-SHA-256 and SCRAM-SHA-512.
    pub scram_users: Vec<User>,
    /// Whether it has a listener with TLS, too, with a certificate of its own making.
    pub tls: bool,
    /// More of Kafka's own properties; they win.
    pub properties: Vec<(String, String)>,
    /// More options for the broker's Java; they win.
    pub java_options: Vec<String>,
    /// How long starting may take.
    pub start_timeout: Duration,
}

impl Default for BrokerOptions {
    fn default() -> BrokerOptions {
        BrokerOptions {
            dir: None,
            heap_mib: 512,
            advertised: None,
            transaction_max_timeout: Duration::from_secs(15 * 60),
            transaction_version: 2,
            plain_users: Vec::new(),
            scram_users: Vec::new(),
            tls: false,
            properties: Vec::new(),
            java_options: Vec::new(),
            start_timeout: Duration::from_secs(120),
        }
    }
}

/// The password of the key of the broker's certificate, which protects nothing.
pub const KEY_PASSWORD: &str = "headwater";

impl BrokerOptions {
    /// Whether there are users.
    pub(crate) fn has_users(&self) -> bool {
        !self.plain_users.is_empty() || !self.scram_users.is_empty()
    }

    /// Refuses what would be read as something else in a configuration file.
    ///
    /// # Errors
    /// Config: says what.
    pub(crate) fn validate(&self) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        for User { name, password } in self.plain_users.iter().chain(&self.scram_users) {
            if name.is_empty()
                || password.is_empty()
                || !(name.chars().chain(password.chars())).all(plain)
            {
                let text = format!(
                    "kafka user \"{name}\": name and password must be of letters, digits, - and _"
                );
                return Err(Error::config(text));
            }
        }
        if let Some((key, _)) =
            self.properties.iter().find(|(k, v)| k.contains('\n') || v.contains('\n'))
        {
            return Err(Error::config(format!("kafka property \"{key}\": more than one line")));
        }
        Ok(())
    }

    /// `server.properties`.
    pub(crate) fn server_properties(&self, dir: &Path, listeners: &Listeners) -> String {
        let mut text = String::new();
        let mut set = |key: &str, value: &dyn std::fmt::Display| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{key}={value}");
        };
        set("process.roles", &"broker,controller");
        set("node.id", &1);
        set("log.dirs", &dir.join("data").display());
        listeners.properties(&mut set, self.advertised.as_deref());
        set("auto.create.topics.enable", &false);
        // Tests write records of any time; what is old must not vanish under them.
        set("log.retention.ms", &-1);
        set("group.initial.rebalance.delay.ms", &0);
        set("group.min.session.timeout.ms", &100);
        set("transaction.max.timeout.ms", &self.transaction_max_timeout.as_millis());
        for internal in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"]
        {
            set(&format!("{internal}.replication.factor"), &1);
            set(&format!("{internal}.num.partitions"), &1);
        }
        set("transaction.state.log.min.isr", &1);
        set("share.coordinator.state.topic.min.isr", &1);
        // After `kill -9` a broker is let in again only when its former self has been silent for as
        // long as a session: 9 s unless said otherwise.
        set("broker.session.timeout.ms", &2_000);
        set("broker.heartbeat.interval.ms", &200);
        if self.has_users() {
            set(
                "authorizer.class.name",
                &"org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            );
            set("super.users", &"User:ANONYMOUS");
            let sasl = "listener.name.sasl.";
            set(&format!("{sasl}sasl.enabled.mechanisms"), &"PLAIN,SCRAM-SHA-256,SCRAM-SHA-512");
            let security = "org.apache.kafka.common.security";
            let mut plain = format!("{security}.plain.PlainLoginModule required");
            for User { name, password } in &self.plain_users {
                let _ = write!(plain, " user_{name}=\"{password}\"");
            }
            set(&format!("{sasl}plain.sasl.jaas.config"), &format!("{plain};"));
            for hash in ["256", "512"] {
                let key = format!("{sasl}scram-sha-{hash}.sasl.jaas.config");
                set(&key, &format!("{security}.scram.ScramLoginModule required;"));
            }
        }
        if self.tls {
            set("listener.name.tls.ssl.keystore.type", &"PKCS12");
            set("listener.name.tls.ssl.keystore.location", &dir.join("broker.p12").display());
            set("listener.name.tls.ssl.keystore.password", &KEY_PASSWORD);
            set("listener.name.tls.ssl.key.password", &KEY_PASSWORD);
        }
        for (key, value) in &self.properties {
            set(key, value);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_properties_that_would_break_the_file_are_refused() {
        let with = |user| BrokerOptions { plain_users: vec![user], ..BrokerOptions::default() };
        assert!(with(User::new("a", "b-1_C")).validate().is_ok());
        for (name, password) in [("a", "\""), ("a", "b;"), ("", "b"), ("a", ""), ("a\n", "b")] {
            assert!(with(User::new(name, password)).validate().is_err(), "{name} {password}");
        }
        let properties = vec![("a".to_owned(), "b\nc=d".to_owned())];
        assert!(BrokerOptions { properties, ..BrokerOptions::default() }.validate().is_err());
    }

    #[test]
    fn own_properties_come_last() {
        let properties = vec![("broker.session.timeout.ms".to_owned(), "9".to_owned())];
        let options = BrokerOptions { properties, ..BrokerOptions::default() };
        let listeners = Listeners::choose(&options).unwrap();
        let text = options.server_properties(Path::new("/d"), &listeners);
        let at = |line| text.lines().position(|l| l == line).unwrap();
        assert!(at("broker.session.timeout.ms=2000") < at("broker.session.timeout.ms=9"));
        assert!(text.contains("log.dirs=/d/data\n") && !text.contains("sasl."));
    }
}
