//! A process from its command line to its end: what was said becomes a configuration, sockets are bound, the
//! disk is opened, the loop runs, the core's last word becomes the exit code.
//!
//! Four lines tell a person what they need: version and mode, addresses, how long it took, what to type next.

use crate::admin::Admin;
use crate::clients::Clients;
use crate::clock::Clock;
use crate::command_line::{CommandLine, ConfigCommand, NodeArguments, OtherCommand};
use crate::configuration::mistake::Mistake;
use crate::configuration::{Configuration, example, show};
use crate::counts::Counts;
use crate::descriptors::Descriptors;
use crate::disk::{Disk, MemoryDisk, RealDisk};
use crate::grpc::Grpc;
use crate::limits::{BUFFER_RESERVE_MAX, PARTITIONS_RESERVE_MAX};
use crate::log::{self, LogFormat, NoticeLog};
use crate::log_levels::NODE;
use crate::memory_limit;
use crate::node::{Node, Wait};
use crate::output::print;
use crate::peers::Peers;
use crate::plan::{Failure, Plan, bind, written};
use crate::questions::Questions;
use crate::reload::Reload;
use crate::{check, dev_cluster, generate, signals};
use rust_mq_core::action::HaltReason;
use rust_mq_core::broker::Broker;
use rust_mq_core::config::{Config, Member, StorageConfig};
use rust_mq_core::connection::request_bytes_max;
use rust_mq_core::ids::NodeId;
use rust_mq_core::link::Address;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;

/// How a process has ended that failed.
#[derive(Debug)]
pub struct Ended {
    /// Why.
    pub why: Failure,
    /// How its log looks, as far as it came to know it.
    pub log_format: Option<LogFormat>,
}

