//! Who takes part: each client with the folder of `tests/interop` that holds its program, and how that is made ready
//! to run. What is fetched is pinned there and kept in the cache folder, one folder a client, with a copy of what it was
//! made from: another pin, another fetch.

use crate::binary::cargo_build;
use crate::programs::{cache, demand, demand_as, environment, lock, succeed};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// After so long a member of a classic group that is silent is gone: as the clients' programs ask for it, and the
/// least that a broker grants.
const SESSION: Duration = Duration::from_secs(6);
/// The same of a group of KIP-848, where the broker says it: the least of its bounds, which is its default.
const BROKERS_SESSION: Duration = Duration::from_secs(45);

/// What the program is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    /// `package-lock.json`, `play.js`, and `stage.js` beside the folder.
    Node,
    /// `go.mod`, `go.sum`, `play.go`, and the module `stage-go`.
    Go,
    /// `Play.java`, and the folder within that has the `pom.xml`.
    Java(&'static str),
    /// `requirements.txt`, `play.py`, and `stage.py` beside the folder.
    Python,
    /// An example of this package.
    Rust,
    /// `play.sh` drives Debian's kcat.
    Kcat,
    /// `play.sh` drives Java programs that `pom.xml` names.
    Tools,
}

/// A client.
#[derive(Debug)]
pub struct Entry {
    /// What the matrix calls it.
    pub name: &'static str,
    /// How long the group waits for one of its members that is silent.
    pub session: Duration,
    folder: &'static str,
    language: Language,
    /// Which group protocol, where the program knows two.
    more: &'static [&'static str],
}

const fn classic(name: &'static str, folder: &'static str, language: Language) -> Entry {
    Entry { name, session: SESSION, folder, language, more: &["classic"] }
}

const fn consumer(name: &'static str, folder: &'static str, language: Language) -> Entry {
    Entry { name, session: BROKERS_SESSION, folder, language, more: &["consumer"] }
}

/// All clients, in the order of the matrix.
pub const ROSTER: [Entry; 17] = [
    classic("kcat", "kcat", Language::Kcat),
    classic("confluent-kafka", "confluent-kafka", Language::Python),
    consumer("confluent-kafka-848", "confluent-kafka", Language::Python),
    classic("kafka-python", "kafka-python", Language::Python),
    classic("aiokafka", "aiokafka", Language::Python),
    classic("kafkajs", "kafkajs", Language::Node),
    classic("platformatic", "platformatic", Language::Node),
    consumer("platformatic-848", "platformatic", Language::Node),
    classic("java-3.9", "java", Language::Java("3.9")),
    classic("java-4.4", "java", Language::Java("4.4")),
    consumer("java-4.4-848", "java", Language::Java("4.4")),
    classic("franz-go", "franz-go", Language::Go),
    consumer("franz-go-848", "franz-go", Language::Go),
    classic("sarama", "sarama", Language::Go),
    classic("kafka-go", "kafka-go", Language::Go),
    classic("rskafka", "rskafka", Language::Rust),
    classic("kafka-tools", "kafka-tools", Language::Tools),
];

/// How a client's program is started.
#[derive(Clone, Debug)]
pub struct Launch {
    words: Vec<PathBuf>,
    more: &'static [&'static str],
}

impl Launch {
    /// The command that starts it against these brokers.
    pub fn command(&self, bootstrap: &str) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).arg(bootstrap).args(self.more);
        command
    }
}

impl Entry {
    /// Of the roster, by its name.
    pub fn named(name: &str) -> Option<&'static Entry> {
        ROSTER.iter().find(|entry| entry.name == name)
    }

    /// Whether it is Kafka's own command line tools, which can do more.
    pub fn is_tools(&self) -> bool {
        self.language == Language::Tools
    }

    /// Installs what it needs, unless an earlier run did.
    pub fn ready(&self) -> Launch {
        let source = interop().join(self.folder);
        let words = match self.language {
            Language::Node => node(&source, self.folder),
            Language::Go => go(&source, self.folder),
            Language::Java(release) => java(&source, release),
            Language::Python => {
                let pins = fs::read_to_string(source.join("requirements.txt")).expect("it is committed");
                vec![environment(&pins.lines().collect::<Vec<_>>()), source.join("play.py")]
            }
            Language::Rust => {
                let profile = cargo_build(&["-p", "tests", "--example", "interop-rskafka"]);
                vec![profile.join("examples/interop-rskafka")]
            }
            Language::Kcat => {
                demand("kcat");
                vec!["bash".into(), source.join("play.sh")]
            }
            Language::Tools => {
                let jars = jars(&source.join("pom.xml"), &cache().join("interop-kafka-tools"));
                vec!["bash".into(), source.join("play.sh"), jars]
            }
        };
        Launch { words, more: self.more }
    }
}

