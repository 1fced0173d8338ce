//! A process from its command line to its end: what was said becomes a configuration, sockets are bound, the
//! disk is opened, the loop runs, the core's last word becomes the exit code.
//!
//! Four lines tell a person what they need: version and mode, addresses, how long it took, what to type next.

use crate::clients::Clients;
use crate::clock::Clock;
use crate::cluster_file::{ClusterFile, HostPort, Mistake};
use crate::command_line::{CommandLine, NodeArguments, OtherCommand};
use crate::descriptors::Descriptors;
use crate::disk::{DirectoryError, Disk, MemoryDisk, RealDisk};
use crate::limits::{BUFFER_RESERVE_MAX, PARTITIONS_RESERVE_MAX};
use crate::log::{self, NoticeLog};
use crate::memory_limit;
use crate::node::{Node, Wait};
use crate::peers::Peers;
use crate::questions::Questions;
use crate::{dev_cluster, signals};
use rust_mq_core::action::HaltReason;
use rust_mq_core::broker::Broker;
use rust_mq_core::config::{Config, Member, StorageConfig};
use rust_mq_core::connection::request_bytes_max;
use rust_mq_core::ids::NodeId;
use rust_mq_core::link::Address;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;

/// Why a process ends without having been asked to. Each is one clear line.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration file.
    #[error(transparent)]
    ClusterFile(#[from] Mistake),
    /// An address that is none.
    #[error("{flag}: {reason}")]
    Address {
        /// The flag or key.
        flag: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Others could reach the node, and nothing would stop them.
    #[error(
        "{address} can be reached from other machines, and there is no encryption and no login yet: \
         choose a loopback address, or say {how}"
    )]
    Insecure {
        /// The address.
        address: SocketAddr,
        /// How to do it all the same.
        how: &'static str,
    },
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}: {error}")]
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

/// What a node shall do.
struct Plan {
    config: Config,
    api: SocketAddr,
    rpc: Option<SocketAddr>,
    data: Option<PathBuf>,
    scrub_bytes_per_second: u64,
}

/// Runs what the command line says. `started` is when the process did.
pub fn run(said: CommandLine, started: Instant) -> Result<(), Failure> {
    if let Some(OtherCommand::DevCluster { data }) = said.command {
        return Ok(dev_cluster::run(&data)?);
    }
    let plan = match &said.node.config {
        Some(path) => plan_member(&ClusterFile::read(path)?, &said.node)?,
        None => plan_alone(&said.node)?,
    };
    log::start(said.node.log_format);
    end_with_any_thread();
    run_node(plan, started)
}

fn plan_alone(said: &NodeArguments) -> Result<Plan, Failure> {
    let api = resolve("--listen", &said.listen)?;
    refuse_strangers(api, said.insecure, "--insecure")?;
    let advertised = match &said.advertise {
        Some(text) => Some(parse_address("--advertise", text)?),
        None => None,
    };
    let memory_limit = said.memory_limit.unwrap_or_else(memory_limit::default_limit);
    let config = Config { listeners: vec![advertised], memory_limit, ..Config::default() };
    Ok(Plan { config, api, rpc: None, data: said.data.clone(), scrub_bytes_per_second: said.scrub_rate })
}

fn plan_member(file: &ClusterFile, said: &NodeArguments) -> Result<Plan, Failure> {
    let api = resolve("api_addr", &file.api_addr.value.0.to_string())?;
    let rpc = resolve("rpc_addr", &file.rpc_addr.value.0.to_string())?;
    for address in [api, rpc] {
        refuse_strangers(address, file.insecure, "insecure: true in the file")?;
    }
    let memory_limit = said.memory_limit.unwrap_or_else(memory_limit::default_limit);
    let config = Config { memory_limit, secrets: file.secrets()?, ..file.config() };
    let (data, scrub_bytes_per_second) = (Some(file.storage_path.clone()), said.scrub_rate);
    Ok(Plan { config, api, rpc: Some(rpc), data, scrub_bytes_per_second })
}

