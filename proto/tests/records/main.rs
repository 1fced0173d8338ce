//! What `rust_mq_proto::records` promises.

mod codecs;
mod fixed;
mod hostile;
mod made;
mod oracle;
mod places;
mod properties;
mod remains;
