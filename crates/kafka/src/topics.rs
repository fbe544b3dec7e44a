//! Topics that are made here: those a job asks for, and its control topics.

use std::time::Duration;

use headwater_core::{Error, Result};
use rdkafka::admin::{AdminClient, AdminOptions, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;

use crate::cluster::Cluster;
use crate::failure::failure;
use crate::options::Scope;
use crate::sink::CreateTopic;

/// A topic to make.
pub(crate) struct NewTopic {
    name: String,
    create: CreateTopic,
    purpose: &'static str,
}

impl NewTopic {
    pub(crate) fn of(name: &str, create: &CreateTopic) -> Self {
        NewTopic { name: name.into(), create: create.clone(), purpose: "the output" }
    }

    /// A compacted topic of one partition, in which old records give way soon.
    pub(crate) fn control(name: &str) -> Self {
        let config = [
            ("cleanup.policy", "compact"),
            ("segment.bytes", "67108864"),
            ("segment.ms", "600000"),
            ("min.cleanable.dirty.ratio", "0.1"),
        ];
        let config = config.iter().map(|&(k, v)| (k.into(), v.into())).collect();
        let create = CreateTopic { partitions: 1, replication: 0, config };
        NewTopic { name: name.into(), create, purpose: "what is committed" }
    }
}

/// Makes a topic unless it exists.
pub(crate) fn create(cluster: &Cluster, new: &NewTopic) -> Result<()> {
    use RDKafkaErrorCode as C;
    let config = cluster.config(Scope::Both, &[]);
    let admin: AdminClient<DefaultClientContext> =
        config.create().map_err(|e| failure("cannot make a client", &e))?;
    let or_default = |n: i32| if n > 0 { n } else { -1 };
    let replication = TopicReplication::Fixed(or_default(new.create.replication));
    let partitions = or_default(new.create.partitions);
    let mut topic = rdkafka::admin::NewTopic::new(&new.name, partitions, replication);
    for (key, value) in &new.create.config {
        topic = topic.set(key, value);
    }
    let wait: Duration = cluster.timeout();
    let options = AdminOptions::new().request_timeout(Some(wait)).operation_timeout(Some(wait));
    let doing = format!("make topic {:?} for {}", new.name, new.purpose);
    let made = futures::executor::block_on(admin.create_topics([&topic], &options))
        .map_err(|e| failure(&doing, &e))?;
    match made.into_iter().next() {
        Some(Err((_, C::TopicAlreadyExists))) | Some(Ok(_)) => Ok(()),
        // Who may not make topics is told so even of one that is there.
        Some(Err((_, C::TopicAuthorizationFailed | C::ClusterAuthorizationFailed)))
            if cluster.inspector(&config)?.partitions(&new.name).is_some() =>
        {
            Ok(())
        }
        // A broker that is about to stop or has just started; the next attempt asks again.
        Some(Err((
            _,
            code @ (C::OperationTimedOut
            | C::RequestTimedOut
            | C::NotController
            | C::CoordinatorNotAvailable
            | C::BrokerNotAvailable
            | C::LeaderNotAvailable
            | C::NetworkException),
        ))) => Err(Error::transient(format!("kafka: {doing}: {code}"))),
        Some(Err((_, code))) => Err(Error::config(format!("kafka: {doing}: {code}"))
            .hint("make the topic by hand, or grant CREATE on it")),
        None => Err(Error::internal(format!("kafka: {doing}: no answer"))),
    }
}

/// A topic name out of the names that users give jobs and steps.
///
/// What Kafka does not take becomes `-`, with a number that tells changed names apart.
pub(crate) fn name(parts: &[&str]) -> String {
    let whole = parts.join("-");
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let clean: String = whole.chars().map(|c| if legal(c) { c } else { '-' }).take(200).collect();
    if clean == whole {
        return format!("headwater-{clean}");
    }
    let number = headwater_core::key_group::hash_key(&whole) as u32;
    format!("headwater-{clean}-{number:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_legal_and_apart() {
        assert_eq!(name(&["orders", "out", "epochs"]), "headwater-orders-out-epochs");
        let (one, two) = (name(&["clicks per minute"]), name(&["clicks/per/minute"]));
        assert!(one.starts_with("headwater-clicks-per-minute-") && one != two, "{one} {two}");
    }
}
