//! Recovery: from a listing of files to a disk that can be served from.
//!
//! ```text
//! reading: node.meta, the checkpoint in force --> walk: frame by frame --> replay: what each item changes
//!                                                                 \--> resume: what is written before serving
//! ```
//! Nothing is written before all is read, and a second recovery finds what the first one found.
//!
//! Not here: running (`start` hands over to it).

pub mod announcement;
pub mod pages;
pub mod reading;
pub mod replay;
pub mod resume;
pub mod walk;
