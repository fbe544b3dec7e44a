//! A table against a `BTreeMap`, under random operations, epochs, partial encoding and restores.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;

use headwater_core::block::BlockSink;
use headwater_core::key_group::hash_key;
use headwater_core::{Epoch, EventTime, KeyGroup, KeyGroupRange};
use headwater_state::{StateTable, Table, Timers};
use proptest::prelude::*;

#[derive(Default, Clone)]
struct Blocks(Vec<(KeyGroup, Vec<u8>)>);

impl BlockSink for Blocks {
    fn block(&mut self, _name: &str, group: KeyGroup, entries: u32, bytes: &[u8]) {
        assert!(entries > 0 && !bytes.is_empty());
        self.0.push((group, bytes.to_vec()));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, u8, u32),
    Add(u8, u8, u32),
    Remove(u8, u8),
    Encode(u8),
    Barrier,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (key, ns) = (0u8..12, 0u8..14);
    proptest::collection::vec(
        prop_oneof![
            4 => (key.clone(), ns.clone(), any::<u32>()).prop_map(|(k, n, v)| Step::Insert(k, n, v)),
            4 => (key.clone(), ns.clone(), 0u32..9).prop_map(|(k, n, v)| Step::Add(k, n, v)),
            4 => (key, ns).prop_map(|(k, n)| Step::Remove(k, n)),
            2 => (0u8..6).prop_map(Step::Encode),
            1 => Just(Step::Barrier),
        ],
        1..200,
    )
}

const RANGE: KeyGroupRange = KeyGroupRange::all(4);

fn content(table: &Table<u8, u8, u32>) -> BTreeMap<(u8, u8), u32> {
    table.iter().map(|(_, k, n, v)| ((*k, *n), *v)).collect()
}

fn restore(deltas: &[Blocks]) -> Table<u8, u8, u32> {
    let mut table = Table::new("t", RANGE);
    for (group, block) in deltas.iter().flat_map(|d| &d.0) {
        table.load(*group, block).unwrap();
    }
    table
}

proptest! {
    #[test]
    fn every_checkpoint_holds_the_state_at_its_barrier(steps in steps()) {
        let mut table = Table::<u8, u8, u32>::new("t", RANGE);
        let mut model = BTreeMap::new();
        let mut deltas: Vec<Blocks> = Vec::new();
        let mut expected = Vec::new();
        let mut epoch = Epoch(1);
        let mut running = Blocks::default();
        let mut open = false;
        for step in steps {
            match step {
                Step::Insert(k, n, v) => {
                    table.insert(hash_key(&k), &k, &n, v).unwrap();
                    model.insert((k, n), v);
                }
                Step::Add(k, n, v) => {
                    let (_, value) =
                        table.get_or_insert_with(hash_key(&k), &k, &n, || 0).unwrap();
                    *value = value.wrapping_add(v);
                    let value = model.entry((k, n)).or_insert(0);
                    *value = value.wrapping_add(v);
                }
                Step::Remove(k, n) => {
                    let removed = table.remove(hash_key(&k), &k, &n).unwrap();
                    prop_assert_eq!(removed, model.remove(&(k, n)));
                }
                Step::Encode(budget) => {
                    if open && table.encode(budget.into(), &mut running).unwrap() {
                        deltas.push(std::mem::take(&mut running));
                        open = false;
                    }
                }
                Step::Barrier => {
                    while open {
                        open = !table.encode(3, &mut running).unwrap();
                        if !open { deltas.push(std::mem::take(&mut running)); }
                    }
                    table.freeze(epoch).unwrap();
                    epoch = epoch.next();
                    expected.push(model.clone());
                    open = true;
                }
            }
            prop_assert_eq!(table.len(), model.len());
        }
        prop_assert_eq!(&content(&table), &model);
        for key in 0..12u8 {
            let got: Vec<_> = table.of_key(hash_key(&key), &key).map(|(n, v)| (*n, *v)).collect();
            let want: Vec<_> =
                model.range((key, 0)..=(key, 255)).map(|((_, n), v)| (*n, *v)).collect();
            prop_assert_eq!(got, want);
        }
        while open {
            open = !table.encode(1, &mut running).unwrap();
            if !open { deltas.push(std::mem::take(&mut running)); }
        }
        for (i, want) in expected.iter().enumerate() {
            prop_assert_eq!(&content(&restore(&deltas[..=i])), want, "checkpoint {}", i + 1);
        }
    }

    #[test]
    fn timers_fire_once_in_order(ops in proptest::collection::vec((0u8..5, 0i64..30, 0u8..4), 1..120)) {
        let mut timers = Timers::new("timers", RANGE);
        let mut model = std::collections::BTreeSet::new();
        for (key, time, op) in ops {
            let (hash, at) = (hash_key(&key), EventTime(time));
            match op {
                0 | 1 => { timers.register(hash, &key, at).unwrap(); model.insert((time, key)); }
                2 => prop_assert_eq!(timers.cancel(hash, &key, at).unwrap(), model.remove(&(time, key))),
                _ => {
                    let mut last = i64::MIN;
                    while let Some((t, h, k)) = timers.pop_due(at).unwrap() {
                        prop_assert!(t.0 >= last && t <= at && h == hash_key(&k));
                        last = t.0;
                        prop_assert!(model.remove(&(t.0, k)));
                    }
                    prop_assert!(model.range(..=(time, 255)).next().is_none());
                }
            }
        }
    }
}

