//! DeleteGroups: groups without members are forgotten with all they committed. KIP-229. Version 3 says why not (Kafka
//! 4.4, `DeleteGroupsResponse.json`).

use crate::kafka::grammar::api;

api! {
    DeleteGroups = 42, DeleteGroupsRequest -> DeleteGroupsResponse;
    versions 0-3, flexible 2+;

    /// The groups to delete.
    struct DeleteGroupsRequest {
        groups_names: Vec<String>, 0+;
    }

    /// What became of them.
    struct DeleteGroupsResponse {
        throttle_time_ms: i32, 0+;
        results: Vec<DeletableGroupResult>, 0+;
    }

    /// What became of one of them.
    struct DeletableGroupResult {
        group_id: String, 0+;
        error_code: i16, 0+;
        error_message: Option<String>, 3+, default None;
    }
}
