//! A definite no to a batch: its records were not proposed, and never will appear.

use rust_mq_proto::kafka::ErrorCode;

/// A definite no to a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendRefusal {
    /// Kafka's code.
    pub code: ErrorCode,
    /// Why, for a person; empty where the code says it all.
    pub message: String,
    /// The records that are why, by their place in the batch, where it is single ones.
    pub records: Vec<(i32, String)>,
}

impl AppendRefusal {
    /// A refusal of the batch as a whole.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> AppendRefusal {
        AppendRefusal { code, message: message.into(), records: Vec::new() }
    }
}
