//! Settings. The numbers of their enums are Kafka's.

use super::Misuse;
use super::error::{self, Asked};
use super::misuse::known;
use crate::grpc::{
    AlterConfigsRequest, AlterConfigsResponse, ChangedResource, Config, ConfigOperation, ConfigSource,
    ConfigSynonym, DescribeConfigsRequest, DescribeConfigsResponse, Error, ResourceConfigs, ResourceType,
};
use crate::kafka::api::{describe_configs, incremental_alter_configs};

/// The version of DescribeConfigs that is spoken.
pub const DESCRIBE_CONFIGS: i16 = 4;
/// The version of IncrementalAlterConfigs that is spoken.
pub const ALTER_CONFIGS: i16 = 1;

/// Asks for settings.
///
/// # Errors
/// It does not say of what.
pub fn to_describe(
    request: DescribeConfigsRequest,
) -> Result<describe_configs::DescribeConfigsRequest, Misuse> {
    let resources = request.resources.into_iter().map(|resource| {
        Ok(describe_configs::DescribeConfigsResource {
            resource_type: kind(resource.r#type)?,
            resource_name: resource.name,
            configuration_keys: (!resource.keys.is_empty()).then_some(resource.keys),
        })
    });
    Ok(describe_configs::DescribeConfigsRequest {
        resources: resources.collect::<Result<_, Misuse>>()?,
        include_synonyms: request.include_synonyms,
        include_documentation: request.include_documentation,
    })
}

/// What they are.
///
/// # Errors
/// The one resource was refused.
pub fn described(
    answer: describe_configs::DescribeConfigsResponse,
) -> Result<DescribeConfigsResponse, Error> {
    let resources = answer.results.into_iter().map(|result| ResourceConfigs {
        r#type: i32::from(result.resource_type),
        name: result.resource_name,
        configs: result.configs.into_iter().map(config).collect(),
        error: error::error(Asked::Read, result.error_code, result.error_message),
    });
    let resources: Vec<ResourceConfigs> = resources.collect();
    error::if_alone(resources.iter().map(|resource| resource.error.as_ref()))?;
    Ok(DescribeConfigsResponse { resources })
}

/// Changes settings.
///
/// # Errors
/// It does not say of what, or how.
pub fn to_alter(
    request: AlterConfigsRequest,
) -> Result<incremental_alter_configs::IncrementalAlterConfigsRequest, Misuse> {
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
            configs: changes.collect::<Result<_, Misuse>>()?,
        });
    }
    Ok(incremental_alter_configs::IncrementalAlterConfigsRequest {
        resources,
        validate_only: request.validate_only,
    })
}

/// What became of them.
pub fn altered(answer: incremental_alter_configs::IncrementalAlterConfigsResponse) -> AlterConfigsResponse {
    let resources = answer.responses.into_iter().map(|changed| ChangedResource {
        r#type: i32::from(changed.resource_type),
        name: changed.resource_name,
        error: error::error(Asked::Change, changed.error_code, changed.error_message),
    });
    AlterConfigsResponse { resources: resources.collect() }
}

fn kind(number: i32) -> Result<i8, Misuse> {
    match known(ResourceType::try_from(number), "type")? {
        ResourceType::Unspecified => Err(Misuse::NoResourceType),
        ResourceType::Topic => Ok(2),
        ResourceType::Broker => Ok(4),
        ResourceType::Group => Ok(32),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::ConfigResource;

    #[test]
    fn the_numbers_of_resources_are_kafkas() {
        let asked = |number| {
            let resources = vec![ConfigResource { r#type: number, ..Default::default() }];
            let asked = to_describe(DescribeConfigsRequest { resources, ..Default::default() })?;
            Ok::<_, Misuse>(i32::from(asked.resources[0].resource_type))
        };
        for kind in [ResourceType::Topic, ResourceType::Broker, ResourceType::Group] {
            assert_eq!(asked(kind as i32), Ok(kind as i32));
        }
        assert_eq!(asked(0), Err(Misuse::NoResourceType));
        assert!(matches!(asked(3), Err(Misuse::Unknown { field: "type", .. })));
    }
}
