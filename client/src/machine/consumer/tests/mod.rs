//! The machine without a network: `stage` holds it and answers for the nodes, `reads` and `groups` are stories of it; `weather` runs
//! several of them against made-up nodes with a bad temper.

mod groups;
mod reads;
mod stage;
mod weather;
