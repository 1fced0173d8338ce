//! The one record of a control batch: how a transaction ended (KIP-98).
//!
//! Both versions known so far are the same bytes: version i16 and type i16 in the key, version i16 and the
//! coordinator's epoch i32 in the value. A newer version may append fields, which we do not read.

use super::record::Record;

/// How a transaction ended, and under which coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The end.
    pub kind: MarkerKind,
    /// Fences a coordinator that has been replaced.
    pub coordinator_epoch: i32,
}

/// The end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerKind {
    /// Its records are to be skipped by those who read committed data.
    Abort,
    /// Its records count.
    Commit,
}

impl Marker {
    /// The marker that `record`, the first of a control batch, is. `None` for control records of another
    /// type, which those who do not know them skip.
    pub fn parse(record: &Record<'_>) -> Option<Marker> {
        let [_, _, kind @ ..] = *record.key?.first_chunk::<4>()?;
        let [_, _, epoch @ ..] = *record.value?.first_chunk::<6>()?;
        let kind = match i16::from_be_bytes(kind) {
            0 => MarkerKind::Abort,
            1 => MarkerKind::Commit,
            _ => return None,
        };
        Some(Marker { kind, coordinator_epoch: i32::from_be_bytes(epoch) })
    }

    /// The key of its record.
    pub(super) fn key(&self) -> [u8; 4] {
        let kind = match self.kind {
            MarkerKind::Abort => 0,
            MarkerKind::Commit => 1,
        };
        [0, 0, 0, kind]
    }

    /// The value of its record.
    pub(super) fn value(&self) -> [u8; 6] {
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        [0, 0, a, b, c, d]
    }
}
