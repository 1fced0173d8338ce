//! Settings, in gRPC's words and in Kafka's. The numbers of their enums are Kafka's.

use super::call::Call;
use super::records::known;
use super::refusal::{self, Asked};
use super::topics::send_to_controller;
use rust_mq_proto::grpc::{
    AlterConfigsRequest, AlterConfigsResponse, ChangedResource, Config, ConfigOperation, ConfigSource,
    ConfigSynonym, DescribeConfigsRequest, DescribeConfigsResponse, ResourceConfigs, ResourceType,
};
use rust_mq_proto::kafka::api::{describe_configs, incremental_alter_configs};
use std::sync::Arc;
use tonic::Status;

const DESCRIBE_CONFIGS: i16 = 4;
const ALTER_CONFIGS: i16 = 1;

/// Tells settings.
pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeConfigsRequest,
) -> Result<DescribeConfigsResponse, Status> {
    let resources = request.resources.into_iter().map(|resource| {
        Ok(describe_configs::DescribeConfigsResource {
            resource_type: kind(resource.r#type)?,
            resource_name: resource.name,
            configuration_keys: (!resource.keys.is_empty()).then_some(resource.keys),
        })
    });
    let asked = describe_configs::DescribeConfigsRequest {
        resources: resources.collect::<Result<_, Status>>()?,
        include_synonyms: request.include_synonyms,
        include_documentation: request.include_documentation,
    };
    let answer = call.ask(DESCRIBE_CONFIGS, &asked).await?;
    let resources = answer.results.into_iter().map(|result| ResourceConfigs {
        r#type: i32::from(result.resource_type),
        name: result.resource_name,
        configs: result.configs.into_iter().map(config).collect(),
        error: refusal::error(Asked::Read, result.error_code, result.error_message),
    });
    let resources: Vec<ResourceConfigs> = resources.collect();
    refusal::if_alone(resources.iter().map(|resource| resource.error.as_ref()))?;
    Ok(DescribeConfigsResponse { resources })
}

/// Changes settings.
pub(super) async fn alter(
    call: Arc<Call>,
    request: AlterConfigsRequest,
) -> Result<AlterConfigsResponse, Status> {
    let mut resources = Vec::with_capacity(request.resources.len());
    for resource in request.resources {
        let changes = resource.changes.into_iter().map(|change| {
            let operation = known(ConfigOperation::try_from(change.operation), "operation")?;
            Ok(incremental_alter_configs::AlterableConfig {
                name: change.name,
                config_operation: match operation {
                    ConfigOperation::Set => 0,
                    ConfigOperation::Delete => 1,
                    ConfigOperation::Append => 2,
                    ConfigOperation::Subtract => 3,
                },
                value: change.value,
            })
        });
        resources.push(incremental_alter_configs::AlterConfigsResource {
            resource_type: kind(resource.r#type)?,
            resource_name: resource.name,
            configs: changes.collect::<Result<_, Status>>()?,
        });
    }
    let asked = incremental_alter_configs::IncrementalAlterConfigsRequest {
        resources,
        validate_only: request.validate_only,
    };
    let answer = call.ask(ALTER_CONFIGS, &asked).await?;
    let mut resources = Vec::with_capacity(answer.responses.len());
    for changed in answer.responses {
        let mut error = refusal::error(Asked::Change, changed.error_code, changed.error_message);
        send_to_controller(&call, &mut error).await;
        resources.push(ChangedResource {
            r#type: i32::from(changed.resource_type),
            name: changed.resource_name,
            error,
        });
    }
    refusal::if_alone(resources.iter().map(|resource| resource.error.as_ref()))?;
    Ok(AlterConfigsResponse { resources })
}

fn kind(number: i32) -> Result<i8, Status> {
    match known(ResourceType::try_from(number), "type")? {
        ResourceType::Unspecified => Err(Status::invalid_argument("settings of what? `type` is missing")),
        kind => i8::try_from(kind as i32).map_err(|_| Status::internal("Kafka's numbers fit a byte")),
    }
}

fn config(known: describe_configs::DescribeConfigsResourceResult) -> Config {
    let synonyms = known.synonyms.into_iter();
    Config {
        name: known.name,
        value: known.value,
        is_read_only: known.read_only,
        is_sensitive: known.is_sensitive,
        source: source(known.config_source) as i32,
        synonyms: synonyms
            .map(|synonym| ConfigSynonym {
                name: synonym.name,
                value: synonym.value,
                source: source(synonym.source) as i32,
            })
            .collect(),
        documentation: known.documentation.unwrap_or_default(),
    }
}

fn source(number: i8) -> ConfigSource {
    ConfigSource::try_from(i32::from(number)).unwrap_or(ConfigSource::Unspecified)
}
