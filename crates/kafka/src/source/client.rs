//! One client per source and attempt: fetches all partitions, and finds new ones.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use headwater_connect::Measure;
use headwater_core::{Error, Result, Wake};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::lag::{Lags, STATISTICS_MS};
use super::{End, OnGap, Settings, Topics, pattern_of};
use crate::cluster::Inspector;
use crate::failure::{WATCH_TOPICS, Witness, failure};
use crate::options::Scope;

/// Topic and partition.
pub(crate) type Partition = (String, i32);

/// How long the client's thread waits for events at a time.
const SERVE: Duration = Duration::from_millis(100);
/// Least time between two commits of offsets to the group.
const COMMIT_EVERY: Duration = Duration::from_secs(1);

/// See the module documentation.
pub(crate) struct SourceClient {
    consumer: Arc<BaseConsumer<Witness>>,
    settings: Settings,
    /// What the client's thread found last; an error stands until someone asks.
    partitions: Mutex<Result<Vec<Partition>>>,
    committed_at: Mutex<Option<Instant>>,
    pub(crate) lags: Lags,
}

impl SourceClient {
    pub(crate) fn start(settings: &Settings) -> Result<Arc<SourceClient>> {
        let mut config = settings.cluster.config(Scope::Source, &[]);
        config.set("group.id", &settings.group);
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        // A position that the log does not have is a gap, never a jump.
        config.set("auto.offset.reset", "error");
        if settings.end != End::Never {
            config.set("enable.partition.eof", "true");
        }
        let isolation = if settings.uncommitted { "read_uncommitted" } else { "read_committed" };
        config.set("isolation.level", isolation);
        config.set("debug", WATCH_TOPICS).set_log_level(RDKafkaLogLevel::Debug);
        // How long a topic may be missing before it counts as deleted: 30 s else.
        config.set("topic.metadata.propagation.max.ms", "10000");
        // After a full queue the default is to wait a second.
        config.set("fetch.queue.backoff.ms", "5");
        config.set("fetch.error.backoff.ms", "50");
        // Per partition: enough for a tenth of a second at full speed.
        config.set("queued.min.messages", "20000");
        config.set("queued.max.messages.kbytes", "8192");
        config.set("statistics.interval.ms", STATISTICS_MS);
        for (name, value) in &settings.options {
            config.set(name, value);
        }
        let consumer: BaseConsumer<Witness> = config
            .create_with_context(Witness::default())
            .map_err(|e| failure("cannot make a consumer", &e))?;
        let client = Arc::new(SourceClient {
            consumer: Arc::new(consumer),
            settings: settings.clone(),
            partitions: Mutex::new(list_partitions(settings)),
            committed_at: Mutex::new(None),
            lags: Lags::default(),
        });
        let weak = Arc::downgrade(&client);
        std::thread::Builder::new()
            .name("kafka-source".into())
            .spawn(move || serve(&weak))
            .map_err(|e| Error::internal("cannot start a thread").because(e))?;
        Ok(client)
    }

    pub(crate) fn consumer(&self) -> &BaseConsumer<Witness> {
        &self.consumer
    }

