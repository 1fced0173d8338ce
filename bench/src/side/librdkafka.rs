//! librdkafka's own load generator, `rdkafka_performance`, from the source that the package `rdkafka-sys` carries: Cargo
//! fetches it and looks that it is what the registry says, the machine's C compiler builds it. Without TLS and SASL,
//! which nothing here speaks.

use super::artifacts::missing;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The package, whose librdkafka is 2.12.
const PACKAGE: &str = "rdkafka-sys = \"=4.10.0\"";

/// Where it is, fetched and built if need be.
pub fn performance(cache: &Path) -> io::Result<PathBuf> {
    let folder = cache.join("librdkafka");
    let source = folder.join("vendor/rdkafka-sys/librdkafka");
    let program = source.join("examples/rdkafka_performance");
    if program.exists() {
        return Ok(program);
    }
    eprintln!("fetching and building librdkafka");
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "")?;
    fs::write(
        folder.join("Cargo.toml"),
        format!(
            "[package]\nname = \"peer\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[dependencies]\n{PACKAGE}\n[workspace]\n"
        ),
    )?;
    done(Command::new("cargo").args(["vendor", "vendor"]).current_dir(&folder))?;
    let without = ["--disable-sasl", "--disable-ssl", "--disable-curl"];
    done(Command::new("./configure").args(without).current_dir(&source))?;
    done(Command::new("make").args(["-C", "src"]).current_dir(&source))?;
    done(Command::new("make").args(["-C", "examples", "rdkafka_performance"]).current_dir(&source))?;
    Ok(program)
}

fn done(command: &mut Command) -> io::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let output = output.map_err(|error| missing(&program, &error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr))))
}
