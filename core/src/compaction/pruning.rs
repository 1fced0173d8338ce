//! Pruning: the batches of a span, without what is overtaken, in the order in which they are written.
//!
//! Batches of which nothing stays, and those that were without records already, are gathered into one as long as they
//! follow each other in one leader epoch: a batch begins where its log knows that epoch, or it counts as damaged.
//!
//! Invariant: what is given covers the offsets from `from` up to `next` without a gap.

use crate::ids::Offset;
use bytes::{Bytes, BytesMut};
use rust_mq_proto::records::{BatchBuilder, HEADER_BYTES};

/// What is to be written, and where it ends.
#[derive(Debug)]
pub(super) struct Pruned {
    next: Offset,
    ready: BytesMut,
    /// Batches that follow, of which nothing stays.
    gone: Option<Gone>,
}

#[derive(Clone, Copy, Debug)]
struct Gone {
    from: Offset,
    next: Offset,
    epoch: i32,
}

impl Pruned {
    /// Nothing yet, of a span that begins at `from`.
    pub fn from(from: Offset) -> Pruned {
        Pruned { next: from, ready: BytesMut::new(), gone: None }
    }

    /// Offset after the last batch that it was given.
    pub fn next(&self) -> Offset {
        self.next
    }

    /// Bytes that are ready to be written.
    pub fn ready_bytes(&self) -> usize {
        self.ready.len()
    }

    /// Of the batches up to `next` nothing stays.
    pub fn gone(&mut self, next: Offset, epoch: i32) {
        let from = self.next;
        assert!(next > from, "a batch holds at least one offset");
        let is_continued = |gone: &&mut Gone| {
            gone.epoch == epoch && next.0 - gone.from.0 <= i64::from(i32::MAX) && gone.next == from
        };
        match self.gone.as_mut().filter(is_continued) {
            Some(gone) => gone.next = next,
            None => {
                self.close();
                self.gone = Some(Gone { from, next, epoch });
            }
        }
        self.next = next;
    }

    /// The batch up to `next` is this one.
    pub fn stays(&mut self, next: Offset, batch: &[u8]) {
        assert!(next > self.next, "a batch holds at least one offset");
        self.close();
        self.ready.extend_from_slice(batch);
        self.next = next;
    }

    /// What is ready. Batches of which nothing stays are, once it is known where they end.
    pub fn take(&mut self) -> Bytes {
        self.ready.split().freeze()
    }

    /// No batch follows.
    pub fn close(&mut self) {
        if let Some(Gone { from, next, epoch }) = self.gone.take() {
            let hollow = BatchBuilder::hollow((from.0, next.0), epoch, HEADER_BYTES);
            self.ready.extend_from_slice(&hollow.expect("it holds offsets, and no more than 31 bits count"));
        }
    }
}
