//! Settings: told, and changed while the broker runs.

use crate::{block_on, client, create};
use rust_mq_proto::grpc::{
    AlterConfigsRequest, ConfigChange, ConfigChanges, ConfigOperation, ConfigResource, ConfigSource,
    DescribeConfigsRequest, ResourceType,
};
use tests::node::Node;
use tonic::Code;

fn change(name: &str, operation: ConfigOperation, value: Option<&str>) -> AlterConfigsRequest {
    let change =
        ConfigChange { name: name.into(), operation: operation as i32, value: value.map(str::to_owned) };
    let resource =
        ConfigChanges { r#type: ResourceType::Topic as i32, name: "t".into(), changes: vec![change] };
    AlterConfigsRequest { resources: vec![resource], validate_only: false }
}

#[test]
fn a_setting_is_changed_told_and_taken_back() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let resource = ConfigResource {
            r#type: ResourceType::Topic as i32,
            name: "t".into(),
            keys: vec!["retention.ms".into()],
        };
        let request = DescribeConfigsRequest {
            resources: vec![resource],
            include_synonyms: true,
            include_documentation: true,
        };
        let steps = [
            (None, "604800000", ConfigSource::Default),
            (Some((ConfigOperation::Set, Some("1000000"))), "1000000", ConfigSource::Topic),
            (Some((ConfigOperation::Delete, None)), "604800000", ConfigSource::Default),
        ];
        for (step, value, source) in steps {
            if let Some((operation, value)) = step {
                client.alter_configs(change("retention.ms", operation, value)).await.expect("it is changed");
            }
            let told = client.describe_configs(request.clone()).await.expect("it is told").into_inner();
            let config = &told.resources[0].configs[0];
            assert_eq!((config.name.as_str(), config.value.as_deref()), ("retention.ms", Some(value)));
            assert_eq!(config.source(), source);
            assert!(!config.documentation.is_empty() && !config.synonyms.is_empty());
        }
        let bad = client.alter_configs(change("retention.ms", ConfigOperation::Set, Some("soon"))).await;
        assert_eq!(bad.expect_err("it is no number").code(), Code::InvalidArgument);
        let mut nothing = request;
        nothing.resources[0].r#type = 0;
        let refused = client.describe_configs(nothing).await.expect_err("settings of what?");
        assert_eq!(refused.code(), Code::InvalidArgument);
    });
}
