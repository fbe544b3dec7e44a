//! The options of the Kafka client that Java clients have: `properties.…`.

use headwater_kafka::{Cluster, cluster as brokers};

use super::super::options::Options;
use crate::error::{SqlError, SqlResult, codes};

/// Properties that are followed elsewhere.
const ELSEWHERE: &[&str] = &[
    "bootstrap.servers",
    "group.id",
    "isolation.level",
    // Positions are ours.
    "auto.offset.reset",
    "enable.auto.commit",
    "security.protocol",
    "sasl.mechanism",
    "sasl.jaas.config",
    "ssl.ca.location",
];

/// The brokers that `properties.bootstrap.servers` names, with security and client options.
pub(super) fn cluster(options: &Options<'_>) -> SqlResult<Cluster> {
    let property = |name: &str| options.text(&format!("properties.{name}"));
    let mut cluster = brokers(property("bootstrap.servers").unwrap_or_default());
    let protocol = property("security.protocol").unwrap_or("PLAINTEXT").to_ascii_uppercase();
    match protocol.as_str() {
        "PLAINTEXT" | "SASL_PLAINTEXT" => {}
        "SSL" | "SASL_SSL" => {
            cluster = match property("ssl.ca.location") {
                Some(file) => cluster.tls(file),
                None => cluster.tls_system_roots(),
            };
        }
        other => {
            let message = format!("there is no security protocol '{other}'");
            return Err(options.wrong("properties.security.protocol", message));
        }
    }
    if protocol.starts_with("SASL") {
        cluster = sasl(options, cluster)?;
    }
    for (name, value) in options.with_prefix("properties.") {
        if !ELSEWHERE.contains(&name) {
            cluster = cluster.option(name, value);
        }
    }
    Ok(cluster)
}

fn sasl(options: &Options<'_>, cluster: Cluster) -> SqlResult<Cluster> {
    let key = "properties.sasl.jaas.config";
    let why = "which gives user and password";
    let config = options.text(key).ok_or_else(|| options.missing(key, why))?;
    let secret = |name: &str| {
        let (_, rest) = config.split_once(&format!("{name}="))?;
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        rest[1..].split(quote).next()
    };
    let (Some(user), Some(password)) = (secret("username"), secret("password")) else {
        let message = "user and password can't be found";
        return Err(SqlError::new(codes::BAD_OPTION, format!("option '{key}': {message}"))
            .help("write … required username=\"…\" password=\"…\";"));
    };
    let (user, password) = (user.to_owned(), password.to_owned());
    match options.text("properties.sasl.mechanism").unwrap_or("PLAIN") {
        "PLAIN" => Ok(cluster.sasl_plain(user, password)),
        "SCRAM-SHA-256" => Ok(cluster.sasl_scram_sha_256(user, password)),
        "SCRAM-SHA-512" => Ok(cluster.sasl_scram_sha_512(user, password)),
        other => {
            let message = format!("SASL mechanism '{other}' is not supported");
            let error = options.wrong("properties.sasl.mechanism", message);
            Err(error.help("it is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"))
        }
    }
}
