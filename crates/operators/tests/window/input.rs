//! Random inputs: two splits with disorder and watermarks of their own, an operator watermark that
//! lags behind both, batches, barriers and crashes anywhere.

use proptest::prelude::*;

use crate::driver::Step;
use crate::naive::Item;

#[derive(Clone, Debug)]
struct Draw {
    key: u8,
    split: usize,
    forward: i64,
    back: i64,
    gap: i64,
    action: u8,
    amount: usize,
}

fn draw() -> impl Strategy<Value = Draw> {
    let numbers = (0..3u8, 0..2usize, 0..5i64, prop_oneof![4 => 0..6i64, 1 => 0..40i64]);
    (numbers, 1..12i64, 0..20u8, 1..4usize).prop_map(
        |((key, split, forward, back), gap, action, amount)| Draw {
            key,
            split,
            forward,
            back,
            gap,
            action,
            amount,
        },
    )
}

/// The records in order, and a script that feeds them.
#[derive(Clone, Debug)]
pub struct Input {
    pub items: Vec<Item>,
    pub steps: Vec<Step>,
}

pub fn input() -> impl Strategy<Value = Input> {
    (prop::collection::vec(draw(), 1..120), 2..8i64).prop_map(|(draws, bound)| script(draws, bound))
}

/// Splits with watermarks `bound` ms below their greatest time.
fn script(draws: Vec<Draw>, bound: i64) -> Input {
    let mut items: Vec<Item> = Vec::new();
    let mut steps = Vec::new();
    let mut batch: Vec<Item> = Vec::new();
    let mut watermarks = [i64::MIN; 2];
    let (mut now, mut clock) = (20, 0);
    for (id, draw) in draws.into_iter().enumerate() {
        now += draw.forward;
        let time = now - draw.back;
        let watermark = watermarks[draw.split];
        let read_under = if time <= watermark { watermark } else { i64::MIN };
        watermarks[draw.split] = watermark.max(time - bound);
        let Draw { key, gap, .. } = draw;
        items.push(Item { key, time, id: id as u32, gap, read_under });
        batch.extend(items.last().cloned());
        let lowest = watermarks[0].min(watermarks[1]);
        // A step other than a record ends the batch.
        let step = match draw.action {
            0..4 if lowest > i64::MIN => Step::Watermark(lowest - 2 * (draw.amount as i64 - 1)),
            4..6 => Step::Barrier,
            6..8 => Step::Encode(draw.amount),
            8 => Step::Crash(draw.amount),
            9..11 => {
                clock += 3 * draw.amount as i64;
                Step::Clock(clock)
            }
            11..13 => Step::Encode(usize::MAX),
            _ => continue,
        };
        steps.push(Step::Batch(std::mem::take(&mut batch)));
        steps.push(step);
    }
    if !batch.is_empty() {
        steps.push(Step::Batch(batch));
    }
    Input { items, steps }
}
