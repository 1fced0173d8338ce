//! Settings of topics, nodes and groups: told, and changed while the cluster runs. `docs/settings.md` lists them.

use super::Admin;
use crate::client::To;
use crate::machine::error::Error;
use rust_mq_proto::grpc;

/// Whose settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Settings {
    /// A topic's, by its name.
    Topic(String),
    /// A node's, by its id.
    Node(i32),
    /// What all nodes have together.
    AllNodes,
    /// A group's, by its id.
    Group(String),
}

/// A setting and what holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value; none if it has none, or is a secret.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: SettingSource,
    /// Whether it cannot be changed while the cluster runs.
    pub is_read_only: bool,
    /// Whether its value is a secret.
    pub is_sensitive: bool,
    /// What it does, if that was asked for.
    pub documentation: Option<String>,
}

/// Whether to tell what each setting does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Documented {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingSource {
    /// The topic's own.
    Topic,
    /// The group's own.
    Group,
    /// The node's own, changed while it runs.
    Node,
    /// All nodes', changed while they run.
    AllNodes,
    /// The node's configuration.
    Configuration,
    /// The default.
    Default,
    /// Somewhere that this client does not know.
    Unknown,
}

/// A change of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Gives it this value.
    Set(String, String),
    /// Takes its value away: what holds without it holds again.
    Unset(String),
    /// Adds to a list.
    Append(String, String),
    /// Takes out of a list.
    Subtract(String, String),
}

impl Admin {
    /// Settings of one thing, by name: all, or those that are named.
    ///
    /// # Errors
    /// It is not there; no node answered.
    pub async fn settings(
        &self,
        of: &Settings,
        names: &[&str],
        documented: Documented,
    ) -> Result<Vec<Setting>, Error> {
        let (kind, name) = of.written();
        let keys = names.iter().map(|name| (*name).to_owned()).collect();
        let asked = grpc::DescribeConfigsRequest {
            resources: vec![grpc::ConfigResource { r#type: kind as i32, name: name.clone(), keys }],
            include_synonyms: false,
            include_documentation: documented == Documented::Yes,
        };
        let told = Admin::only(self.ask(of.place(), asked).await?.resources, &name)?;
        let mut settings: Vec<Setting> = told.configs.into_iter().map(setting).collect();
        settings.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(settings)
    }

    /// Changes settings of one thing: all that is said, or nothing. As a trial it only says what would come of it.
    ///
    /// # Errors
    /// INVALID_CONFIG for a name or a value that makes no sense.
    pub async fn change_settings(
        &self,
        of: &Settings,
        changes: &[Change],
        is_trial: bool,
    ) -> Result<(), Error> {
        let (kind, name) = of.written();
        let changes = changes.iter().map(written).collect();
        let asked = grpc::AlterConfigsRequest {
            resources: vec![grpc::ConfigChanges { r#type: kind as i32, name, changes }],
            validate_only: is_trial,
        };
        self.ask(To::Controller, asked).await.map(drop)
    }
}

impl Settings {
    fn written(&self) -> (grpc::ResourceType, String) {
        match self {
            Settings::Topic(name) => (grpc::ResourceType::Topic, name.clone()),
            Settings::Node(id) => (grpc::ResourceType::Broker, id.to_string()),
            Settings::AllNodes => (grpc::ResourceType::Broker, String::new()),
            Settings::Group(id) => (grpc::ResourceType::Group, id.clone()),
        }
    }

    /// Who tells them: a node knows its own.
    fn place(&self) -> To<'static> {
        match self {
            Settings::Node(id) => To::Node(*id),
            Settings::Topic(_) | Settings::AllNodes | Settings::Group(_) => To::Anyone,
        }
    }
}

fn setting(told: grpc::Config) -> Setting {
    let source = match told.source() {
        grpc::ConfigSource::Topic => SettingSource::Topic,
        grpc::ConfigSource::DynamicBroker => SettingSource::Node,
        grpc::ConfigSource::DynamicDefaultBroker => SettingSource::AllNodes,
        grpc::ConfigSource::StaticBroker => SettingSource::Configuration,
        grpc::ConfigSource::Default => SettingSource::Default,
        grpc::ConfigSource::Group => SettingSource::Group,
        grpc::ConfigSource::Unspecified
        | grpc::ConfigSource::BrokerLogger
        | grpc::ConfigSource::ClientMetrics => SettingSource::Unknown,
    };
    Setting {
        name: told.name,
        value: told.value,
        source,
        is_read_only: told.is_read_only,
        is_sensitive: told.is_sensitive,
        documentation: Some(told.documentation).filter(|text| !text.is_empty()),
    }
}

fn written(change: &Change) -> grpc::ConfigChange {
    let (name, operation, value) = match change {
        Change::Set(name, value) => (name, grpc::ConfigOperation::Set, Some(value)),
        Change::Unset(name) => (name, grpc::ConfigOperation::Delete, None),
        Change::Append(name, value) => (name, grpc::ConfigOperation::Append, Some(value)),
        Change::Subtract(name, value) => (name, grpc::ConfigOperation::Subtract, Some(value)),
    };
    grpc::ConfigChange { name: name.clone(), operation: operation as i32, value: value.cloned() }
}
