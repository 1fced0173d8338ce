//! The foreign programs that are let loose on the broker: Debian's kcat, two Python clients in an environment
//! of their own, which is made on first use and kept in the cache folder; gRPC for Python and for Node, likewise; and strace, which makes its system
//! calls fail.
//!
//! Invariant: no program runs longer than the time it is given.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// The Python clients under test, pinned: confluent-kafka carries the newest librdkafka, kafka-python is a
/// client of its own.
const PYTHON_CLIENTS: [&str; 5] = [
    "confluent-kafka==2.16.1",
    "kafka-python==3.0.12",
    "python-snappy==0.7.3",
    "lz4==4.4.5",
    "zstandard==0.25.0",
];

/// The gRPC library for Python, and the generator of its stubs, pinned.
const PYTHON_GRPC: [&str; 2] = ["grpcio==1.76.0", "grpcio-tools==1.76.0"];

/// The gRPC library for Node, and its loader of `.proto` files, pinned.
const NODE_GRPC: [&str; 2] = ["@grpc/grpc-js@1.14.7", "@grpc/proto-loader@0.8.0"];

/// How long a program may take unless a test says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a program left behind.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended; nothing if it was killed for taking too long.
    pub status: Option<ExitStatus>,
    /// What it wrote to stdout.
    pub output: String,
    /// What it wrote to stderr.
    pub errors: String,
}

impl Outcome {
    /// Its output, if it ended well; otherwise the test fails with all it wrote.
    #[track_caller]
    pub fn expect_success(self, what: &str) -> String {
        let is_good = self.status.is_some_and(|status| status.success());
        assert!(is_good, "{what}: {:?}\nstdout:\n{}\nstderr:\n{}", self.status, self.output, self.errors);
        self.output
    }
}

/// Runs `command` with `input` on its stdin, for at most `patience`.
pub fn run(mut command: Command, input: &[u8], patience: Duration) -> Outcome {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_owned();
    // A program may end without reading all of it.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = collect(child.stdout.take().expect("stdout is piped"));
    let errors = collect(child.stderr.take().expect("stderr is piped"));
    let status = wait(&mut child, patience);
    writer.join().expect("the writer does not panic");
    let text = |reader: thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&reader.join().expect("the reader does not panic")).into_owned()
    };
    Outcome { status, output: text(output), errors: text(errors) }
}

fn collect(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before the pipe broke is what there is.
        let _ = stream.read_to_end(&mut bytes);
        bytes
    })
}

fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("our own child can be waited for") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    // It may have ended in this very moment.
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// A command of kcat, installed if it is missing and we may.
pub fn kcat() -> Command {
    static PRESENT: OnceLock<()> = OnceLock::new();
    PRESENT.get_or_init(|| demand("kcat"));
    Command::new("kcat")
}

/// A command of Debian's Prometheus.
pub fn prometheus() -> Command {
    static PRESENT: OnceLock<()> = OnceLock::new();
    PRESENT.get_or_init(|| demand("prometheus"));
    Command::new("prometheus")
}

/// A command of the checker that comes with it.
pub fn promtool() -> Command {
    static PRESENT: OnceLock<()> = OnceLock::new();
    PRESENT.get_or_init(|| demand_as("promtool", "prometheus"));
    Command::new("promtool")
}

/// What to start a broker under so that strace makes its system calls fail, each by a rule of strace's own:
/// `pwritev:error=ENOSPC:when=20`. A rule counts for each thread by itself. The broker stays our own child.
pub fn strace(rules: &[&str]) -> Vec<String> {
    static PRESENT: OnceLock<()> = OnceLock::new();
    PRESENT.get_or_init(|| demand("strace"));
    let mut words: Vec<String> =
        ["strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null"].map(String::from).to_vec();
    let calls: Vec<&str> = rules.iter().filter_map(|rule| rule.split(':').next()).collect();
    words.extend(["-e".into(), format!("trace={}", calls.join(","))]);
    for rule in rules {
        words.extend(["-e".into(), format!("inject={rule}")]);
    }
    words
}

/// Debian's package of that name is there; it is installed if it is missing and we may.
pub(crate) fn demand(program: &str) {
    demand_as(program, program);
}

/// The same, of a package with another name.
pub(crate) fn demand_as(program: &str, package: &str) {
    let _guard = lock();
    if !is_there(program) {
        let install = ["install", "-y", "-q", package];
        let is_installed = apt_get(&install) || (apt_get(&["update", "-q"]) && apt_get(&install));
        assert!(
            is_installed && is_there(program),
            "this test needs {program}: sudo apt-get install {package}"
        );
    }
}

fn is_there(program: &str) -> bool {
    // What a version is asked for differs; that it can be started is what counts.
    Command::new(program).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

fn apt_get(arguments: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A command that runs `tests/python/<script>` where the Python clients are installed.
pub fn python(script: &str) -> Command {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(PYTHON.get_or_init(|| environment(&PYTHON_CLIENTS)));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script));
    command
}

/// A command that runs `tests/python/<script>` where gRPC is installed.
pub fn python_grpc(script: &str) -> Command {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(PYTHON.get_or_init(|| environment(&PYTHON_GRPC)));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script));
    command
}

/// A command that runs `tests/node/<script>` where gRPC is installed. Node itself is installed if it is missing and we
/// may.
pub fn node_grpc(script: &str) -> Command {
    static MODULES: OnceLock<PathBuf> = OnceLock::new();
    let modules = MODULES.get_or_init(|| {
        demand_as("node", "nodejs");
        demand_as("npm", "npm");
        let _guard = lock();
        let name: String = NODE_GRPC.join("-").replace(['@', '/'], "-");
        let folder = cache().join(format!("node{name}"));
        if !folder.join("complete").exists() {
            fs::create_dir_all(&folder).expect("the cache folder can be written");
            let mut install = Command::new("npm");
            install.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(&folder);
            install.args(NODE_GRPC);
            succeed(install, "this test needs gRPC for Node, and npm could not fetch it");
            fs::write(folder.join("complete"), "").expect("the cache folder can be written");
        }
        folder.join("node_modules")
    });
    let mut command = Command::new("node");
    command.env("NODE_PATH", modules);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("node").join(script));
    command
}

/// The interpreter of an environment with these packages, which is made unless an earlier run finished doing so.
pub(crate) fn environment(packages: &[&str]) -> PathBuf {
    let _guard = lock();
    let name: String = packages.join("-").replace("==", "-");
    let folder = cache().join(format!("python-{name}"));
    let (python, done) = (folder.join("bin/python"), folder.join("complete"));
    if !done.exists() {
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&folder);
        succeed(make, "this test needs python3 with its venv module (Debian: apt-get install python3-venv)");
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
        succeed(install, "this test needs the Python clients, and pip could not fetch them");
        fs::write(&done, "").expect("the cache folder can be written");
    }
    python
}

pub(crate) fn succeed(command: Command, otherwise: &str) {
    let outcome = run(command, b"", Duration::from_secs(300));
    let is_good = outcome.status.is_some_and(|status| status.success());
    assert!(is_good, "{otherwise}:\n{}{}", outcome.output, outcome.errors);
}

pub(crate) fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let folder = base.unwrap_or_else(std::env::temp_dir).join("rust-mq-ci");
    fs::create_dir_all(&folder).expect("the cache folder can be made");
    folder
}

/// Only one test process installs at a time. The system lets go when the file is dropped.
pub(crate) fn lock() -> File {
    let file = File::create(cache().join("lock")).expect("the cache folder can be written");
    file.lock().expect("a file in the cache folder can be locked");
    file
}
