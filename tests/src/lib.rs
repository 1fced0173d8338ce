//! Promises about the real binary; see the files beside this one.

pub mod contract;
