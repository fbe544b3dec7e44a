//! Which client options a job may set: an allow-list, as some of librdkafka's read files, load
//! libraries or call programs.

use headwater_core::{Error, Result};

/// What an option is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Both,
    Source,
    Sink,
}

const ALLOWED: &[(&str, Scope)] = &[
    ("broker.address.family", Scope::Both),
    ("client.dns.lookup", Scope::Both),
    ("client.id", Scope::Both),
    ("client.rack", Scope::Both),
    ("connections.max.idle.ms", Scope::Both),
    ("message.max.bytes", Scope::Both),
    ("metadata.max.age.ms", Scope::Both),
    ("receive.message.max.bytes", Scope::Both),
    ("reconnect.backoff.max.ms", Scope::Both),
    ("reconnect.backoff.ms", Scope::Both),
    ("request.timeout.ms", Scope::Both),
    ("retry.backoff.max.ms", Scope::Both),
    ("retry.backoff.ms", Scope::Both),
    ("socket.keepalive.enable", Scope::Both),
    ("socket.nagle.disable", Scope::Both),
    ("socket.receive.buffer.bytes", Scope::Both),
    ("socket.send.buffer.bytes", Scope::Both),
    ("socket.timeout.ms", Scope::Both),
    ("topic.metadata.refresh.interval.ms", Scope::Both),
    ("check.crcs", Scope::Source),
    ("fetch.error.backoff.ms", Scope::Source),
    ("fetch.max.bytes", Scope::Source),
    ("fetch.message.max.bytes", Scope::Source),
    ("fetch.min.bytes", Scope::Source),
    ("fetch.queue.backoff.ms", Scope::Source),
    ("fetch.wait.max.ms", Scope::Source),
    ("max.partition.fetch.bytes", Scope::Source),
    ("queued.max.messages.kbytes", Scope::Source),
    ("queued.min.messages", Scope::Source),
    ("batch.num.messages", Scope::Sink),
    ("batch.size", Scope::Sink),
    ("compression.codec", Scope::Sink),
    ("compression.level", Scope::Sink),
    ("compression.type", Scope::Sink),
    ("delivery.timeout.ms", Scope::Sink),
    ("linger.ms", Scope::Sink),
    ("max.in.flight", Scope::Sink),
    ("message.timeout.ms", Scope::Sink),
    ("partitioner", Scope::Sink),
    ("queue.buffering.max.kbytes", Scope::Sink),
    ("queue.buffering.max.messages", Scope::Sink),
    ("sticky.partitioning.linger.ms", Scope::Sink),
    ("transaction.timeout.ms", Scope::Sink),
];

/// Refuses options that are not on the list, naming the nearest one that is.
pub(crate) fn check_names(options: &[(String, String)]) -> Result<()> {
    match options.iter().find(|(name, _)| scope_of(name).is_none()) {
        Some((name, _)) => Err(unknown(name)),
        None => Ok(()),
    }
}

/// Whether a client of this kind takes the option.
pub(crate) fn is_for(name: &str, scope: Scope) -> bool {
    matches!(scope_of(name), Some(of) if of == Scope::Both || of == scope)
}

fn scope_of(name: &str) -> Option<Scope> {
    ALLOWED.iter().find(|(allowed, _)| *allowed == name).map(|(_, of)| *of)
}

/// Refuses options that are not on the list, or not for this kind of client.
pub(crate) fn check(options: &[(String, String)], scope: Scope) -> Result<()> {
    for (name, _) in options {
        match scope_of(name) {
            Some(of) if of == Scope::Both || of == scope => {}
            Some(of) => {
                let (here, there) = match of {
                    Scope::Sink => ("source", "sink"),
                    _ => ("sink", "source"),
                };
                return Err(Error::config(format!("kafka option {name:?} is not for a {here}"))
                    .hint(format!("set it on the {there}")));
            }
            None => return Err(unknown(name)),
        }
    }
    Ok(())
}

fn unknown(name: &str) -> Error {
    let nearest = ALLOWED
        .iter()
        .map(|(allowed, _)| (strsim::jaro_winkler(allowed, name), allowed))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let error = Error::config(format!("kafka option {name:?} is not known, or not allowed"));
    match nearest {
        Some((likeness, allowed)) if likeness > 0.75 => {
            error.hint(format!("did you mean {allowed:?}?"))
        }
        _ => error.hint("addresses, security, groups and offsets have methods of their own"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, scope: Scope) -> String {
        check(&[(name.into(), "1".into())], scope).unwrap_err().report()
    }

    #[test]
    fn options_are_checked_by_name_and_scope() {
        assert!(check(&[("linger.ms".into(), "5".into())], Scope::Sink).is_ok());
        assert!(refused("linger.ms", Scope::Source).contains("set it on the sink"));
        assert!(refused("linger.m", Scope::Sink).contains("did you mean \"linger.ms\"?"));
        assert!(refused("plugin.library.paths", Scope::Sink).contains("not allowed"));
    }
}
