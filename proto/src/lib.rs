//! Shapes.

pub mod peer;
