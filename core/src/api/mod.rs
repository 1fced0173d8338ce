//! Kafka's APIs: one handler file each, named as in `proto/src/kafka/api`. A handler reads the request, asks the
//! node, and answers at once or parks what it still needs at the desk.
//!
//! ```text
//! desk      takes requests up, keeps those that wait, answers them        origin   who asks, how the answer is written
//! waiting   what waits, and how each kind ends when nothing comes of it   early    what came before the node is open
//! ```
//!
//! A request costs no more than n log n in its size: what it names it names once (`named`), what is decompressed for it
//! is bounded (`allowance`), and whoever waits is found by what it waits for. `rust-mq-bench instructions` attacks
//! this.
//!
//! To serve another API, NAME being its name in snake case (the tidy test demands each step for all that are served):
//!
//! 1. Its shape: `proto/src/kafka/api/NAME.rs`, and its row in the `table!` of that folder. Kafka's own are compared with
//!    the oracle by themselves, but for the line of its defaults in `proto/tests/oracle.rs`; one that Kafka does not have
//!    gets a number from `OURS_FROM` on.
//! 2. Its golden bytes: `RECORD=1 cargo test -p rust-mq-proto --test wire` writes `proto/tests/wire/NAME.txt`; read it.
//! 3. Its handler: `core/src/api/NAME.rs`, and its arm in `handle`. What it names it names once (`named`); what a request
//!    may ask for at most, and what it makes this node keep, has its bound in `limits`.
//! 4. Stories: a verb in `core/tests/script_runner/verbs`, what is told of its answer in `script_runner/answer.rs`, and
//!    scripts in `core/tests/scripts`: `RECORD=1 cargo test -p rust-mq-core --test stories FILTER` writes what came of them.
//! 5. Real clients: what other brokers got wrong about it, in `tests/tests/gotchas`, through a codec that is not ours.
//! 6. Any bytes: `RECORD=1 cargo test -p tests --test corpus` writes a first input, `fuzz/corpus/requests/NAME`.
//! 7. The simulator: a client that uses it (`sim/src/client`), a claim about what it promises (`docs/claims.md`), and a
//!    mutant that breaks the promise (`core/src/mutant.rs`, `sim/src/mutants.rs`; `cargo run --release -p sim -- mutants
//!    MUTANT --count 400` hunts it, and prints its row for `docs/mutants.md`). What no longer is as it was:
//!    `cargo run --release -p sim -- golden > sim/plans/golden.txt`, `cargo run --release -p sim -- nominate`.
//! 8. What a user reads: its row in README's table of APIs, and a line in CHANGELOG.
//!
//! Sources: reliability of answers to unparsable requests is Kafka's own: the link is closed without one
//! (`Processor.parseRequestHeader`), ApiVersions excepted (KIP-511).

mod addresses;
mod allowance;
mod api_versions;
mod create_topics;
mod delete_topics;
mod describe_cluster;
mod desk;
mod early;
mod fetch;
mod fetch_partition;
mod init_producer_id;
mod leaders;
mod list_offsets;
mod metadata;
mod named;
mod offset_for_leader_epoch;
mod operations;
mod origin;
mod produce;
mod waiting;

pub use desk::Desk;

use crate::node::Node;
use crate::now::Now;
use origin::Origin;
use rust_mq_proto::kafka::api::RequestBody;

/// Does what a request asks: each API has its file. The error ends the link.
fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    body: RequestBody,
) -> Result<(), String> {
    match body {
        RequestBody::Produce(request) => produce::handle(desk, node, now, origin, request),
        RequestBody::Fetch(request) => return fetch::handle(desk, node, now, origin, request),
        RequestBody::ListOffsets(request) => list_offsets::handle(desk, node, now, origin, request),
        RequestBody::Metadata(request) => return metadata::handle(desk, node, now, origin, request),
        RequestBody::ApiVersions(request) => api_versions::handle(desk, node, origin, &request),
        RequestBody::CreateTopics(request) => create_topics::handle(desk, node, now, origin, request),
        RequestBody::DeleteTopics(request) => delete_topics::handle(desk, node, now, origin, request),
        RequestBody::InitProducerId(request) => init_producer_id::handle(desk, node, now, origin, &request),
        RequestBody::OffsetForLeaderEpoch(request) => {
            offset_for_leader_epoch::handle(desk, node, origin, request)
        }
        RequestBody::DescribeCluster(request) => describe_cluster::handle(desk, node, origin, &request),
    }
    Ok(())
}
