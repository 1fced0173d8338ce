//! Shapes.
pub mod kafka;
pub mod records;
