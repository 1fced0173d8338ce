//! The machine without a network: what happened goes in, what is to be done comes out, and time is a number. `stage` holds
//! it; `stories` are single ones; `weather` runs it against made-up nodes with a bad temper.

mod stage;
mod stories;
mod weather;
