//! Shapes.
pub mod kafka;
