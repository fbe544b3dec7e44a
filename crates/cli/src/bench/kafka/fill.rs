//! Writes Nexmark bids: event `n` of the shared stream if it is a bid, as JSON, keyed by auction.

use headwater::connectors::nexmark::{Event, NexmarkConfig, NexmarkGenerator};
use headwater::prelude::*;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::time::Duration;

use super::BrokerArgs;
use super::load::failed;

/// Options of `headwater bench kafka fill`.
#[derive(Debug, clap::Args)]
pub(super) struct FillArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    /// The topic; it is made with 4 partitions if it does not exist
    #[arg(long, default_value = "bids")]
    topic: String,
    /// How many bids
    #[arg(long, default_value_t = 5_000_000)]
    records: u64,
    /// Event time: events per second
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// Compression of the topic
    #[arg(long, default_value = "lz4")]
    compression: String,
}

/// Fills the topic.
pub(super) fn run(args: &FillArgs) -> Result<()> {
    super::load::make_topic(&args.broker.bootstrap, &args.topic)?;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &args.broker.bootstrap)
        .set("linger.ms", "20")
        .set("batch.size", "262144")
        .set("partitioner", "murmur2")
        .set("compression.type", &args.compression)
        .set("delivery.report.only.error", "true")
        .create()
        .map_err(|e| failed("make a producer", &e))?;
    let config = NexmarkConfig { events_per_second: f64::from(args.rate), ..Default::default() };
    let generator = NexmarkGenerator::new(config)?;
    let (mut written, mut bytes) = (0_u64, 0_u64);
    for n in 0.. {
        if written == args.records {
            break;
        }
        let Event::Bid(bid) = generator.event(n) else { continue };
        let key = bid.auction.to_string();
        let value = format!(
            "{{\"auction\":{},\"bidder\":{},\"price\":{},\"channel\":\"{}\",\"url\":\"{}\",\
             \"dateTime\":{},\"extra\":\"{}\"}}",
            bid.auction, bid.bidder, bid.price, bid.channel, bid.url, bid.date_time.0, bid.extra
        );
        bytes += value.len() as u64;
        let mut record =
            BaseRecord::to(&args.topic).key(&key).payload(&value).timestamp(bid.date_time.0);
        while let Err((error, back)) = producer.send(record) {
            if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                return Err(failed("write", &error));
            }
            producer.poll(Duration::from_millis(5));
            record = back;
        }
        written += 1;
        if written % 1_000_000 == 0 {
            eprintln!("{written} bids");
        }
    }
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(10));
    }
    let average = bytes as f64 / written.max(1) as f64;
    eprintln!("{written} bids of {average:.0} bytes on average in topic {:?}", args.topic);
    Ok(())
}
