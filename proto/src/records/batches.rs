//! Batches back to back: a segment file, an answer to a fetch.
//!
//! Such bytes may end in the middle of a batch (Kafka answers a fetch so, and a segment being written
//! looks so). That ends the iteration without an error; [`Batches::rest`] is what was not consumed, and
//! whoever expects whole batches only asks that it is empty.

use super::batch::Batch;
use super::error::BatchError;

/// Cuts bytes into batches. Ends at the first batch that is not whole, and after the first error.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
    is_broken: bool,
}

impl<'a> Batches<'a> {
    /// Starts at the first byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Batches<'a> {
        Batches { rest: bytes, is_broken: false }
    }

    /// What has not been consumed: after the end, the partial or broken batch.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, BatchError>;

    fn next(&mut self) -> Option<Result<Batch<'a>, BatchError>> {
        if self.is_broken {
            return None;
        }
        match Batch::first(self.rest) {
            Ok(None) => None,
            Ok(Some(batch)) => {
                self.rest = &self.rest[batch.bytes().len()..];
                Some(Ok(batch))
            }
            Err(error) => {
                self.is_broken = true;
                Some(Err(error))
            }
        }
    }
}
