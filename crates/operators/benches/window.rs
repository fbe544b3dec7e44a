//! Throughput of window operators on one core, in memory: records in batches of 1024, a watermark
//! per batch, keys drawn uniformly, a million records per second of event time.

use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use headwater_core::{Batch, EventTime, KeyGroupRange, Keyed, ProcessingTime, SplitTag, Timed};
use headwater_operators::window::{WindowSpec, count};
use headwater_operators::{Operator, OperatorContext, OperatorInit};

const RECORDS: u64 = 1 << 20;
const BATCH: u64 = 1024;

/// One second of event time per call: batches that start `second` seconds after 1970.
fn batches(second: u64, keys: u64) -> Vec<(Batch, EventTime)> {
    let mut state = second + 1;
    let record = |i: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let key = (state >> 33) % keys;
        let time = EventTime((second * 1000 + i * 1000 / RECORDS) as i64);
        Timed::new(time, Keyed::new(key, i))
    };
    let records: Vec<_> = (0..RECORDS).map(record).collect();
    let batch = |chunk: &[Timed<Keyed<u64, u64>>]| {
        let watermark = EventTime(chunk[0].time.0 - 1);
        (Batch::new(chunk.to_vec()), watermark)
    };
    records.chunks(BATCH as usize).map(batch).collect()
}

fn feed(operator: &mut dyn Operator, batches: Vec<(Batch, EventTime)>) -> usize {
    let mut cx = OperatorContext::new(ProcessingTime(0));
    let mut before = EventTime::MIN;
    let mut emitted = 0;
    for (batch, watermark) in batches {
        if watermark > before {
            before = watermark;
            cx.enter(ProcessingTime(0), watermark, SplitTag::NONE);
            let done = operator.on_watermark(watermark, &mut cx);
            assert!(done.is_ok());
        }
        assert!(operator.process(0, batch, &mut cx).is_ok());
        emitted += cx.emitted.drain(..).map(|(_, batch)| batch.len()).sum::<usize>();
    }
    emitted
}

type Make = fn() -> WindowSpec<u64>;

fn windows(c: &mut Criterion) {
    let s = Duration::from_secs;
    let specs: [(&str, Make); 6] = [
        ("tumbling 1s", || WindowSpec::tumbling(Duration::from_secs(1))),
        ("hopping 10s/2s", || WindowSpec::hopping(Duration::from_secs(10), Duration::from_secs(2))),
        ("hopping 60s/1s", || WindowSpec::hopping(Duration::from_secs(60), Duration::from_secs(1))),
        ("session 100ms", || WindowSpec::session(Duration::from_millis(100))),
        ("count 100", || WindowSpec::count(100)),
        ("tumbling 1s, late 1s", || {
            WindowSpec::tumbling(Duration::from_secs(1)).allowed_lateness(Duration::from_secs(1))
        }),
    ];
    let mut group = c.benchmark_group("window count");
    group.throughput(Throughput::Elements(RECORDS)).sample_size(10).measurement_time(s(8));
    for (name, spec) in specs {
        for keys in [1_000, 100_000] {
            let init = OperatorInit {
                name: name.into(),
                worker: 0,
                workers: 1,
                key_groups: KeyGroupRange::all(1024),
            };
            let Ok(mut operator) = spec().build::<u64, _>(&init, &Arc::new(count())) else {
                continue;
            };
            let mut second = 0;
            group.bench_function(format!("{name}, {keys} keys"), |b| {
                b.iter_batched(
                    || {
                        second += 1;
                        batches(second, keys)
                    },
                    |batches| feed(&mut *operator, batches),
                    BatchSize::PerIteration,
                );
            });
        }
    }
}

criterion_group!(benches, windows);
criterion_main!(benches);
