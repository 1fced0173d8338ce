//! ListGroups: the groups that a node coordinates. KIP-518 (states, 4), KIP-848 (types, 5).

use crate::kafka::grammar::api;

api! {
    ListGroups = 16, ListGroupsRequest -> ListGroupsResponse;
    versions 0-5, flexible 3+;

    /// Which ones.
    struct ListGroupsRequest {
        /// Empty is any.
        states_filter: Vec<String>, 4+;
        /// Empty is any.
        types_filter: Vec<String>, 5+;
    }

    /// The groups.
    struct ListGroupsResponse {
        throttle_time_ms: i32, 1+;
        error_code: i16, 0+;
        groups: Vec<ListedGroup>, 0+;
    }

    /// A group.
    struct ListedGroup {
        group_id: String, 0+;
        /// Empty if nobody ever joined it.
        protocol_type: String, 0+;
        group_state: String, 4+;
        group_type: String, 5+;
    }
}
