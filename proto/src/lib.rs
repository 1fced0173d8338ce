//! Shapes.
pub mod records;
