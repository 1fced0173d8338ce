//! `rust-mq config describe|set|unset`: settings of the running cluster. (`config show` and `example`, which look at a node's
//! own file, are the node's.)
//!
//! Whose settings is one word: `topic/orders`, `broker/1`, `broker` for what all have together, `group/payments`.

use crate::Ending;
use crate::connection::Connection;
use crate::output::Output;
use crate::setting;
use crate::table::{Column, Table};
use crate::trouble::Trouble;
use clap::{Args, Subcommand};
use rust_mq_client::admin::{Admin, Change, Documented, Setting, SettingSource, Settings};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// What can be done with settings of a cluster.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum ConfigVerb {
    /// Show settings of a topic, a node or a group in the running cluster
    Describe(DescribeArguments),
    /// Change settings in the running cluster
    Set(SetArguments),
    /// Give settings in the running cluster their defaults back
    Unset(UnsetArguments),
}

/// Show settings of a topic, a node or a group in the running cluster
///
/// rust-mq config describe topic/orders
/// rust-mq config describe broker/1 retention.ms --docs
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct DescribeArguments {
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    /// How to answer.
    #[command(flatten)]
    pub output: Output,
    /// Whose: topic/NAME, broker/ID, broker for what all nodes have together, or group/ID
    #[arg(value_name = "WHOSE")]
    pub whose: Whose,
    /// Which settings; all if none is said
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Only those that are not at their default
    #[arg(long)]
    pub changed: bool,
    /// Say what each of them does
    #[arg(long)]
    pub docs: bool,
}

/// Change settings in the running cluster
///
/// rust-mq config set topic/orders retention.ms=3600000
/// rust-mq config set broker log.retention.ms=3600000     of all nodes
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct SetArguments {
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    /// How to answer.
    #[command(flatten)]
    pub output: Output,
    /// Whose: topic/NAME, broker/ID, broker for what all nodes have together, or group/ID
    #[arg(value_name = "WHOSE")]
    pub whose: Whose,
    /// Settings and their new values
    #[arg(value_name = "NAME=VALUE", required = true, value_parser = setting::parse)]
    pub settings: Vec<(String, String)>,
    /// Only say what would come of it
    #[arg(long)]
    pub dry_run: bool,
}

/// Give settings in the running cluster their defaults back
///
/// rust-mq config unset topic/orders retention.ms
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct UnsetArguments {
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    /// How to answer.
    #[command(flatten)]
    pub output: Output,
    /// Whose: topic/NAME, broker/ID, broker for what all nodes have together, or group/ID
    #[arg(value_name = "WHOSE")]
    pub whose: Whose,
    /// Settings
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    /// Only say what would come of it
    #[arg(long)]
    pub dry_run: bool,
}

/// Whose settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose(Settings);

/// What has no settings.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` has no settings: say topic/NAME, broker/ID, broker (all of them) or group/ID")]
pub struct BadWhose(String);

impl FromStr for Whose {
    type Err = BadWhose;

    fn from_str(text: &str) -> Result<Whose, BadWhose> {
        let (kind, name) = text.split_once('/').unwrap_or((text, ""));
        let settings = match (kind, name) {
            ("broker" | "node", "") => Settings::AllNodes,
            ("broker" | "node", id) => Settings::Node(id.parse().map_err(|_| BadWhose(text.to_owned()))?),
            ("topic", name) if !name.is_empty() => Settings::Topic(name.to_owned()),
            ("group", id) if !id.is_empty() => Settings::Group(id.to_owned()),
            _ => return Err(BadWhose(text.to_owned())),
        };
        Ok(Whose(settings))
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Settings::Topic(name) => write!(out, "topic/{name}"),
            Settings::Node(id) => write!(out, "broker/{id}"),
            Settings::AllNodes => write!(out, "broker"),
            Settings::Group(id) => write!(out, "group/{id}"),
        }
    }
}

/// A setting, as programs read it.
#[derive(Serialize)]
pub struct Shown {
    name: String,
    value: Option<String>,
    source: &'static str,
    is_read_only: bool,
    is_sensitive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    documentation: Option<String>,
}

impl From<Setting> for Shown {
    fn from(setting: Setting) -> Shown {
        Shown {
            source: source(setting.source),
            name: setting.name,
            value: setting.value,
            is_read_only: setting.is_read_only,
            is_sensitive: setting.is_sensitive,
            documentation: setting.documentation,
        }
    }
}

const SETTINGS: &[Column] = &[
    Column::text("SETTING"),
    Column::text("VALUE"),
    Column::text("SOURCE"),
    Column::text("READ-ONLY").wide(),
];
const DOCUMENTED: &[Column] =
    &[Column::text("SETTING"), Column::text("VALUE"), Column::text("SOURCE"), Column::text("WHAT IT DOES")];

