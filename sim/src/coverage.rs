//! Which functions of the core no run has entered: a build of the simulator that counts (LLVM's source-based coverage)
//! searches for a while, and what its counters say is put together by function. Generic code counts as entered if any
//! of its instances was; closures and what `derive` writes are left out.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// What is asked about, below the folder of the workspace.
const SOURCES: &str = "core/src/";
/// As `.cargo/config.toml` has it, which this variable replaces, and the counters.
const FLAGS: &str = "--cfg madsim -C instrument-coverage";

/// A function by file and line.
type Place = (String, u64);

/// Searches from `seed` on for so many hours with counters in the code. The report.
///
/// # Errors
/// A tool is missing or fails.
pub fn hunted(seed: u64, hours: f64) -> io::Result<String> {
    let target = Path::new("target/coverage");
    let profiles = target.join("profiles");
    if profiles.exists() {
        fs::remove_dir_all(&profiles)?;
    }
    let build = ["build", "--release", "-p", "sim", "--target-dir"];
    done(Command::new("cargo").args(build).arg(target).env("RUSTFLAGS", FLAGS))?;
    let binary = target.join("release/sim");
    let (seed, hours) = (seed.to_string(), hours.to_string());
    let mut hunt = Command::new(&binary);
    hunt.args(["--seed", &seed, "hunt", "--hours", &hours, "--folder"]).arg(target.join("hunt"));
    // Red plans are stored by the search, and no reason not to look at what it has entered.
    hunt.env("LLVM_PROFILE_FILE", profiles.join("%p.profraw")).status()?;
    report(&binary, &profiles)
}

/// The report on the runs of a `binary` with counters, which has left them in the folder `profiles`.
///
/// # Errors
/// A tool is missing or fails.
pub fn report(binary: &Path, profiles: &Path) -> io::Result<String> {
    let tools = tools()?;
    let merged = profiles.join("merged");
    let raw: Vec<PathBuf> = fs::read_dir(profiles)?
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| {
            path.as_ref().map_or(true, |path| path.extension().is_some_and(|end| end == "profraw"))
        })
        .collect::<io::Result<_>>()?;
    done(Command::new(tools.join("llvm-profdata")).arg("merge").args(raw).arg("-o").arg(&merged))?;
    let mut export = Command::new(tools.join("llvm-cov"));
    export.args(["export", "--skip-expansions", "--instr-profile"]).arg(&merged).arg(binary);
    let output = export.output()?;
    if !output.status.success() {
        return Err(failed(&export));
    }
    let export = serde_json::from_slice(&output.stdout)?;
    text(&entered(&export, &std::env::current_dir()?))
}

/// Where the compiler's LLVM tools are.
fn tools() -> io::Result<PathBuf> {
    let output = Command::new("rustc").args(["--print", "target-libdir"]).output()?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let tools = libraries.with_file_name("bin");
    let words = "llvm-cov is not there; `rustup component add llvm-tools` installs it";
    if tools.join("llvm-cov").exists() { Ok(tools) } else { Err(io::Error::other(words)) }
}

fn done(command: &mut Command) -> io::Result<()> {
    if command.status()?.success() { Ok(()) } else { Err(failed(command)) }
}

fn failed(command: &Command) -> io::Error {
    io::Error::other(format!("{} failed", command.get_program().display()))
}

/// For each function of the sources, how often it was entered. `export` is what `llvm-cov export` prints, of a build in
/// the folder `root`.
fn entered(export: &Value, root: &Path) -> BTreeMap<Place, u64> {
    let mut entered = BTreeMap::new();
    let functions = export["data"].as_array().into_iter().flatten();
    for function in functions.flat_map(|data| data["functions"].as_array().into_iter().flatten()) {
        let file = Path::new(function["filenames"][0].as_str().unwrap_or_default());
        let file = file.strip_prefix(root).unwrap_or(file).to_string_lossy();
        // The first region is the whole of it: line, column, line, column, count, ...
        let (Some(line), Some(count)) = (function["regions"][0][0].as_u64(), function["count"].as_u64())
        else {
            continue;
        };
        if file.starts_with(SOURCES) {
            *entered.entry((file.into_owned(), line)).or_default() += count;
        }
    }
    entered
}

fn text(entered: &BTreeMap<Place, u64>) -> io::Result<String> {
    let mut sources: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let (mut all, mut missed) = (0, Vec::new());
    for ((file, line), count) in entered {
        if !sources.contains_key(file.as_str()) {
            let lines = fs::read_to_string(file)?.lines().map(str::to_owned).collect();
            sources.insert(file, lines);
        }
        let head =
            usize::try_from(*line).ok().and_then(|line| sources[file.as_str()].get(line.checked_sub(1)?));
        let Some(name) = head.and_then(|head| function_of(head)) else { continue };
        all += 1;
        if *count == 0 {
            missed.push(format!("{file}:{line} {name}"));
        }
    }
    missed.push(format!("{} of {all} functions of {SOURCES} were entered by no run", missed.len()));
    Ok(missed.join("\n"))
}

/// The name in the line that a function begins with; none for a closure.
fn function_of(head: &str) -> Option<&str> {
    let (before, after) = head.split_once("fn ")?;
    let is_head = before.is_empty() || before.ends_with(' ');
    let name = after.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next()?;
    (is_head && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn instances_of_a_function_count_together_and_other_sources_not_at_all() {
        let function = |file: &str, line: u64, count: u64| json!({"filenames": [file], "regions": [[line, 1, line + 2, 2, count]], "count": count});
        let export = json!({"data": [{"functions": [
            function("/w/core/src/a.rs", 3, 0),
            function("/w/core/src/a.rs", 3, 5),
            function("/w/core/src/a.rs", 9, 0),
            function("/w/sim/src/a.rs", 1, 0),
        ]}]});
        let entered = entered(&export, Path::new("/w"));
        let counts: Vec<u64> = entered.values().copied().collect();
        assert_eq!(counts, [5, 0]);
        assert!(entered.keys().all(|(file, _)| file == "core/src/a.rs"));
    }

    #[test]
    fn a_function_is_named_by_its_first_line() {
        for (head, name) in [
            ("    pub(super) fn begin(", Some("begin")),
            ("fn next_batch<T>(of: T) -> T {", Some("next_batch")),
            ("    .map(|batch| batch.fn_count)", None),
            ("#[derive(Clone)]", None),
        ] {
            assert_eq!(function_of(head), name, "{head}");
        }
    }
}
