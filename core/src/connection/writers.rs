//! Writers that connections share: one is lent to a connection with its first answer of a turn and comes back
//! with the flush, so that an idle connection holds no buffer, and answers of one turn share one.
//!
//! Invariant: at most `SPARE_MAX` wait here, each with the few KiB of room that it keeps.

use rust_mq_proto::kafka::Writer;

/// Writers that are kept (chosen: the links that are answered in one busy turn). More are dropped.
const SPARE_MAX: usize = 32;

/// The writers that no connection has.
#[derive(Debug, Default)]
pub(super) struct Writers {
    spare: Vec<Writer>,
}

impl Writers {
    /// An empty writer.
    pub fn lend(&mut self) -> Writer {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes one back, empty again.
    pub fn take_back(&mut self, writer: Writer) {
        assert!(writer.is_empty(), "what was written has been taken");
        if self.spare.len() < SPARE_MAX {
            self.spare.push(writer);
        }
    }
}