fn interop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop")
}

/// A folder of the cache is as `from` says, or is made so by `make`, from nothing.
fn made(folder: &Path, from: &str, make: impl FnOnce()) {
    let _guard = lock();
    let complete = folder.join("complete");
    if fs::read_to_string(&complete).is_ok_and(|text| text == from) {
        return;
    }
    // There may be none.
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("the cache folder can be written");
    make();
    fs::write(complete, from).expect("the cache folder can be written");
}

/// Node looks for its packages above the program, so that is copied to where they are.
fn node(source: &Path, name: &str) -> Vec<PathBuf> {
    demand_as("node", "nodejs");
    demand_as("npm", "npm");
    let folder = cache().join(format!("interop-{name}"));
    let lock = fs::read_to_string(source.join("package-lock.json")).expect("it is committed");
    let copy = |from: &Path| {
        let to = folder.join(from.file_name().expect("it is a file"));
        fs::copy(from, to).expect("the cache folder can be written");
    };
    made(&folder, &lock, || {
        copy(&source.join("package.json"));
        copy(&source.join("package-lock.json"));
        let mut install = Command::new("npm");
        install.args(["ci", "--ignore-scripts", "--silent", "--no-audit", "--no-fund"]).current_dir(&folder);
        succeed(install, "npm could not fetch the client");
    });
    copy(&source.join("play.js"));
    copy(&interop().join("stage.js"));
    vec!["node".into(), folder.join("play.js")]
}

/// Go keeps what it fetched and built itself.
fn go(source: &Path, name: &str) -> Vec<PathBuf> {
    demand_as("go", "golang-go");
    let folder = cache().join(format!("interop-{name}"));
    fs::create_dir_all(&folder).expect("the cache folder can be written");
    let program = folder.join("play");
    let mut build = Command::new("go");
    build
        .args(["build", "-mod=readonly", "-buildvcs=false", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(source);
    let _guard = lock();
    succeed(build, "go could not build the client");
    vec![program]
}

fn java(source: &Path, release: &str) -> Vec<PathBuf> {
    demand_as("javac", "default-jdk-headless");
    let folder = cache().join(format!("interop-java-{release}"));
    let jars = jars(&source.join(release).join("pom.xml"), &folder.join("libraries"));
    let program = fs::read_to_string(source.join("Play.java")).expect("it is committed");
    let classes = folder.join("classes");
    made(&classes, &program, || {
        let mut compile = Command::new("javac");
        compile.arg("-cp").arg(jars.join("*")).arg("-d").arg(&classes).arg(source.join("Play.java"));
        succeed(compile, "javac could not compile the client");
    });
    let path = format!("{}/*:{}", jars.display(), classes.display());
    // Quick to start and small: there are up to four beside each other.
    let words = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx192m", "-cp", &path, "Play"];
    words.iter().map(PathBuf::from).collect()
}

/// The folder with what `pom` names, and all that it needs.
fn jars(pom: &Path, folder: &Path) -> PathBuf {
    demand_as("mvn", "maven");
    let text = fs::read_to_string(pom).expect("it is committed");
    made(folder, &text, || {
        fs::copy(pom, folder.join("pom.xml")).expect("the cache folder can be written");
        let mut fetch = Command::new("mvn");
        fetch.args(["-q", "-B", "--strict-checksums", "dependency:copy-dependencies"]);
        fetch.args(["-DincludeScope=runtime", "-DoutputDirectory=jars"]).current_dir(folder);
        succeed(fetch, "Maven could not fetch the client");
    });
    folder.join("jars")
}
