//! `rust-mq dev-cluster`: three nodes on this machine, as three processes of this very program, with their logs
//! side by side, and a secret of its own. For trying things; a real cluster is started by whatever starts services.
//!
//! The nodes have process groups of their own, so that Ctrl-C reaches them once, from here.

use crate::limits::ACCEPT_PAUSE;
use crate::secrets;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio::signal::unix::{SignalKind, signal};

/// Where the example files look for the cluster's secret.
const SECRET: &str = "cluster.secret";

/// The three example files.
const FILES: [(&str, &str); 3] = [
    ("node-1.yaml", include_str!("../../docs/examples/cluster/node-1.yaml")),
    ("node-2.yaml", include_str!("../../docs/examples/cluster/node-2.yaml")),
    ("node-3.yaml", include_str!("../../docs/examples/cluster/node-3.yaml")),
];

/// Runs the cluster until all three have ended.
pub fn run(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    secrets::make(&directory.join(SECRET))?;
    let program = std::env::current_exe()?;
    let mut nodes = Vec::new();
    for (name, text) in FILES {
        let path = directory.join(name);
        if !path.exists() {
            std::fs::write(&path, text)?;
        }
        let mut child = Command::new(&program)
            .args(["--log-format", "human", "--config", name])
            .current_dir(directory)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let label = name.trim_end_matches(".yaml");
        println!("{label} | process {}, {}", child.id(), path.display());
        show(label, child.stdout.take());
        show(label, child.stderr.take());
        nodes.push((label, Some(child)));
    }
    println!("try: echo hello | rust-mq produce greetings -b 127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094");
    println!("     curl localhost:9644/metrics, 9645 and 9646: what each counts; /readyz: whether it serves");
    println!("     kill -9 one of the processes, and watch the others elect; Ctrl-C ends them all");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(watch(nodes))
}

/// Passes signals on to the nodes until none is left.
async fn watch(mut nodes: Vec<(&str, Option<Child>)>) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    while nodes.iter().any(|(_, node)| node.is_some()) {
        let is_signalled = tokio::select! {
            _ = terminate.recv() => true,
            _ = interrupt.recv() => true,
            _ = hangup.recv() => true,
            () = tokio::time::sleep(ACCEPT_PAUSE) => false,
        };
        for (label, node) in &mut nodes {
            let Some(child) = node else { continue };
            if let Some(status) = child.try_wait()? {
                println!("{label} | ended: {status}");
                *node = None;
            } else if is_signalled {
                kill_process(Pid::from_child(child), Signal::TERM)?;
            }
        }
    }
    Ok(())
}

fn show(label: &'static str, output: Option<impl Read + Send + 'static>) {
    let Some(output) = output else { return };
    // The thread ends with its node's output.
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            println!("{label} | {line}");
        }
    });
}
