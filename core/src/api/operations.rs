//! What a client may do, as the bits it can ask for (KIP-430). There is no authorizer: everyone may do whatever
//! there is to do, and whoever does not ask is told nothing.
//!
//! Numbers: `org.apache.kafka.common.acl.AclOperation`; which apply to what: `AclEntry.supportedOperations`.

const READ: i32 = 1 << 3;
const WRITE: i32 = 1 << 4;
const CREATE: i32 = 1 << 5;
const DELETE: i32 = 1 << 6;
const ALTER: i32 = 1 << 7;
const DESCRIBE: i32 = 1 << 8;
const CLUSTER_ACTION: i32 = 1 << 9;
const DESCRIBE_CONFIGS: i32 = 1 << 10;
const ALTER_CONFIGS: i32 = 1 << 11;
const IDEMPOTENT_WRITE: i32 = 1 << 12;

const NOT_ASKED: i32 = i32::MIN;

/// To the cluster.
pub(super) fn of_cluster(is_asked: bool) -> i32 {
    if !is_asked {
        return NOT_ASKED;
    }
    CREATE | ALTER | DESCRIBE | CLUSTER_ACTION | DESCRIBE_CONFIGS | ALTER_CONFIGS | IDEMPOTENT_WRITE
}

/// To a group.
pub(super) fn of_group(is_asked: bool) -> i32 {
    if !is_asked {
        return NOT_ASKED;
    }
    READ | DELETE | DESCRIBE | DESCRIBE_CONFIGS | ALTER_CONFIGS
}

/// To a topic.
pub(super) fn of_topic(is_asked: bool) -> i32 {
    if !is_asked {
        return NOT_ASKED;
    }
    READ | WRITE | CREATE | DELETE | ALTER | DESCRIBE | DESCRIBE_CONFIGS | ALTER_CONFIGS
}