fn run_node(plan: Plan, started: Instant) -> Result<(), Failure> {
    let Plan { mut config, api, rpc, data, scrub_bytes_per_second } = plan;
    config.data_dir = data.as_ref().map(|data| data.display().to_string()).unwrap_or_default();
    let mode = match &data {
        None => "one node in memory".to_owned(),
        Some(path) if config.is_single() => format!("one node on {}", path.display()),
        Some(path) => format!("{} of {} on {}", config.node, config.members.len(), path.display()),
    };
    config.budget_bytes = match &data {
        None => (config.memory_limit / 4).min(BUFFER_RESERVE_MAX),
        Some(_) => config.memory_limit / 2,
    };
    let memory_limit = memory_limit::show(config.memory_limit);
    let largest_request = memory_limit::show(request_bytes_max(config.budget_bytes) as u64);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), mode, memory_limit, largest_request, "rust-mq");
    let memory_only = data.is_none().then_some(config.memory_limit);
    let wait = Wait::new()?;
    let descriptors = Descriptors::of_this_process();
    let disk = match &data {
        None => {
            let partitions = (config.memory_limit / 8).min(PARTITIONS_RESERVE_MAX);
            let capacity = config.memory_limit - config.budget_bytes - partitions;
            config.storage = in_memory(capacity);
            Disk::Memory(MemoryDisk::new(capacity))
        }
        Some(path) => {
            let disk = RealDisk::open(path, wait.waker(), descriptors.segments)?;
            config.storage = on_disk(config.memory_limit, free_bytes_floor(path)?);
            config.storage.scrub_bytes_per_second = scrub_bytes_per_second;
            Disk::Real(disk)
        }
    };
    let listener = bind(api)?;
    let bound = listener.local_addr()?;
    let rpc = rpc.map(bind).transpose()?;
    let peers_address = rpc.as_ref().map(TcpListener::local_addr).transpose()?;
    if config.is_single() {
        config.members = vec![alone(&config, bound)];
    }
    tracing::info!(kafka = %bound, peers = peers_address.map(tracing::field::display), "listening");

    let clock = Clock::new();
    let questions = Arc::new(Questions::new(wait.waker()));
    let beside = start_beside(&questions)?;
    let peers =
        rpc.map(|listener| Peers::start(listener, beside, wait.waker(), descriptors.peers)).transpose()?;
    let clients = Clients::new(listener, wait.registry()?, clock, descriptors.clients, wait.waker())?;
    let hint = format!("try: echo hello | kcat -P -b {} -t greetings", reachable(&config, bound));
    let node = Node {
        broker: Broker::new(config, draw_seed()?),
        disk,
        clients,
        peers,
        questions,
        clock,
        log: NoticeLog::new(started, hint, memory_only),
        wait,
    };
    ended(node.run()?)
}

/// What the reason of a halt means for whoever started the process.
fn ended(reason: HaltReason) -> Result<(), Failure> {
    match reason {
        HaltReason::Stopped => {
            tracing::info!("stopped");
            Ok(())
        }
        HaltReason::StoppedUnclean => Err(Failure::Halted(
            "stopped, but the disk did not finish what it was given in time; what was acknowledged is on it, and \
             the next start replays its journal"
                .into(),
        )),
        HaltReason::DiskFailed { reason } => Err(Failure::Halted(format!(
            "the disk failed, so what it holds is no longer known; nothing more was acknowledged: {reason}"
        ))),
        HaltReason::Undecodable { reason } => Err(Failure::Halted(format!(
            "what the log holds cannot be read by this build (it is newer, or damaged): {reason}"
        ))),
        HaltReason::CannotStart { reason } => Err(Failure::Halted(format!("cannot start: {reason}"))),
    }
}

/// The thread beside the core thread: signals, and peers if there are any.
fn start_beside(questions: &Arc<Questions>) -> io::Result<Handle> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let questions = Arc::clone(questions);
    std::thread::Builder::new().name("peers".into()).spawn(move || {
        if let Err(error) = runtime.block_on(signals::watch(questions)) {
            panic!("signals cannot be received: {error}");
        }
    })?;
    Ok(handle)
}

