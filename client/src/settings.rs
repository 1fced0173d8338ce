//! What a client of the cluster is told: where to begin, what to call itself, how patient to be.

use crate::machine::backoff::Pauses;
use crate::machine::error::Error;
use std::time::Duration;

/// What every connection and every call goes by. Begin with [`ClientSettings::new`] and change what is to be different.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// `host:port` of some nodes: the first that answers tells of the others.
    pub bootstrap: Vec<String>,
    /// How the client calls itself, for the logs of the nodes and in groups.
    pub client_id: String,
    /// How long a connection may take until it stands. 5 s.
    pub connect_timeout: Duration,
    /// How long one call may take, unless it says how long it waits. 30 s.
    pub call_timeout: Duration,
    /// How long something is tried again before its last error comes back. 60 s.
    pub deadline: Duration,
    /// The first pause between two attempts, and the longest, between which it doubles. 50 ms and 1 s; each is made up to a
    /// fifth longer or shorter by chance, so that clients do not come back all at once.
    pub pauses: Pauses,
}

impl ClientSettings {
    /// The defaults, for a comma-separated list of `host:port`.
    ///
    /// # Errors
    /// [`Error::Unusable`] if it names no node, or one without a port.
    pub fn new(bootstrap: &str) -> Result<ClientSettings, Error> {
        let named = bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty());
        let bootstrap: Vec<String> = named.map(str::to_owned).collect();
        let has_port = |address: &&String| {
            address
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        if let Some(wrong) = bootstrap.iter().find(|address| !has_port(address)) {
            return Err(Error::unusable(format!("`{wrong}` is no address: write host:port")));
        }
        if bootstrap.is_empty() {
            return Err(Error::unusable("no address of a node: write host:port,host:port"));
        }
        Ok(ClientSettings {
            bootstrap,
            client_id: "rust-mq-client".into(),
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(30),
            deadline: Duration::from_secs(60),
            pauses: Pauses::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_when_they_are_said() {
        let said = ClientSettings::new(" a:1, [::1]:2,,").expect("two addresses");
        assert_eq!(said.bootstrap, ["a:1", "[::1]:2"]);
        for wrong in ["", ",", "a", "a:", ":1", "a:70000", "a:1,b"] {
            assert!(matches!(ClientSettings::new(wrong), Err(Error::Unusable { .. })), "{wrong}");
        }
    }
}
