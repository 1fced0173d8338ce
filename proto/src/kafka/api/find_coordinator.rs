//! FindCoordinator: which node coordinates a group or a transaction. KIP-98 (kinds of keys, 1), KIP-699 (many keys, 4),
//! KIP-890 (TRANSACTION_ABORTABLE, 5), KIP-932 (share groups, 6).

use crate::kafka::grammar::api;

api! {
    FindCoordinator = 10, FindCoordinatorRequest -> FindCoordinatorResponse;
    versions 0-6, flexible 3+;

    /// Whose coordinator is wanted.
    struct FindCoordinatorRequest {
        key: String, 0-3;
        /// 0 is a group, 1 a transaction, 2 a partition of a share group.
        key_type: i8, 1+;
        coordinator_keys: Vec<String>, 4+;
    }

    /// Where they are.
    struct FindCoordinatorResponse {
        throttle_time_ms: i32, 1+;
        error_code: i16, 0-3;
        error_message: Option<String>, 1-3;
        node_id: i32, 0-3;
        host: String, 0-3;
        port: i32, 0-3;
        coordinators: Vec<Coordinator>, 4+;
    }

    /// The coordinator of one key.
    struct Coordinator {
        key: String, 4+;
        node_id: i32, 4+;
        host: String, 4+;
        port: i32, 4+;
        error_code: i16, 4+;
        error_message: Option<String>, 4+;
    }
}