#[test]
fn an_entry_that_never_met_a_barrier_leaves_no_trace() {
    let mut table = Table::<u8, u8, u32>::new("t", RANGE);
    table.insert(hash_key(&1u8), &1, &1, 5).unwrap();
    table.remove(hash_key(&1u8), &1, &1).unwrap();
    table.freeze(Epoch(1)).unwrap();
    let mut blocks = Blocks::default();
    assert!(table.encode(usize::MAX, &mut blocks).unwrap());
    assert!(blocks.0.is_empty());
}

#[test]
fn only_changed_entries_are_encoded() {
    let mut table = Table::<u64, (), u64>::new("t", KeyGroupRange::all(1024));
    for k in 0..10_000u64 {
        table.insert(hash_key(&k), &k, &(), k).unwrap();
    }
    let mut all = Blocks::default();
    table.freeze(Epoch(1)).unwrap();
    while !table.encode(777, &mut all).unwrap() {}
    for k in 0..10u64 {
        table.insert(hash_key(&k), &k, &(), 1).unwrap();
    }
    table.freeze(Epoch(2)).unwrap();
    let mut delta = Blocks::default();
    while !table.encode(3, &mut delta).unwrap() {}
    let bytes = |b: &Blocks| b.0.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    assert!(bytes(&delta) < 150 && bytes(&all) > 100_000, "{} {}", bytes(&delta), bytes(&all));
}

#[test]
fn a_large_key_group_is_handed_over_in_several_blocks() {
    let range = KeyGroupRange::all(1);
    let mut table = Table::<u64, (), String>::new("t", range);
    let value = |k: u64| format!("{k:0100}");
    for k in 0..5_000u64 {
        table.insert(hash_key(&k), &k, &(), value(k)).unwrap();
    }
    table.freeze(Epoch(1)).unwrap();
    let mut blocks = Blocks::default();
    let mut changed = 0u64;
    while !table.encode(1_000, &mut blocks).unwrap() {
        // What changes meanwhile belongs to the next epoch.
        table.insert(hash_key(&changed), &changed, &(), "changed".into()).unwrap();
        changed += 7;
    }
    assert!(blocks.0.len() > 2 && changed > 700, "{} blocks, {changed}", blocks.0.len());
    let mut restored = Table::<u64, (), String>::new("t", range);
    for (group, block) in &blocks.0 {
        restored.load(*group, block).unwrap();
    }
    let content: BTreeMap<u64, String> =
        restored.iter().map(|(_, k, (), v)| (*k, v.clone())).collect();
    assert_eq!(content, (0..5_000).map(|k| (k, value(k))).collect());
}