/// Runs what the command line says, and gives the exit code. `started` is when the process began.
pub fn run(said: CommandLine, started: Instant) -> Result<ExitCode, Ended> {
    let plain = |why: Failure| Ended { why, log_format: None };
    let done = match said.command {
        Some(OtherCommand::Verb(verb)) => return Ok(rust_mq_cli::run(verb)),
        Some(OtherCommand::Config(ConfigCommand::OfCluster(verb))) => {
            return Ok(rust_mq_cli::run_config(verb));
        }
        Some(OtherCommand::DevCluster { data }) => {
            dev_cluster::run(&data).map_err(|error| plain(error.into()))
        }
        Some(OtherCommand::Generate(what)) => generate::run(&what).map_err(|error| plain(error.into())),
        Some(OtherCommand::Config(ConfigCommand::Example)) => {
            print(&example::text()).map_err(|error| plain(error.into()))
        }
        Some(OtherCommand::Config(ConfigCommand::Show(shown))) => {
            let configuration = read(&shown.node).map_err(|mistake| plain(mistake.into()))?;
            print(&show::shown(&configuration, shown.format)).map_err(|error| plain(error.into()))
        }
        None => {
            let configuration = read(&said.node).map_err(|mistake| plain(mistake.into()))?;
            let log_format = configuration.log_format;
            let done = match said.check {
                true => check::run(&configuration),
                false => run_as(configuration, said.node, started),
            };
            done.map_err(|why| Ended { why, log_format })
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn read(said: &NodeArguments) -> Result<Configuration, Mistake> {
    Configuration::read(said.config.as_deref(), std::env::vars_os(), said.flags())
}

fn run_as(configuration: Configuration, said: NodeArguments, started: Instant) -> Result<(), Failure> {
    let plan = Plan::of(&configuration)?;
    let set_levels = log::start(configuration.log_format, &configuration.log_levels);
    end_with_any_thread();
    let reload = Reload::new(configuration, set_levels, move || read(&said));
    run_node(plan, reload, started)
}

fn run_node(plan: Plan, reload: Reload, started: Instant) -> Result<(), Failure> {
    let mode = plan.mode();
    let Plan { mut config, mut listeners, rpc, admin, data, scrub_bytes_per_second } = plan;
    config.data_dir = data.as_ref().map(|data| data.display().to_string()).unwrap_or_default();
    config.budget_bytes = match &data {
        None => (config.memory_limit / 4).min(BUFFER_RESERVE_MAX),
        Some(_) => config.memory_limit / 2,
    };
    let memory_limit = memory_limit::show(config.memory_limit);
    let largest_request = memory_limit::show(request_bytes_max(config.budget_bytes) as u64);
    tracing::info!(target: NODE, version = env!("CARGO_PKG_VERSION"), mode, memory_limit, largest_request, "rust-mq");
    let memory_only = data.is_none().then_some(config.memory_limit);
    let wait = Wait::new()?;
    let descriptors = Descriptors::of_this_process();
    config.storage.scrub_bytes_per_second = scrub_bytes_per_second;
    let disk = opened(&mut config, data.as_deref(), &wait, &descriptors)?;
    let sockets = bind_all(&mut listeners)?;
    let bound = listeners[0].1;
    let rpc = rpc.map(bind).transpose()?;
    let peers_address = rpc.as_ref().map(TcpListener::local_addr).transpose()?;
    let admin = admin.map(bind).transpose()?;
    let admin_address = admin.as_ref().map(TcpListener::local_addr).transpose()?;
    if config.is_single() {
        config.members = vec![alone(&config, bound)];
    }
    tracing::info!(
        target: NODE,
        kafka = written(&listeners),
        peers = peers_address.map(tracing::field::display),
        admin = admin_address.map(tracing::field::display),
        "listening"
    );

    let clock = Clock::new();
    let questions = Arc::new(Questions::new(wait.waker()));
    let counts = Arc::new(Counts::default());
    let beside = start_beside(&questions, reload)?;
    if let Some(listener) = admin {
        let admin = Admin::new(config.node, Arc::clone(&questions), Arc::clone(&counts), started);
        admin.serve(listener, &beside)?;
    }
    let peers =
        rpc.map(|listener| Peers::start(listener, beside, wait.waker(), descriptors.peers)).transpose()?;
    let grpc = Grpc::new(wait.waker(), Arc::clone(&questions), config.memory_limit);
    let clients = Clients::new(sockets, wait.registry()?, clock, descriptors.clients, grpc)?;
    let hint = format!("try: echo hello | rust-mq produce greetings -b {}", reachable(&config, bound));
    let node = Node {
        broker: Broker::new(config, draw_seed()?),
        disk,
        clients,
        peers,
        questions,
        counts,
        clock,
        log: NoticeLog::new(started, hint, memory_only),
        wait,
    };
    ended(node.run()?)
}

/// The disk, and in the configuration what of it the core must know.
fn opened(
    config: &mut Config,
    data: Option<&Path>,
    wait: &Wait,
    descriptors: &Descriptors,
) -> Result<Disk, Failure> {
    let Some(path) = data else {
        let partitions = (config.memory_limit / 8).min(PARTITIONS_RESERVE_MAX);
        let grpc = Grpc::memory_bytes(config.memory_limit);
        let capacity = config.memory_limit - config.budget_bytes - partitions - grpc;
        config.storage = in_memory(capacity);
        return Ok(Disk::Memory(MemoryDisk::new(capacity)));
    };
    let disk = RealDisk::open(path, wait.waker(), descriptors.segments)?;
    let scrub_bytes_per_second = config.storage.scrub_bytes_per_second;
    let storage = on_disk(config.memory_limit, free_bytes_floor(path)?);
    config.storage = StorageConfig { scrub_bytes_per_second, ..storage };
    Ok(Disk::Real(disk))
}

/// Takes the addresses of all listeners; port 0 becomes the one that was free.
fn bind_all(listeners: &mut [(String, SocketAddr)]) -> Result<Vec<TcpListener>, Failure> {
    let mut bound = Vec::new();
    for (_, address) in listeners {
        let listener = bind(*address)?;
        *address = listener.local_addr()?;
        bound.push(listener);
    }
    Ok(bound)
}

/// What the reason of a halt means for whoever started the process.
fn ended(reason: HaltReason) -> Result<(), Failure> {
    match reason {
        HaltReason::Stopped => {
            tracing::info!(target: NODE, "stopped");
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
fn start_beside(questions: &Arc<Questions>, reload: Reload) -> io::Result<Handle> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let questions = Arc::clone(questions);
    std::thread::Builder::new().name("peers".into()).spawn(move || {
        if let Err(error) = runtime.block_on(signals::watch(questions, Arc::new(reload))) {
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
