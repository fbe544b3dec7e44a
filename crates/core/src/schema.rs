//! What a stored value looks like: a structural description traced from its serde implementation.
//!
//! Written into every manifest beside each state. On restore the description of this build's type
//! is compared with the writer's *before* a byte is decoded, so a changed type is refused by name.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_reflection::{ContainerFormat, Format, Registry, Samples, Tracer, TracerConfig};

/// The shape of a type, as canonical JSON; equal shapes decode each other's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schema(pub String);

impl Schema {
    /// Traces the shape of `T`.
    ///
    /// A type whose `Deserialize` cannot be traced (it validates, or borrows) is described by its
    /// Rust name alone, and so is compared by name.
    pub fn of<T: DeserializeOwned>() -> Schema {
        let untraceable = || format!("{:?}", std::any::type_name::<T>());
        Schema(trace::<T>().or_else(shape::<T>).unwrap_or_else(untraceable))
    }
}

impl std::fmt::Display for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn trace<T: DeserializeOwned>() -> Option<String> {
    // The tracer meets one new variant of each enum per pass and stops at enums it has marked
    // incomplete. It does not list them, but its final registry does: so start over with the names
    // learnt until none is left.
    let mut enums: BTreeSet<String> = BTreeSet::new();
    loop {
        let mut tracer = Tracer::new(TracerConfig::default());
        let samples = Samples::new();
        let format = loop {
            let (format, _) = tracer.trace_type_once::<T>(&samples).ok()?;
            let cleared = enums.iter().filter(|name| tracer.check_incomplete_enum(name).is_some());
            if cleared.count() == 0 {
                break format;
            }
        };
        match tracer.registry() {
            Ok(registry) if is_unfinished(&registry) => return None,
            Ok(registry) => return render(&format, &registry),
            Err(serde_reflection::Error::MissingVariants(names)) => {
                let known = enums.len();
                enums.extend(names);
                if enums.len() == known {
                    return None;
                }
            }
            Err(_) => return None,
        }
    }
}

/// The shape as our own tracer sees it, for types whose enums the first one does not finish.
fn shape<T: DeserializeOwned>() -> Option<String> {
    crate::shape::shape_of::<T>().ok().map(|shape| format!("shape:{shape:?}"))
}

/// Whether the registry holds an enum whose variants were not all visited: the tracer numbers those
/// from the top of `u32` and forgets to report them when they hide behind an `Option` or a list.
fn is_unfinished(registry: &Registry) -> bool {
    registry.values().any(|container| match container {
        ContainerFormat::Enum(variants) => variants.keys().any(|index| *index > u32::MAX / 2),
        _ => false,
    })
}

fn render(format: &Format, registry: &Registry) -> Option<String> {
    let mut root = serde_json::to_value(format).ok()?;
    if !registry.is_empty() {
        root = serde_json::json!({ "type": root, "where": registry });
    }
    serde_json::to_string(&root).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Account {
        seen: Option<i64>,
        total: u64,
        kind: Kind,
    }
    #[derive(Deserialize)]
    #[expect(dead_code)]
    enum Kind {
        Plain,
        Rich(u8),
        Named { name: String },
    }

    #[test]
    fn a_changed_field_or_variant_changes_the_schema() {
        mod other {
            use serde::Deserialize;
            #[derive(Deserialize)]
            #[expect(dead_code)]
            pub(super) struct Account {
                pub(super) seen: Option<i64>,
                pub(super) total: u32,
                pub(super) kind: super::Kind,
            }
        }
        let here = Schema::of::<Account>();
        assert_eq!(here, Schema::of::<Account>());
        assert_ne!(here, Schema::of::<other::Account>());
        for part in ["seen", "total", "U64", "Plain", "Rich", "Named", "name"] {
            assert!(here.0.contains(part), "{part} is missing in {here}");
        }
        #[derive(Deserialize)]
        #[expect(dead_code)]
        struct Hidden {
            kind: Option<Kind>,
            kinds: Vec<Kind>,
        }
        for nested in [
            Schema::of::<Hidden>(),
            Schema::of::<Option<Kind>>(),
            Schema::of::<Vec<Option<Kind>>>(),
        ] {
            assert!(nested.0.contains("Named"), "a variant is missing in {nested}");
        }
        assert_eq!(Schema::of::<u64>(), Schema("\"U64\"".into()));
        assert_ne!(Schema::of::<(u64, String)>(), Schema::of::<(u64, u64)>());
    }
}
