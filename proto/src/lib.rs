//! Shapes.

pub mod kafka;
pub mod peer;
pub mod records;
