//! What tests ask of a broker before and beside the client under test.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use headwater_core::{Error, Result};

use super::ApiKey;
use super::wire::{Body, Connection};

/// How long a response may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a new topic may take until each partition has a leader.
const UNTIL_LED: Duration = Duration::from_secs(20);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(10);

/// A Kafka that answers at an address, whoever runs it: makes topics, gives permissions.
///
/// Each call is a connection of its own, so that it stays usable over restarts.
#[derive(Clone, Debug)]
pub struct Admin {
    address: String,
}

/// What a permission is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A topic, by name.
    Topic(&'a str),
    /// A consumer group, by name.
    Group(&'a str),
    /// The cluster.
    Cluster,
    /// A transactional id.
    TransactionalId(&'a str),
}

/// What a permission lets do; the numbers are those of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Operation {
    /// Everything.
    All = 2,
    /// Read.
    Read = 3,
    /// Write.
    Write = 4,
    /// Create.
    Create = 5,
    /// See that it is there.
    Describe = 8,
    /// Write with sequence numbers, on the cluster.
    IdempotentWrite = 12,
}

impl Admin {
    /// For the broker at `host:port`, over a listener without authentication.
    pub fn new(address: impl Into<String>) -> Admin {
        Admin { address: address.into() }
    }

    /// Where clients connect: `host:port`.
    pub fn bootstrap(&self) -> &str {
        &self.address
    }

    /// Makes a topic with a name nobody has used, which begins with `prefix`, and gives the name.
    ///
    /// # Errors
    /// See [`create_topic`](Self::create_topic).
    pub fn new_topic(&self, prefix: &str, partitions: i32) -> Result<String> {
        let name = fresh_name(prefix);
        self.create_topic(&name, partitions)?;
        Ok(name)
    }

    /// Makes a topic, and waits until each of its partitions has a leader.
    ///
    /// # Errors
    /// Connector: the broker refuses. Transient: it does not answer, or finds no leader.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        let mut connection = self.connect()?;
        let topic = Body::new().i32(1).string(name).i32(partitions).i16(1).i32(0).i32(0);
        let body = topic.i32(10_000).i8(0);
        let mut answer = connection.call(ApiKey::CREATE_TOPICS, 4, &body)?;
        let (_throttled, _topics, _name) = (answer.i32()?, answer.i32()?, answer.string()?);
        let (code, message) = (answer.i16()?, answer.string()?);
        if code != 0 {
            let text = format!("topic \"{name}\" was not made: {message} (kafka's error {code})");
            return Err(Error::connector(text));
        }
        let until = Instant::now() + UNTIL_LED;
        while self.partitions_led(&mut connection, name)? != partitions {
            if Instant::now() > until {
                let text = format!("topic \"{name}\" has no leader for each partition");
                return Err(Error::transient(text));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Whether the topic is there.
    ///
    /// # Errors
    /// Transient: the broker does not answer.
    pub fn has_topic(&self, name: &str) -> Result<bool> {
        Ok(self.partitions_led(&mut self.connect()?, name)? > 0)
    }

    /// Lets a user do something, from any host.
    ///
    /// # Errors
    /// Connector: the broker refuses. Transient: it does not answer.
    pub fn allow(&self, user: &str, resource: Resource, operation: Operation) -> Result<()> {
        let (kind, name) = match resource {
            Resource::Topic(name) => (2, name),
            Resource::Group(name) => (3, name),
            Resource::Cluster => (4, "kafka-cluster"),
            Resource::TransactionalId(name) => (5, name),
        };
        // Pattern 3: the name as it is; permission 3: allow.
        let body = Body::new().i32(1).i8(kind).string(name).i8(3);
        let body = body.string(&format!("User:{user}")).string("*").i8(operation as i8).i8(3);
        let mut answer = self.connect()?.call(ApiKey::CREATE_ACLS, 1, &body)?;
        let (_throttled, _results) = (answer.i32()?, answer.i32()?);
        match (answer.i16()?, answer.string()?) {
            (0, _) => Ok(()),
            (code, message) => Err(Error::connector(format!(
                "user \"{user}\" got no permission: {message} (kafka's error {code})"
            ))),
        }
    }

    /// The level of a feature that the cluster has settled on, as `transaction.version`; 0 if none.
    ///
    /// # Errors
    /// Transient: the broker does not answer.
    pub fn feature(&self, name: &str) -> Result<i16> {
        // Version 3 is the first that tells; its request has tagged fields, its response tells in
        // one: KIP-584.
        let body = Body::new().raw(&[0]).compact_string("h").compact_string("0").raw(&[0]);
        let mut answer = self.connect()?.call(ApiKey::API_VERSIONS, 3, &body)?;
        answer.i16()?;
        for _ in 1..answer.varint()? {
            answer.raw(6)?;
            answer.tagged(0)?;
        }
        answer.i32()?;
        let Some(mut features) = answer.tagged(2)? else { return Ok(0) };
        for _ in 1..features.varint()? {
            let (found, level) = (features.compact_string()?, features.i16()?);
            features.i16()?;
            features.tagged(0)?;
            if found == name {
                return Ok(level);
            }
        }
        Ok(0)
    }

    /// Brokers that the cluster counts as alive; what a broker answers once it serves clients.
    ///
    /// # Errors
    /// Transient: nobody answers.
    pub fn brokers(&self) -> Result<i32> {
        // No topics, and none made.
        let body = Body::new().i32(0).i8(0);
        let mut answer = self.connect()?.call(ApiKey::METADATA, 4, &body)?;
        answer.i32()?;
        answer.i32()
    }

    /// Partitions of the topic that have a leader; 0 if there is no such topic.
    fn partitions_led(&self, connection: &mut Connection, name: &str) -> Result<i32> {
        let body = Body::new().i32(1).string(name).i8(0);
        let mut answer = connection.call(ApiKey::METADATA, 4, &body)?;
        answer.i32()?;
        for _ in 0..answer.i32()? {
            let (_id, _host, _port, _rack) =
                (answer.i32()?, answer.string()?, answer.i32()?, answer.string()?);
        }
        let (_cluster, _controller, _topics) = (answer.string()?, answer.i32()?, answer.i32()?);
        let (code, _name, _internal) = (answer.i16()?, answer.string()?, answer.i8()?);
        let mut led = 0;
        for _ in 0..answer.i32()? {
            let (partition, _index, leader) = (answer.i16()?, answer.i32()?, answer.i32()?);
            for _replicas_then_in_sync in 0..2 {
                for _ in 0..answer.i32()? {
                    answer.i32()?;
                }
            }
            led += i32::from(code == 0 && partition == 0 && leader >= 0);
        }
        Ok(led)
    }

    fn connect(&self) -> Result<Connection> {
        Connection::open(&self.address, TIMEOUT)
    }
}

/// A name that no test has used before: brokers named by the environment outlive test runs.
fn fresh_name(prefix: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{:x}-{:x}-{next}", since.as_millis(), std::process::id())
}
