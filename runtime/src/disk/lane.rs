//! The threads that touch the disk: each takes file actions from a channel, performs them in order, and puts
//! their `Done`s into the core thread's mailbox.
//!
//! A lane of writes answers a batch as a whole: its `Written`s and its `Synced` reach the core in one turn.
//! The readers answer one by one, because they share the work.
//!
//! Errors: no space is `Full` (the core refuses records and goes on); anything else sticks to the file until
//! `Forget`. An fsync that failed is never repeated: the kernel may have dropped the pages it could not write.

use super::direct::Direct;
use super::open_files::OpenFiles;
use crate::limits::DIRECT_BYTES_MIN;
use crate::mailbox::Mailbox;
use bytes::Bytes;
use rust_mq_core::action::Action;
use rust_mq_core::event::{DoneResult, Event, FileWork, Listed};
use rust_mq_core::file::{File, Lane};
use rust_mq_core::ids::Ticket;
use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

/// The name of the file whose lock says that a process uses the directory. Not the core's.
pub(super) const LOCK_NAME: &str = "lock";
/// Slices of one pwritev: the kernel's IOV_MAX.
const SLICES: usize = 1024;

/// Performs batches of writes, syncs, truncations and removals until the channel closes.
pub(super) fn run_writer(files: &OpenFiles, work: &Receiver<Vec<Action>>, done: &Mailbox) {
    let mut direct = Direct::default();
    for batch in work {
        let answers: Vec<_> =
            batch.into_iter().filter_map(|action| perform(files, &mut direct, action)).collect();
        done.put(answers.into_iter().map(|(ticket, result)| Event::Done { ticket, result }));
    }
}

/// Performs reads and listings until the channel closes. Several threads share one channel.
pub(super) fn run_reader(files: &OpenFiles, work: &Mutex<Receiver<Action>>, done: &Mailbox) {
    loop {
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(action) = next else { return };
        let (ticket, work, result) = match action {
            Action::Read { ticket, file, at, len } => (ticket, FileWork::Reading, read(files, file, at, len)),
            Action::List { ticket } => (ticket, FileWork::Listing, list(files.root())),
            other => unreachable!("not a reader's action: {other}"),
        };
        done.put([Event::Done { ticket, result: result.unwrap_or_else(|error| failed(work, &error)) }]);
    }
}

fn perform(files: &OpenFiles, direct: &mut Direct, action: Action) -> Option<(Ticket, DoneResult)> {
    let (ticket, result) = match action {
        Action::Write { ticket, file, at, parts } => {
            (ticket, guarded(files, file, FileWork::Writing, || write(files, direct, file, at, &parts)))
        }
        Action::Sync { ticket, files: which } => (ticket, sync(files, &which)),
        Action::Truncate { ticket, file, len } => (
            ticket,
            guarded(files, file, FileWork::Truncating, || {
                files.open(file)?.set_len(len)?;
                Ok(DoneResult::Truncated)
            }),
        ),
        Action::Remove { ticket, file } => {
            (ticket, guarded(files, file, FileWork::Removing, || remove(files, file)))
        }
        Action::Forget { file } => {
            files.close(file);
            files.forgive(file);
            return None;
        }
        other => unreachable!("not a writer's action: {other}"),
    };
    Some((ticket, result))
}

/// Law 3: what is queued behind a failure on the file fails, undone.
fn guarded(
    files: &OpenFiles,
    file: File,
    at: FileWork,
    act: impl FnOnce() -> io::Result<DoneResult>,
) -> DoneResult {
    if let Some(reason) = files.failure(file) {
        return DoneResult::Failed { at, reason };
    }
    match act() {
        Ok(result) => result,
        Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            DoneResult::Full
        }
        Err(error) => {
            let reason = format!("{file}: {error}");
            files.fail(file, reason.clone());
            DoneResult::Failed { at, reason }
        }
    }
}

fn write(
    files: &OpenFiles,
    direct: &mut Direct,
    file: File,
    at: u64,
    parts: &[Bytes],
) -> io::Result<DoneResult> {
    let descriptor = files.open_or_make(file)?;
    match around_the_cache(files, file, parts)? {
        Some(around) => match direct.write(&descriptor, &around, at, parts) {
            // What a device says to an alignment that it does not take.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                files.never_direct();
                through_the_cache(&descriptor, at, parts)?;
            }
            result => result?,
        },
        None => through_the_cache(&descriptor, at, parts)?,
    }
    let volume = rustix::fs::fstatvfs(&descriptor)?;
    Ok(DoneResult::Written { free_bytes: volume.f_bavail.saturating_mul(volume.f_frsize) })
}

