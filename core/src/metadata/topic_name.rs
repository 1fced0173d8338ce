//! Which names a topic may have (org.apache.kafka.common.internals.Topic).

use crate::ids::TopicId;
use crate::limits::TOPIC_NAME_MAX;

/// The topics that are ours: a client neither makes nor writes them.
pub const INTERNAL: [&str; 3] = ["__cluster_metadata", "__consumer_offsets", "__transaction_state"];

/// The name of a machine's topic, which is known by its id.
pub fn of_machine(id: TopicId) -> Option<&'static str> {
    (id == TopicId::CONSUMER_OFFSETS).then_some("__consumer_offsets")
}

/// Whether a topic is a machine's: clients see that there is such a topic, and have no records there.
pub fn is_of_machine(id: TopicId) -> bool {
    of_machine(id).is_some()
}

/// Why `name` is none, or nothing.
pub fn fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a topic name must not be empty".into());
    }
    if name == "." || name == ".." {
        return Some("a topic name must not be '.' or '..'".into());
    }
    if name.len() > TOPIC_NAME_MAX {
        return Some(format!(
            "a topic name has at most {TOPIC_NAME_MAX} characters, this one {}",
            name.len()
        ));
    }
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !name.bytes().all(is_legal) {
        return Some("a topic name is made of ASCII letters, digits, '.', '_' and '-'".into());
    }
    INTERNAL.contains(&name).then(|| format!("{name} is an internal topic"))
}
