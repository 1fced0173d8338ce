//! The machine without a network: `stage` holds it and answers for the nodes, the others are stories of it.

mod groups;
mod reads;
mod stage;
