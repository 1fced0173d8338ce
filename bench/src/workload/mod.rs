//! What is done to a broker while it is watched. Each workload is the same code for both sides, over Kafka's
//! protocol with this workspace's own codec, so that a difference is never the client's.
//!
//! `pipelined` keeps so many requests in flight and sends the next when an answer comes: what a request costs.
//! `paced` sends records when they are due, however late the answers are, and has consumers at the tail: latency,
//! and what delivering costs. `catch_up` reads what lies there. `administration` makes topics and crashes.
//! `prober` asks again and again who leads. `outside` runs other people's load generators.
//!
//! `watch` brackets a workload with the kernel's counters.

pub mod administration;
pub mod catch_up;
pub mod outside;
pub mod paced;
pub mod pipelined;
pub mod prober;
pub mod watch;
