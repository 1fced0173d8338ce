//! Groups: two members share a topic, somebody commits how far he has come, and somebody else looks at them.

use crate::{Client, block_on, client, create};
use bytes::Bytes;
use rust_mq_proto::grpc::{
    CommitOffsetRequest, DeleteGroupRequest, DeleteOffsetRequest, DescribeGroupRequest, FetchOffsetRequest,
    FindCoordinatorRequest, GroupProtocol, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeavingMember, ListGroupsRequest, MemberAssignment, OffsetToCommit, SyncGroupRequest,
    TopicPartition,
};
use std::time::Duration;
use tests::folder::Folder;
use tests::node::Node;
use tonic::Code;

async fn find(client: &mut Client, group: &str) {
    let request = FindCoordinatorRequest { group_id: group.into() };
    let found = client.find_coordinator(request).await.expect("a node coordinates it").into_inner();
    assert!(found.coordinator.is_some_and(|node| node.port > 0));
}

async fn join(mut client: Client, group: &str, member: &str) -> JoinGroupResponse {
    let request = JoinGroupRequest {
        group_id: group.into(),
        member_id: member.into(),
        rebalance_timeout_ms: 5_000,
        protocols: vec![GroupProtocol { name: "mine".into(), metadata: "what I can".into() }],
        ..Default::default()
    };
    client.join_group(request).await.expect("everybody may join").into_inner()
}

async fn sync(mut client: Client, group: &str, joined: &JoinGroupResponse) -> Bytes {
    let assignments = joined.members.iter().map(|member| MemberAssignment {
        member_id: member.member_id.clone(),
        assignment: format!("for {}", member.member_id).into(),
    });
    let request = SyncGroupRequest {
        group_id: group.into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        // The leader says both, others nothing: either is right.
        protocol_type: if joined.members.is_empty() { String::new() } else { joined.protocol_type.clone() },
        protocol_name: if joined.members.is_empty() { String::new() } else { joined.protocol_name.clone() },
        assignments: assignments.collect(),
        ..Default::default()
    };
    client.sync_group(request).await.expect("it is a member").into_inner().assignment
}

fn heartbeat(group: &str, joined: &JoinGroupResponse) -> HeartbeatRequest {
    HeartbeatRequest {
        group_id: group.into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        ..Default::default()
    }
}

#[test]
fn two_members_share_and_one_goes() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        find(&mut client, "g").await;
        let first = join(client.clone(), "g", "").await;
        assert_eq!((first.leader_id.as_str(), first.members.len()), (first.member_id.as_str(), 1));
        assert_eq!(sync(client.clone(), "g", &first).await, format!("for {}", first.member_id));
        client.heartbeat(heartbeat("g", &first)).await.expect("it is known");

        let again = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let changing =
                client.clone().heartbeat(heartbeat("g", &first)).await.expect_err("another one joins");
            assert_eq!(changing.code(), Code::Aborted, "{changing:?}");
            join(client.clone(), "g", &first.member_id).await
        };
        let (second, first) = tokio::join!(join(client.clone(), "g", ""), again);
        assert_eq!(first.generation_id, second.generation_id);
        assert_eq!(first.members.len() + second.members.len(), 2, "the leader alone is told who is there");
        let shared = tokio::join!(sync(client.clone(), "g", &second), sync(client.clone(), "g", &first));
        assert_eq!(shared.0, format!("for {}", second.member_id));
        assert_eq!(shared.1, format!("for {}", first.member_id));

        let seen = client.describe_group(DescribeGroupRequest { group_id: "g".into() }).await;
        let seen = seen.expect("it is there").into_inner();
        assert_eq!((seen.state.as_str(), seen.r#type.as_str(), seen.members.len()), ("Stable", "classic", 2));
        assert_eq!(seen.protocol, "mine");
        let listed = client.list_groups(ListGroupsRequest::default()).await.expect("a list").into_inner();
        assert_eq!(listed.groups[0].group_id, "g");
        let member = LeavingMember { member_id: second.member_id.clone(), ..Default::default() };
        let request = LeaveGroupRequest { group_id: "g".into(), members: vec![member] };
        client.leave_group(request.clone()).await.expect("it goes");
        let unknown = client.leave_group(request).await.expect_err("it is gone");
        assert_eq!(unknown.code(), Code::NotFound, "{unknown:?}");
        let full = client.delete_group(DeleteGroupRequest { group_id: "g".into() }).await;
        assert_eq!(full.expect_err("somebody is in it").code(), Code::FailedPrecondition);
    });
}

#[test]
fn what_is_committed_outlives_a_kill_and_goes_with_its_group() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    let all = FetchOffsetRequest { group_id: "g".into(), ..Default::default() };
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        find(&mut client, "g").await;
        let offset =
            OffsetToCommit { topic: "t".into(), offset: 7, metadata: "so far".into(), ..Default::default() };
        let request =
            CommitOffsetRequest { group_id: "g".into(), offsets: vec![offset], ..Default::default() };
        client.commit_offset(request).await.expect("who is no member may commit for an empty group");
        let long = OffsetToCommit { topic: "t".into(), metadata: "x".repeat(5_000), ..Default::default() };
        let request = CommitOffsetRequest { group_id: "g".into(), offsets: vec![long], ..Default::default() };
        let refused = client.commit_offset(request).await.expect_err("the note is too long");
        assert_eq!(refused.code(), Code::InvalidArgument);
    });
    node.kill();
    node.restart();
    block_on(async {
        let mut client = client(&node).await;
        let found = client.fetch_offset(all.clone()).await.expect("it is there").into_inner().offsets;
        assert_eq!(
            (found[0].topic.as_str(), found[0].offset, found[0].metadata.as_str()),
            ("t", 7, "so far")
        );
        let of = |partition| TopicPartition { topic: "t".into(), partition };
        let some = FetchOffsetRequest { partitions: vec![of(0), of(3)], ..all.clone() };
        let found = client.fetch_offset(some).await.expect("an answer for each").into_inner().offsets;
        assert_eq!(found.iter().map(|found| found.offset).collect::<Vec<_>>(), [7, -1]);
        let forget =
            |group_id: &str| DeleteOffsetRequest { group_id: group_id.into(), partitions: vec![of(0)] };
        let forgotten = client.delete_offset(forget("g")).await.expect("nobody reads it").into_inner();
        assert_eq!((forgotten.partitions[0].topic.as_str(), &forgotten.partitions[0].error), ("t", &None));
        let found =
            client.fetch_offset(all.clone()).await.expect("nothing is an answer").into_inner().offsets;
        assert_eq!(found, []);
        let unknown = client.delete_offset(forget("nobody")).await.expect_err("there is no such group");
        assert_eq!(unknown.code(), Code::NotFound, "{unknown:?}");
        let nothing = DeleteOffsetRequest { group_id: "g".into(), partitions: Vec::new() };
        let refused = client.delete_offset(nothing).await.expect_err("of which partitions?");
        assert_eq!(refused.code(), Code::InvalidArgument);
        client.delete_group(DeleteGroupRequest { group_id: "g".into() }).await.expect("it is empty");
        let found = client.fetch_offset(all).await.expect("nothing is an answer").into_inner().offsets;
        assert_eq!(found, []);
        let gone = client.describe_group(DescribeGroupRequest { group_id: "g".into() }).await;
        assert_eq!(gone.expect_err("it is gone").code(), Code::NotFound);
    });
}
