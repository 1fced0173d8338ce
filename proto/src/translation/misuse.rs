//! Messages that make no sense, whatever the node knows: nobody is asked.

use prost::UnknownEnumValue;

/// Why a message is nothing in Kafka's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// A number of an enum that this build does not know.
    #[error("{field}: {number}")]
    Unknown {
        /// Of which field.
        field: &'static str,
        /// Which.
        number: UnknownEnumValue,
    },
    /// It names nothing of what it is about.
    #[error("no {0}")]
    Empty(&'static str),
    /// A partition to append to, and nothing for it.
    #[error("neither `records` nor a `batch` to append")]
    NoData,
    /// A record older than times are.
    #[error("a record from before 1970")]
    RecordBefore1970,
    /// A time that Kafka reads as a position.
    #[error("a time before 1970: use a position")]
    TimeBefore1970,
    /// More than Kafka's 16 bits hold.
    #[error("{0} is at most 32767")]
    TooLarge(&'static str),
    /// An id of another length.
    #[error("a topic's id has 16 bytes")]
    NoTopicId,
    /// Settings of nothing.
    #[error("settings of what? `type` is missing")]
    NoResourceType,
}

/// A number of an enum that this build knows.
pub(super) fn known<T>(number: Result<T, UnknownEnumValue>, field: &'static str) -> Result<T, Misuse> {
    number.map_err(|number| Misuse::Unknown { field, number })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::Acks;

    #[test]
    fn an_unknown_number_says_of_which_field() {
        let unknown = known(Acks::try_from(7), "acks").expect_err("there are three");
        assert_eq!(unknown.to_string(), "acks: unknown enumeration value 7");
        assert_eq!(Misuse::Empty("record to append").to_string(), "no record to append");
    }
}