/// Settings for people.
pub fn table(settings: &[Setting]) -> Table {
    Table::new(SETTINGS).rows(settings.iter().map(|setting| {
        let read_only = if setting.is_read_only { "yes" } else { "no" };
        [setting.name.clone(), value(setting), source(setting.source).to_owned(), read_only.to_owned()]
    }))
}

fn documented(settings: &[Setting]) -> Table {
    Table::new(DOCUMENTED).rows(settings.iter().map(|setting| {
        let docs = setting.documentation.clone().unwrap_or_default();
        [setting.name.clone(), value(setting), source(setting.source).to_owned(), docs]
    }))
}

fn value(setting: &Setting) -> String {
    if setting.is_sensitive { "(hidden)".into() } else { setting.value.clone().unwrap_or_default() }
}

fn source(source: SettingSource) -> &'static str {
    match source {
        SettingSource::Topic => "topic",
        SettingSource::Group => "group",
        SettingSource::Node => "broker",
        SettingSource::AllNodes => "all brokers",
        SettingSource::Configuration => "configuration",
        SettingSource::Default => "default",
        SettingSource::Unknown => "unknown",
    }
}

#[derive(Serialize)]
struct Described {
    whose: String,
    configs: Vec<Shown>,
}

#[derive(Serialize)]
struct Altered {
    whose: String,
    status: &'static str,
}

const ALTERED: &[Column] = &[Column::text("WHOSE"), Column::text("STATUS")];

/// Does it.
pub async fn run(verb: ConfigVerb) -> Result<Ending, Trouble> {
    match verb {
        ConfigVerb::Describe(said) => {
            let admin = said.connection.admin().await?;
            describe(&admin, &said).await
        }
        ConfigVerb::Set(said) => {
            let changes = said.settings.into_iter().map(|(name, value)| Change::Set(name, value)).collect();
            let admin = said.connection.admin().await?;
            alter(&admin, &said.output, &said.whose, changes, said.dry_run).await
        }
        ConfigVerb::Unset(said) => {
            let changes = said.names.into_iter().map(Change::Unset).collect();
            let admin = said.connection.admin().await?;
            alter(&admin, &said.output, &said.whose, changes, said.dry_run).await
        }
    }
}

async fn describe(admin: &Admin, said: &DescribeArguments) -> Result<Ending, Trouble> {
    let docs = if said.docs { Documented::Yes } else { Documented::No };
    let names: Vec<&str> = said.names.iter().map(String::as_str).collect();
    let settings = admin.settings(&said.whose.0, &names, docs).await;
    let untold = |error| Trouble::of(format!("the settings of {} were not told", said.whose), &error);
    let mut settings = settings.map_err(untold)?;
    if let Some(unknown) = said.names.iter().find(|name| settings.iter().all(|known| known.name != **name)) {
        let why = format!("{} has none of that name", said.whose);
        let remedy = format!("`rust-mq config describe {}` shows all", said.whose);
        return Err(Trouble::failed(format!("there is no setting `{unknown}`"), why, remedy));
    }
    settings.retain(|setting| !said.changed || setting.source != SettingSource::Default);
    let table = if said.docs { documented(&settings) } else { table(&settings) };
    let configs = settings.into_iter().map(Shown::from).collect();
    said.output.answer(&Described { whose: said.whose.to_string(), configs }, &[table])?;
    Ok(Ending::Fine)
}

async fn alter(
    admin: &Admin,
    output: &Output,
    whose: &Whose,
    changes: Vec<Change>,
    is_trial: bool,
) -> Result<Ending, Trouble> {
    let altered = admin.change_settings(&whose.0, &changes, is_trial).await;
    altered.map_err(|error| Trouble::of(format!("the settings of {whose} were not changed"), &error))?;
    let status = if is_trial { "would be altered" } else { "altered" };
    let table = Table::new(ALTERED).rows([[whose.to_string(), status.to_owned()]]);
    output.answer(&Altered { whose: whose.to_string(), status }, &[table])?;
    Ok(Ending::Fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_settings_is_one_word() {
        for text in ["topic/a.b", "topic/a/b", "broker/1", "broker", "group/my group"] {
            assert_eq!(text.parse::<Whose>().map(|whose| whose.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("broker/".parse(), Ok(Whose(Settings::AllNodes)));
        for text in ["", "orders", "topic", "topic/", "broker/x", "group/", "user/1"] {
            assert_eq!(text.parse::<Whose>(), Err(BadWhose(text.into())));
        }
    }
}
