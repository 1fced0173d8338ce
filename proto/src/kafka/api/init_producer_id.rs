//! InitProducerId: a producer's identity for deduplication and transactions. KIP-98, KIP-360 (recovery, 3),
//! KIP-588 (PRODUCER_FENCED, 4), KIP-890 (TRANSACTION_ABORTABLE, 5).

use crate::kafka::grammar::api;

api! {
    InitProducerId = 22, InitProducerIdRequest -> InitProducerIdResponse;
    versions 0-5, flexible 2+;

    /// Who asks.
    struct InitProducerIdRequest {
        /// Null if only deduplication is wanted.
        transactional_id: Option<String>, 0+;
        transaction_timeout_ms: i32, 0+;
        producer_id: i64, 3+, default -1;
        producer_epoch: i16, 3+, default -1;
    }

    /// The identity.
    struct InitProducerIdResponse {
        throttle_time_ms: i32, 0+;
        error_code: i16, 0+;
        producer_id: i64, 0+, default -1;
        producer_epoch: i16, 0+;
    }
}
