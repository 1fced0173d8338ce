//! Shapes.
pub mod kafka;

pub mod peer;
