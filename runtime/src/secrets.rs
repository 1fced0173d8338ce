//! The cluster's secrets, from a file of their own. Nothing here shows one: a mistake names the file and what is wrong,
//! never the line.

use crate::limits::SECRET_FILE_BYTES_MAX;
use rust_mq_core::config::{Secret, SecretFault, Secrets};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

fn secrets<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Secrets, SecretFault> {
    let all: Result<Vec<Secret>, SecretFault> = texts.map(|text| Secret::new(text.as_bytes())).collect();
    Secrets::new(all?)
}

/// What is wrong with a file of secrets.
#[derive(Debug, thiserror::Error)]
pub enum BadSecretFile {
    /// It cannot be opened: perhaps it was never made.
    #[error(
        "the secret file {0}: {1}; all nodes of a cluster have the same one: `openssl rand -hex 32 > {0}`"
    )]
    Unopened(String, io::Error),
    /// What it is cannot be known.
    #[error("the secret file {0}: {1}")]
    Unknown(String, io::Error),
    /// It is a folder, a pipe, or far too long.
    #[error("the secret file {0}: it is no file of at most {SECRET_FILE_BYTES_MAX} bytes")]
    NoFile(String),
    /// Its bytes are no text.
    #[error("the secret file {0}: it is no text")]
    NoText(String),
    /// There is no secret in it.
    #[error("the secret file {0}: it is empty")]
    Empty(String),
    /// One of its secrets is none.
    #[error("the secret file {0}: {1}")]
    Secret(String, SecretFault),
}

/// The secrets of a file, one a line; at least one.
pub fn read(path: &Path) -> Result<Secrets, BadSecretFile> {
    let name = || path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| BadSecretFile::Unopened(name(), error))?;
    let is_file = file.metadata().map_err(|error| BadSecretFile::Unknown(name(), error))?.is_file();
    let mut text = String::new();
    let read = file.take(SECRET_FILE_BYTES_MAX + 1).read_to_string(&mut text);
    if !is_file || text.len() as u64 > SECRET_FILE_BYTES_MAX {
        return Err(BadSecretFile::NoFile(name()));
    }
    read.map_err(|_| BadSecretFile::NoText(name()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let secrets = secrets(lines).map_err(|fault| BadSecretFile::Secret(name(), fault))?;
    if secrets.is_empty() { Err(BadSecretFile::Empty(name())) } else { Ok(secrets) }
}

/// Writes a file with a new secret that only its owner reads, unless there is one.
pub fn make(path: &Path) -> io::Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        file => file?,
    };
    writeln!(file, "{}", draw()?)
}

/// A new secret, as text.
pub fn draw() -> io::Result<String> {
    let mut bytes = [0; 32];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
