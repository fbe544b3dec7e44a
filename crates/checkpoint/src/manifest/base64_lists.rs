//! Lists of byte strings by name, as base64 text in JSON.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

type Lists = BTreeMap<String, Vec<Vec<u8>>>;

pub(super) fn serialize<S: Serializer>(lists: &Lists, serializer: S) -> Result<S::Ok, S::Error> {
    let text = |list: &Vec<Vec<u8>>| list.iter().map(|b| STANDARD.encode(b)).collect::<Vec<_>>();
    let lists: BTreeMap<&String, Vec<String>> = lists.iter().map(|(k, v)| (k, text(v))).collect();
    lists.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Lists, D::Error> {
    let lists: BTreeMap<String, Vec<String>> = Deserialize::deserialize(deserializer)?;
    let bytes = |list: Vec<String>| {
        let all: Result<Vec<_>, _> = list.iter().map(|text| STANDARD.decode(text)).collect();
        all.map_err(D::Error::custom)
    };
    lists.into_iter().map(|(name, list)| Ok((name, bytes(list)?))).collect()
}
