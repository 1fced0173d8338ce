//! Which cluster is asked, and for how long: what is said on the command line, in the environment and in the profiles, the
//! first of these that says it.

use crate::profile::{self, Profiles};
use crate::time::parse_duration;
use crate::trouble::Trouble;
use clap::Args;
use rust_mq_client::admin::Admin;
use rust_mq_client::{Client, ClientSettings, Error, To, grpc};
use std::time::Duration;

/// The variable that names nodes.
const BROKERS: &str = "RUST_MQ_BROKERS";
/// Where a broker is that was started without a word.
const DEFAULT_BROKERS: &str = "127.0.0.1:9092";
/// How long a connection may take. Source: chosen, a far-away host answers in a tenth of it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Which cluster.
#[derive(Clone, Debug, Args)]
pub struct Connection {
    /// Some nodes of the cluster; the first that answers tells of the others [default: 127.0.0.1:9092]
    ///
    /// Without it RUST_MQ_BROKERS, then a profile.
    #[arg(long, short = 'b', value_name = "HOST:PORT,...", global = true, help_heading = "Connection")]
    pub brokers: Option<String>,
    /// The cluster of that name in ~/.config/rust-mq/profiles.yaml
    ///
    /// Without it RUST_MQ_PROFILE, then the file's `current`.
    #[arg(long, value_name = "NAME", global = true, help_heading = "Connection", conflicts_with = "brokers")]
    pub profile: Option<String>,
    /// How long to go on trying before giving up
    #[arg(long, value_name = "DURATION", global = true, help_heading = "Connection", default_value = "15s", value_parser = parse_duration)]
    pub timeout: Duration,
}

impl Connection {
    /// A client of the cluster, which has answered.
    pub async fn client(&self) -> Result<Client, Trouble> {
        let brokers = self.addresses()?;
        let wrong = |error: Error| Trouble::of(format!("the brokers `{brokers}` cannot be asked"), &error);
        let mut settings = ClientSettings::new(&brokers).map_err(wrong)?;
        settings.client_id = "rust-mq".into();
        settings.connect_timeout = CONNECT_TIMEOUT.min(self.timeout);
        settings.call_timeout = self.timeout.max(settings.call_timeout);
        settings.deadline = self.timeout;
        let attempts = settings.bootstrap.len();
        let client = Client::with(settings).map_err(wrong)?;
        // Whoever waits at a terminal wants to know at once that nobody is there.
        let mut heard = Ok(());
        for _ in 0..attempts {
            heard =
                client.ask_once(To::Anyone, grpc::DescribeClusterRequest {}, self.timeout).await.map(drop);
            if !matches!(heard, Err(Error::Unreachable { .. })) {
                break;
            }
        }
        heard.map_err(|error| Trouble::of("the cluster was not reached", &unanswered(error)))?;
        Ok(client)
    }

    /// An administrator of the cluster, which has answered.
    pub async fn admin(&self) -> Result<Admin, Trouble> {
        Ok(Admin::new(self.client().await?))
    }

    fn addresses(&self) -> Result<String, Trouble> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let file = || profile::default_path().map_or(Ok(Profiles::default()), |path| Profiles::read(&path));
        chosen(
            self.brokers.clone(),
            self.profile.clone(),
            variable(BROKERS),
            variable(profile::VARIABLE),
            file,
        )
    }
}

/// Nothing can have come of a question to which nobody has answered, if it was only whether anybody does.
fn unanswered(error: Error) -> Error {
    match error {
        Error::Unreachable { node, why, .. } => Error::Unreachable { node, why, was_sent: false },
        other => other,
    }
}

/// Flags win over variables, these over the file; of two of a kind, addresses win.
fn chosen(
    brokers: Option<String>,
    profile: Option<String>,
    brokers_variable: Option<String>,
    profile_variable: Option<String>,
    file: impl Fn() -> Result<Profiles, Trouble>,
) -> Result<String, Trouble> {
    if let Some(brokers) = brokers {
        return Ok(brokers);
    }
    if profile.is_none()
        && let Some(brokers) = brokers_variable
    {
        return Ok(brokers);
    }
    let named = profile.or(profile_variable);
    Ok(file()?.brokers(named.as_deref())?.unwrap_or_else(|| DEFAULT_BROKERS.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_variables_and_these_over_the_file() {
        let text = "current: a\nprofiles: { a: { brokers: [\"a:1\"] }, b: { brokers: [\"b:1\"] } }";
        let file = || Ok(serde_saphyr::from_str(text).expect("the file is good"));
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        for ([brokers, profile, brokers_variable, profile_variable], expected) in [
            (["x:1", "", "y:1", "b"], "x:1"),
            (["", "b", "y:1", "a"], "b:1"),
            (["", "", "y:1", "b"], "y:1"),
            (["", "", "", "b"], "b:1"),
            (["", "", "", ""], "a:1"),
        ] {
            let chosen =
                chosen(said(brokers), said(profile), said(brokers_variable), said(profile_variable), file);
            assert_eq!(chosen, Ok(expected.to_owned()));
        }
        let nothing = chosen(None, None, None, None, || Ok(Profiles::default()));
        assert_eq!(nothing, Ok(DEFAULT_BROKERS.to_owned()));
    }
}
