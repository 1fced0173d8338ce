//! A disk in memory that does everything at once and never fails; what it holds outlives its broker.

use bytes::Bytes;
use rust_mq_core::action::Action;
use rust_mq_core::event::{DoneResult, Event, FileWork, Listed};
use rust_mq_core::file::File;
use std::collections::BTreeMap;

/// Space that there always is.
const FREE_BYTES: u64 = 1 << 40;

/// The files.
#[derive(Default)]
pub struct Disk(BTreeMap<File, Vec<u8>>);

impl Disk {
    /// Does what is asked of a disk; the answer is for the next turn.
    pub fn perform(&mut self, action: Action) -> Option<Event> {
        let (ticket, result) = match action {
            Action::Write { ticket, file, at, parts } => {
                self.write(file, position(at), &parts);
                (ticket, DoneResult::Written { free_bytes: FREE_BYTES })
            }
            Action::Sync { ticket, .. } => (ticket, DoneResult::Synced),
            Action::Read { ticket, file, at, len } => (ticket, self.read(file, position(at), len as usize)),
            Action::Truncate { ticket, file, len } => {
                self.0.entry(file).or_default().resize(position(len), 0);
                (ticket, DoneResult::Truncated)
            }
            Action::Remove { ticket, file } => {
                self.0.remove(&file);
                (ticket, DoneResult::Removed)
            }
            Action::List { ticket } => (ticket, self.list()),
            _ => return None,
        };
        Some(Event::Done { ticket, result })
    }

    fn write(&mut self, file: File, mut at: usize, parts: &[Bytes]) {
        let bytes = self.0.entry(file).or_default();
        for part in parts {
            let end = at + part.len();
            bytes.resize(bytes.len().max(end), 0);
            bytes[at..end].copy_from_slice(part);
            at = end;
        }
    }

    fn read(&self, file: File, at: usize, len: usize) -> DoneResult {
        let Some(bytes) = self.0.get(&file) else {
            return DoneResult::Failed { at: FileWork::Reading, reason: "there is no such file".into() };
        };
        let from = at.min(bytes.len());
        DoneResult::Bytes(Bytes::copy_from_slice(&bytes[from..(from + len).min(bytes.len())]))
    }

    fn list(&self) -> DoneResult {
        let listed = |(file, bytes): (&File, &Vec<u8>)| Listed { path: file.path(), len: bytes.len() as u64 };
        let mut files: Vec<Listed> = self.0.iter().map(listed).collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        DoneResult::Listed(files)
    }
}

fn position(at: u64) -> usize {
    usize::try_from(at).expect("a script's files are small")
}
