//! What the lanes share about files: open descriptors, which names are durable, which files have failed.
//!
//! A lane holds the lock to look something up, never while it reads, writes or syncs.
//!
//! Invariant: at most `spare_max` descriptors of segments and indexes are kept (a segment that is written in long
//! pieces has two); the journal, checkpoint and node.meta keep theirs, so that a node without spare descriptors can
//! still commit. Where the system has none left (its limit is shared by all processes), all spare ones are closed
//! and the file is opened once more.

use rust_mq_core::file::File;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The files of one data directory.
#[derive(Debug)]
pub(super) struct OpenFiles {
    root: PathBuf,
    spare_max: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    open: BTreeMap<File, Open>,
    /// Files whose names, up to the data directory, this process has synced.
    durable_names: BTreeSet<File>,
    failed: BTreeMap<File, String>,
    uses: u64,
    /// The file system takes no direct writes.
    refuses_direct: bool,
}

#[derive(Debug)]
struct Open {
    descriptor: Arc<std::fs::File>,
    /// A second one, for writes around the page cache.
    direct: Option<Arc<std::fs::File>>,
    used: u64,
}

impl OpenFiles {
    /// No file is open yet.
    pub(super) fn new(root: PathBuf, spare_max: usize) -> OpenFiles {
        OpenFiles { root, spare_max, table: Mutex::default() }
    }

    /// The data directory.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a file lies.
    pub(super) fn path(&self, file: File) -> PathBuf {
        self.root.join(file.path())
    }

    /// A file that is there.
    pub(super) fn open(&self, file: File) -> io::Result<Arc<std::fs::File>> {
        if let Some(descriptor) = self.lock().find(file) {
            return Ok(descriptor);
        }
        let path = self.path(file);
        let opened = self.with_room(|| std::fs::OpenOptions::new().read(true).write(true).open(&path))?;
        Ok(self.lock().keep(file, opened, self.spare_max))
    }

    /// A file, made if it is not there, with its directories.
    pub(super) fn open_or_make(&self, file: File) -> io::Result<Arc<std::fs::File>> {
        if let Some(descriptor) = self.lock().find(file) {
            return Ok(descriptor);
        }
        let path = self.path(file);
        let make = || {
            let mut options = std::fs::OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)
        };
        let opened = match self.with_room(make) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let directory = path.parent().unwrap_or(&self.root);
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
                self.with_room(make)?
            }
            result => result?,
        };
        Ok(self.lock().keep(file, opened, self.spare_max))
    }

    /// Opens something; without descriptors it closes the spare ones and tries once more.
    pub(super) fn with_room<T>(&self, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match open() {
            Err(error) if is_out_of_descriptors(&error) => {
                self.lock().open.retain(|file, _| !is_spare(*file));
                open()
            }
            result => result,
        }
    }

    /// A second descriptor of an open file, for writes around the page cache; `None` if there are none of these
    /// here.
    pub(super) fn open_direct(&self, file: File) -> io::Result<Option<Arc<std::fs::File>>> {
        {
            let table = self.lock();
            if table.refuses_direct {
                return Ok(None);
            }
            if let Some(direct) = table.open.get(&file).and_then(|open| open.direct.clone()) {
                return Ok(Some(direct));
            }
        }
        let mut options = std::fs::OpenOptions::new();
        let flags = rustix::fs::OFlags::DIRECT.bits().cast_signed();
        options.write(true).custom_flags(flags);
        let direct = match self.with_room(|| options.open(self.path(file))) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.never_direct();
                return Ok(None);
            }
            Err(error) if is_out_of_descriptors(&error) => return Ok(None),
            result => Arc::new(result?),
        };
        let mut table = self.lock();
        if let Some(open) = table.open.get_mut(&file) {
            open.direct = Some(Arc::clone(&direct));
        }
        table.trim(self.spare_max);
        Ok(Some(direct))
    }

    /// The file system, or the device below it, refuses direct writes.
    pub(super) fn never_direct(&self) {
        self.lock().refuses_direct = true;
    }

    /// Closes a file, once whoever uses it now is done.
    pub(super) fn close(&self, file: File) {
        let mut table = self.lock();
        table.open.remove(&file);
        table.durable_names.remove(&file);
    }

    /// The directories that name a file, from its own up to the data directory; none if that is durable.
    pub(super) fn directories_to_sync(&self, file: File) -> Vec<PathBuf> {
        if self.lock().durable_names.contains(&file) {
            return Vec::new();
        }
        let path = self.path(file);
        let inside = |directory: &&Path| directory.starts_with(&self.root);
        path.ancestors().skip(1).take_while(inside).map(Path::to_path_buf).collect()
    }

    /// The names of these files are durable from now on.
    pub(super) fn names_are_durable(&self, files: &[File]) {
        self.lock().durable_names.extend(files);
    }

    /// Why an earlier action on the file failed, if one did.
    pub(super) fn failure(&self, file: File) -> Option<String> {
        self.lock().failed.get(&file).cloned()
    }

    /// From now on everything on the file fails.
    pub(super) fn fail(&self, file: File, reason: String) {
        self.lock().failed.insert(file, reason);
    }

    /// Until now.
    pub(super) fn forgive(&self, file: File) {
        self.lock().failed.remove(&file);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&mut self, file: File) -> Option<Arc<std::fs::File>> {
        self.uses += 1;
        let open = self.open.get_mut(&file)?;
        open.used = self.uses;
        Some(Arc::clone(&open.descriptor))
    }

    fn keep(&mut self, file: File, opened: std::fs::File, spare_max: usize) -> Arc<std::fs::File> {
        self.uses += 1;
        let open = Open { descriptor: Arc::new(opened), direct: None, used: self.uses };
        let descriptor = Arc::clone(&open.descriptor);
        self.open.insert(file, open);
        self.trim(spare_max);
        descriptor
    }

    /// Closes what was used longest ago until the spare descriptors are no more than allowed.
    fn trim(&mut self, spare_max: usize) {
        let spare = self.open.iter().filter(|(file, _)| is_spare(**file));
        let mut spare: Vec<(u64, File, usize)> =
            spare.map(|(file, open)| (open.used, *file, 1 + usize::from(open.direct.is_some()))).collect();
        let mut descriptors: usize = spare.iter().map(|(_, _, count)| count).sum();
        spare.sort_unstable();
        for (_, file, count) in spare {
            if descriptors <= spare_max {
                return;
            }
            self.open.remove(&file);
            descriptors -= count;
        }
    }
}

fn is_spare(file: File) -> bool {
    matches!(file, File::Segment(_) | File::SegmentIndex(_))
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let code = rustix::io::Errno::from_io_error(error);
    code.is_some_and(|code| [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE].contains(&code))
}
