//! The numbers by which Kafka tells its requests apart.

use std::fmt;

/// Which request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKey(pub i16);

macro_rules! keys {
    ($($name:ident = $key:literal, $text:literal;)*) => {
        impl ApiKey {
            $(
                #[doc = concat!("The request `", $text, "`.")]
                pub const $name: ApiKey = ApiKey($key);
            )*
        }

        impl fmt::Display for ApiKey {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(ApiKey::$name => f.write_str($text),)*
                    ApiKey(key) => write!(f, "request {key}"),
                }
            }
        }
    };
}

keys! {
    PRODUCE = 0, "Produce";
    FETCH = 1, "Fetch";
    LIST_OFFSETS = 2, "ListOffsets";
    METADATA = 3, "Metadata";
    OFFSET_COMMIT = 8, "OffsetCommit";
    OFFSET_FETCH = 9, "OffsetFetch";
    FIND_COORDINATOR = 10, "FindCoordinator";
    JOIN_GROUP = 11, "JoinGroup";
    HEARTBEAT = 12, "Heartbeat";
    SYNC_GROUP = 14, "SyncGroup";
    SASL_HANDSHAKE = 17, "SaslHandshake";
    API_VERSIONS = 18, "ApiVersions";
    CREATE_TOPICS = 19, "CreateTopics";
    INIT_PRODUCER_ID = 22, "InitProducerId";
    ADD_PARTITIONS_TO_TXN = 24, "AddPartitionsToTxn";
    ADD_OFFSETS_TO_TXN = 25, "AddOffsetsToTxn";
    END_TXN = 26, "EndTxn";
    TXN_OFFSET_COMMIT = 28, "TxnOffsetCommit";
    CREATE_ACLS = 30, "CreateAcls";
    SASL_AUTHENTICATE = 36, "SaslAuthenticate";
}