/// The file's second descriptor, if this write shall go around the page cache.
fn around_the_cache(
    files: &OpenFiles,
    file: File,
    parts: &[Bytes],
) -> io::Result<Option<Arc<std::fs::File>>> {
    let is_worth_it = match file {
        File::Journal(_) => true,
        File::Segment(_) | File::State(_) => parts.iter().map(Bytes::len).sum::<usize>() >= DIRECT_BYTES_MIN,
        File::NodeMeta | File::Checkpoint(_) | File::SegmentIndex(_) => false,
    };
    if is_worth_it { files.open_direct(file) } else { Ok(None) }
}

fn through_the_cache(descriptor: &std::fs::File, at: u64, parts: &[Bytes]) -> io::Result<()> {
    let mut position = at;
    for some in parts.chunks(SLICES) {
        let mut slices: Vec<IoSlice<'_>> = some.iter().map(|part| IoSlice::new(part)).collect();
        let mut rest = &mut slices[..];
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::pwritev(descriptor, rest, position))?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            position += written as u64;
            IoSlice::advance_slices(&mut rest, written);
        }
    }
    Ok(())
}

fn sync(files: &OpenFiles, which: &[File]) -> DoneResult {
    if let Some(reason) = which.iter().find_map(|file| files.failure(*file)) {
        return DoneResult::Failed { at: FileWork::Syncing, reason };
    }
    let mut directories = BTreeSet::new();
    let mut named = Vec::new();
    for file in which {
        match files.open(*file) {
            Ok(descriptor) => {
                if let Err(error) = descriptor.sync_data() {
                    return fail(files, *file, &error);
                }
                directories.extend(files.directories_to_sync(*file));
                named.push(*file);
            }
            // Removed, or never written: nothing of it needs to become durable.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return fail(files, *file, &error),
        }
    }
    let sync_name = |directory: &PathBuf| files.with_room(|| sync_directory(directory));
    if let Err(error) = directories.iter().try_for_each(sync_name) {
        return which.first().map_or(DoneResult::Synced, |file| fail(files, *file, &error));
    }
    files.names_are_durable(&named);
    DoneResult::Synced
}

fn fail(files: &OpenFiles, file: File, error: &io::Error) -> DoneResult {
    let reason = format!("{file}: {error}");
    files.fail(file, reason.clone());
    DoneResult::Failed { at: FileWork::Syncing, reason }
}

/// Removes the file durably, and a partition's directories with its last one. Only the bulk lane makes and
/// removes those, so none vanishes under a file that is being made.
fn remove(files: &OpenFiles, file: File) -> io::Result<DoneResult> {
    files.close(file);
    let path = files.path(file);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(DoneResult::Removed),
        result => result?,
    }
    let mut directory = path.parent();
    while file.lane() == Lane::Bulk
        && let Some(empty) = directory
        && empty != files.root()
        && std::fs::remove_dir(empty).is_ok()
    {
        directory = empty.parent();
    }
    sync_directory(directory.unwrap_or(files.root()))?;
    Ok(DoneResult::Removed)
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    std::fs::File::open(directory)?.sync_all()
}

fn read(files: &OpenFiles, file: File, at: u64, len: u32) -> io::Result<DoneResult> {
    let descriptor = files.open(file)?;
    // A length from a damaged file must not take memory that the file cannot fill.
    let there = descriptor.metadata()?.len().saturating_sub(at);
    let mut bytes = vec![0; u64::from(len).min(there) as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match descriptor.read_at(&mut bytes[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(DoneResult::Bytes(bytes.into()))
}

fn list(root: &Path) -> io::Result<DoneResult> {
    let mut listed = Vec::new();
    let mut waiting: Vec<PathBuf> = vec![root.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            let path = entry.path();
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            let kind = entry.file_type()?;
            // A volume's own directory at its root, which only its owner can read.
            if relative == LOCK_NAME || relative == "lost+found" {
                continue;
            }
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file() {
                listed.push(Listed { path: relative, len: entry.metadata()?.len() });
            }
        }
    }
    listed.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(DoneResult::Listed(listed))
}

fn failed(at: FileWork, error: &io::Error) -> DoneResult {
    DoneResult::Failed { at, reason: error.to_string() }
}
