//! What a node shall do, its addresses resolved: what `start` carries out and `check` only looks at. And why a process ends
//! without having been asked to.

use crate::configuration::listener::Listener;
use crate::configuration::mistake::Mistake;
use crate::configuration::source::Source;
use crate::configuration::{Configuration, Placed};
use crate::disk::DirectoryError;
use rust_mq_core::config::Config;
use rust_mq_core::link::Address;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;

/// What a node shall do, its addresses resolved.
#[derive(Debug)]
pub struct Plan {
    /// What the core is told, but for what only the machine knows.
    pub config: Config,
    /// Where it serves clients: the name of each listener and its address, in the order of the core's.
    pub listeners: Vec<(String, SocketAddr)>,
    /// Where it serves other nodes.
    pub rpc: Option<SocketAddr>,
    /// Where it is watched over HTTP.
    pub admin: Option<SocketAddr>,
    /// Where it keeps data; otherwise in memory.
    pub data: Option<PathBuf>,
    /// How fast to read through cold data.
    pub scrub_bytes_per_second: u64,
}

/// Why a process ends without having been asked to. Each is one clear line.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What the user has said.
    #[error(transparent)]
    Configuration(#[from] Mistake),
    /// An address that is none here.
    #[error("{setting}: {reason}\n  choose an address of this machine, such as 127.0.0.1:9092")]
    Address {
        /// The setting, and where it was said.
        setting: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Others could reach the node, and nothing would stop them.
    #[error(
        "{address} can be reached from other machines, and there is no encryption and no login yet\n  choose a \
         loopback address, or say --insecure, `insecure: true` in the file, or RUST_MQ_INSECURE=true"
    )]
    Insecure {
        /// The address.
        address: SocketAddr,
    },
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}: {error}\n  stop what listens there, or choose another address")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's words.
        error: io::Error,
    },
    /// The data directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The core stopped the node.
    #[error("{0}")]
    Halted(String),
    /// Anything else of the system.
    #[error("{0}")]
    System(#[from] io::Error),
}

impl Failure {
    /// The code that the process ends with: 2 where its command line is at fault.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Configuration(mistake) if mistake.is_usage => 2,
            _ => 1,
        }
    }
}

impl Plan {
    /// What a node with this configuration does.
    pub fn of(configuration: &Configuration) -> Result<Plan, Failure> {
        let resolved = |listener: &Listener| {
            let address = resolve(&listener.to_string(), &listener.addr)?;
            Ok((listener.name.clone(), address))
        };
        let listeners = configuration.listeners.iter().map(resolved).collect::<Result<Vec<_>, Failure>>()?;
        let rpc = configuration.rpc_addr.as_ref().map(|rpc| resolve("rpc_addr", rpc)).transpose()?;
        let admin =
            configuration.admin_addr.as_ref().map(|admin| resolve("admin_addr", admin)).transpose()?;
        for address in listeners.iter().map(|(_, address)| *address).chain(rpc).chain(admin) {
            if !address.ip().to_canonical().is_loopback() && !configuration.insecure {
                return Err(Failure::Insecure { address });
            }
        }
        let config = Config { secrets: configuration.secrets()?, ..configuration.config() };
        let data = configuration.storage_path.clone();
        Ok(Plan { config, listeners, rpc, admin, data, scrub_bytes_per_second: configuration.scrub_rate })
    }

    /// What kind of node it is, in a few words.
    pub fn mode(&self) -> String {
        match &self.data {
            None => "one node in memory".to_owned(),
            Some(path) if self.config.is_single() => format!("one node on {}", path.display()),
            Some(path) => {
                format!("{} of {} on {}", self.config.node, self.config.members.len(), path.display())
            }
        }
    }
}

fn resolve(key: &str, said: &Placed<Address>) -> Result<SocketAddr, Failure> {
    let text = said.value.to_string();
    let setting = match &said.source {
        Source::Flag(flag) => (*flag).to_owned(),
        source => format!("{key} ({source})"),
    };
    let wrong = |reason: String| Failure::Address { setting: setting.clone(), reason };
    let mut found = text.to_socket_addrs().map_err(|error| wrong(format!("`{text}`: {error}")))?;
    found.next().ok_or_else(|| wrong(format!("`{text}` has no address")))
}

/// Where clients are served, as people write it: `outer://127.0.0.1:9092`.
pub fn written(listeners: &[(String, SocketAddr)]) -> String {
    let one = |(name, address): &(String, SocketAddr)| match name.as_str() {
        "" => address.to_string(),
        name => format!("{name}://{address}"),
    };
    listeners.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Takes an address.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| Failure::Bind { address, error })
}