    /// The first and the next offset of a partition's log.
    pub(crate) fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64)> {
        super::offsets::watermarks(&self.settings, &self.consumer, topic, partition)
    }

    /// Whether the topic was deleted and made anew under us.
    pub(crate) fn was_made_anew(&self, topic: &str) -> bool {
        self.consumer.context().made_anew() == Some(topic)
    }

    /// Whether it has or had this partition open.
    pub(crate) fn knows(&self, topic: &str, partition: i32) -> bool {
        self.lags.has(topic, partition)
    }

    /// How far the readers are behind.
    pub(crate) fn measures(&self) -> Vec<Measure> {
        self.lags.measures(&self.consumer.context().ends())
    }

    pub(crate) fn on_gap(&self) -> OnGap {
        self.settings.on_gap
    }

    /// The partitions that are known now; never waits.
    pub(crate) fn partitions(&self) -> Result<Vec<Partition>> {
        let mut found = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        match &*found {
            Ok(partitions) => Ok(partitions.clone()),
            Err(_) => std::mem::replace(&mut *found, Ok(Vec::new())),
        }
    }

    /// Starts to fetch a partition; `wake` is called when its queue gets something.
    pub(crate) fn assign(
        &self,
        topic: &str,
        partition: i32,
        next: i64,
        wake: Wake,
    ) -> Result<PartitionQueue<Witness>> {
        // Before the assignment: else the first records would go to the client's common queue.
        let queue = self.consumer.split_partition_queue(topic, partition);
        let mut queue = queue.ok_or_else(|| Error::internal("a topic name with a zero byte"))?;
        queue.set_nonempty_callback(move || wake.wake());
        let doing = || format!("assign topic {topic:?}, partition {partition}");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(next))
            .map_err(|e| failure(&doing(), &e))?;
        self.consumer.incremental_assign(&list).map_err(|e| failure(&doing(), &e))?;
        Ok(queue)
    }

    /// Stops fetching a partition, so that it can be opened again.
    pub(crate) fn release(&self, topic: &str, partition: i32) {
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        if let Err(e) = self.consumer.incremental_unassign(&list) {
            tracing::debug!(topic, partition, "cannot stop fetching: {e}");
        }
    }

    /// Tells the group how far we are, now and then: for tools that show lag.
    pub(crate) fn commit(&self, offsets: impl Iterator<Item = (String, i32, i64)>) {
        let mut at = self.committed_at.lock().unwrap_or_else(PoisonError::into_inner);
        if at.is_some_and(|at| at.elapsed() < COMMIT_EVERY) {
            return;
        }
        *at = Some(Instant::now());
        let mut list = TopicPartitionList::new();
        for (topic, partition, next) in offsets {
            let _ = list.add_partition_offset(&topic, partition, Offset::Offset(next));
        }
        if list.count() > 0
            && let Err(e) = self.consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!("cannot commit offsets to the group: {e}");
        }
    }
}

/// Serves the client's events, and looks for new partitions, as long as the client is used.
fn serve(client: &Weak<SourceClient>) {
    let mut looked = Instant::now();
    while let Some(client) = client.upgrade() {
        let settings = &client.settings;
        match client.consumer.poll(SERVE) {
            None | Some(Ok(_)) => {}
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut))) => {}
            Some(Err(e)) => tracing::debug!("kafka: {e}"),
        }
        let due = settings.discovery.is_some_and(|every| looked.elapsed() >= every);
        if due {
            looked = Instant::now();
            match list_partitions(settings) {
                Ok(found) => {
                    let mut known =
                        client.partitions.lock().unwrap_or_else(PoisonError::into_inner);
                    *known = Ok(found);
                }
                Err(e) => tracing::warn!("cannot look for new partitions: {e}"),
            }
        }
    }
}

/// Asks the cluster.
pub(crate) fn list_partitions(settings: &Settings) -> Result<Vec<Partition>> {
    let config = settings.cluster.config(Scope::Source, &settings.options);
    let inspector = settings.cluster.inspector(&config)?;
    let mut topics = BTreeSet::new();
    match &settings.topics {
        Topics::Named(names) => {
            for name in names {
                inspector.check_topic(name)?;
                topics.insert(name.clone());
            }
        }
        Topics::Matching(pattern) => {
            let pattern = pattern_of(pattern)?;
            let all = inspector.metadata.topics().iter().map(|t| t.name());
            let open = all.filter(|name| !name.starts_with("__") && pattern.is_match(name));
            topics.extend(open.map(str::to_owned));
        }
    }
    let count = |inspector: &Inspector, topic: &str| inspector.partitions(topic).unwrap_or(0);
    let of = |topic: String| (0..count(&inspector, &topic)).map(move |n| (topic.clone(), n as i32));
    Ok(topics.into_iter().flat_map(of).collect())
}
