//! Bytes that nobody should send: random ones, and good messages with mutations.

use headwater_formats::Deserializer;
use proptest::prelude::*;

/// One change to a message.
#[derive(Clone, Debug)]
enum Mutation {
    Set(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Cut(usize),
    Repeat(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = || 0..4096usize;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        at().prop_map(Mutation::Remove),
        at().prop_map(Mutation::Cut),
        (at(), 1..64usize).prop_map(|(at, times)| Mutation::Repeat(at, times)),
    ]
}

fn mutate(good: &[u8], mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for mutation in mutations {
        let len = bytes.len();
        if len == 0 {
            break;
        }
        match *mutation {
            Mutation::Set(at, byte) => bytes[at % len] = byte,
            Mutation::Insert(at, byte) => bytes.insert(at % len, byte),
            Mutation::Remove(at) => drop(bytes.remove(at % len)),
            Mutation::Cut(at) => bytes.truncate(at % len),
            Mutation::Repeat(at, times) => {
                let tail = bytes[at % len..].to_vec();
                bytes.extend(tail.iter().cycle().take(times * tail.len().min(64)));
            }
        }
    }
    bytes
}

/// Bytes of no meaning, and `good` with up to eight mutations.
pub fn hostile(good: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let mutated = (proptest::sample::select(good), proptest::collection::vec(mutation(), 1..8))
        .prop_map(|(good, mutations)| mutate(&good, &mutations));
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..256), mutated]
}

/// Decodes hostile bytes; it is enough that this returns, with a reason that names the format.
pub fn survives<T>(format: &impl Deserializer<T>, name: &str, good: &[&[u8]]) {
    for good in good {
        assert!(format.deserialize(good).is_ok(), "{name} must take what it is mutated from");
    }
    let bytes = hostile(good.iter().map(|good| good.to_vec()).collect());
    let config =
        ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(bytes in bytes)| {
        if let Err(refused) = format.deserialize(&bytes) {
            prop_assert!(refused.to_string().starts_with(name), "{refused}");
        }
    });
}
