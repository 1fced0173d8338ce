//! The data directory: made if it is not there, and locked, so that no two processes write into one.
//!
//! Not here: what lies in it (`real`, and the core).

use super::lane::{LOCK_NAME, sync_directory};
use crate::log_levels::DISK;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process has it.
    #[error("{} is in use by another rust-mq (process {process}); stop it or choose another directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The other's process id, if it could be read.
        process: String,
    },
    /// It is a file, or something else.
    #[error("cannot use {} as data directory: it is not a directory\n  choose another one with --data or storage_path", .0.display())]
    NoDirectory(PathBuf),
    /// The system says no.
    #[error(
        "cannot use {} as data directory: {error}\n  choose one that this user can make and write, with --data or \
         storage_path",
        path.display()
    )]
    Unusable {
        /// The directory or file.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
}

/// Makes the directory if it is not there, and takes its lock, which is held as long as the file is open.
pub(super) fn lock(path: &Path) -> Result<std::fs::File, DirectoryError> {
    let unusable = |error| DirectoryError::Unusable { path: path.to_path_buf(), error };
    if path.metadata().is_ok_and(|found| !found.is_dir()) {
        return Err(DirectoryError::NoDirectory(path.to_path_buf()));
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
    if let Some(parent) = path.canonicalize().map_err(unusable)?.parent() {
        sync_directory(parent).map_err(unusable)?;
    }
    let mode = path.metadata().map_err(unusable)?.permissions().mode();
    if mode & 0o077 != 0 {
        // Not mended here: it may be somebody's home. Our files are 0600 in any case.
        tracing::warn!(target: DISK, "others may look into {0}; better: chmod 700 {0}", path.display());
    }
    let mut lock = open_lock(path)?;
    taken(&mut lock, path)?;
    lock.set_len(0).map_err(unusable)?;
    writeln!(lock, "{}", std::process::id()).map_err(unusable)?;
    Ok(lock)
}

/// Whether a directory can be used, or made where there is none. It is left as it was found.
pub fn try_directory(path: &Path) -> Result<(), DirectoryError> {
    let unusable = |error| DirectoryError::Unusable { path: path.to_path_buf(), error };
    // What is made now goes again, the innermost first.
    let made: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    if path.metadata().is_ok_and(|found| !found.is_dir()) {
        return Err(DirectoryError::NoDirectory(path.to_path_buf()));
    }
    let make = || std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    let tried = make().map_err(unusable).and_then(|()| {
        if path.join(LOCK_NAME).exists() {
            taken(&mut open_lock(path)?, path)?;
        }
        let file = path.join(format!("check-{}", std::process::id()));
        let written = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
        written.and_then(|_| std::fs::remove_file(&file)).map_err(unusable)
    });
    for folder in made {
        let _ = std::fs::remove_dir(folder);
    }
    tried
}

fn open_lock(path: &Path) -> Result<std::fs::File, DirectoryError> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let unusable = |error| DirectoryError::Unusable { path: path.to_path_buf(), error };
    options.open(path.join(LOCK_NAME)).map_err(unusable)
}

/// Takes the lock of a directory, unless another process has it.
fn taken(lock: &mut std::fs::File, path: &Path) -> Result<(), DirectoryError> {
    match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut process = String::new();
            let is_read = lock.read_to_string(&mut process).is_ok() && !process.trim().is_empty();
            let process = if is_read { process.trim().to_owned() } else { "unknown".to_owned() };
            Err(DirectoryError::InUse { path: path.to_path_buf(), process })
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(DirectoryError::Unusable { path: path.to_path_buf(), error })
        }
    }
}