/// A panic on any thread ends the process: a node without one of its lanes is no node.
fn end_with_any_thread() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        std::process::exit(101);
    }));
}

fn resolve(flag: &'static str, text: &str) -> Result<SocketAddr, Failure> {
    let wrong = |reason: String| Failure::Address { flag, reason };
    // The system's own words for a missing port are "invalid socket address".
    HostPort::try_from(text.to_owned()).map_err(wrong)?;
    let mut found = text.to_socket_addrs().map_err(|error| wrong(format!("`{text}`: {error}")))?;
    found.next().ok_or_else(|| wrong(format!("`{text}` has no address")))
}

fn parse_address(flag: &'static str, text: &str) -> Result<Address, Failure> {
    match HostPort::try_from(text.to_owned()) {
        Ok(HostPort(address)) => Ok(address),
        Err(reason) => Err(Failure::Address { flag, reason }),
    }
}

fn refuse_strangers(address: SocketAddr, is_insecure: bool, how: &'static str) -> Result<(), Failure> {
    if address.ip().to_canonical().is_loopback() || is_insecure {
        return Ok(());
    }
    Err(Failure::Insecure { address, how })
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| Failure::Bind { address, error })
}

/// The one member of single mode.
fn alone(config: &Config, bound: SocketAddr) -> Member {
    Member { node: NodeId(config.node.0), api: reachable(config, bound), rpc: Address::default() }
}

/// Where a client on this machine reaches the node.
fn reachable(config: &Config, bound: SocketAddr) -> Address {
    if let Some(Some(advertised)) = config.listeners.first() {
        return advertised.clone();
    }
    let host = if bound.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { bound.ip() };
    Address { host: host.to_string(), port: bound.port() }
}

/// Sizes that leave most of a small memory disk to data: the ring holds what it was given until it comes round.
fn in_memory(capacity: u64) -> StorageConfig {
    let whole = StorageConfig::default();
    let share = capacity / 8;
    StorageConfig {
        // What was removed lives on in the journal until its file comes round: small files do so soon. A frame that
        // is larger than a file gets one of its own.
        journal_file_bytes: (share / 2).clamp(1 << 20, 2 * whole.frame_bytes_max) / 4096 * 4096,
        checkpoint_bytes: whole.checkpoint_bytes.min(share),
        segment_bytes: whole.segment_bytes.min(share),
        tail_bytes_max: whole.tail_bytes_max.min(share),
        free_bytes_floor: whole.free_bytes_floor.min(capacity / 16),
        free_bytes_short: capacity / 4,
        ..whole
    }
}

/// Sizes by which what is in memory of a disk's data fits the limit.
fn on_disk(memory_limit: u64, free_bytes_floor: u64) -> StorageConfig {
    let whole = StorageConfig::default();
    let share = memory_limit / 8;
    StorageConfig {
        checkpoint_bytes: whole.checkpoint_bytes.min(share),
        tail_bytes_max: whole.tail_bytes_max.min(share),
        window_kept_bytes_max: whole.window_kept_bytes_max.min(share),
        free_bytes_floor,
        free_bytes_short: 2 * free_bytes_floor,
        ..whole
    }
}

/// Free space below which records are refused: max(2 %, 512 MiB), at most 5 GiB; 16 MiB of a small volume.
fn free_bytes_floor(path: &Path) -> Result<u64, Failure> {
    let volume = rustix::fs::statvfs(path).map_err(io::Error::from)?;
    let total = volume.f_blocks.saturating_mul(volume.f_frsize);
    Ok(if total < 2 << 30 { 16 << 20 } else { (total / 50).clamp(512 << 20, 5 << 30) })
}

fn draw_seed() -> io::Result<u64> {
    let mut seed = [0; 8];
    rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty())?;
    Ok(u64::from_ne_bytes(seed))
}
