//! Making new settings of old ones, change by change (KIP-339): set, delete, and for lists append and take away.
//!
//! As in Kafka an append starts from the default where nothing is set, adds what is not there, and keeps the order.

use super::{BadSettings, Settings, Table};

/// What is done to a setting; Kafka's `AlterConfigOp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum Operation {
    /// It has this value.
    Set,
    /// It is nobody's own any more.
    Delete,
    /// These are added to the list.
    Append,
    /// These are taken from the list.
    Subtract,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Change {
    /// Kafka's name for the setting.
    pub name: String,
    /// What is done to it.
    pub operation: Operation,
    /// The value; of no meaning to a deletion.
    pub value: String,
}

impl Operation {
    /// By Kafka's number for it.
    pub fn parse(number: i8) -> Option<Operation> {
        [Operation::Set, Operation::Delete, Operation::Append, Operation::Subtract]
            .get(usize::try_from(number).ok()?)
            .copied()
    }
}

impl Table {
    /// The settings after these changes; not looked at yet (`check`).
    ///
    /// # Errors
    /// A change that can be made of none.
    pub fn altered(self, before: &Settings, changes: &[Change]) -> Result<Settings, BadSettings> {
        let mut after = before.clone();
        for Change { name, operation, value } in changes {
            match operation {
                Operation::Set => {
                    after.insert(name.clone(), value.clone());
                }
                // What an older build has let in, and this one does not know, can still be deleted.
                Operation::Delete if after.remove(name).is_some() => {}
                Operation::Delete => {
                    self.known(name)?;
                }
                Operation::Append | Operation::Subtract => {
                    let (name, row) = self.known(name)?;
                    if !row.is_list() {
                        return Err(BadSettings::NoList(name));
                    }
                    let list = after.get(name).map_or(row.default, String::as_str);
                    let list = combined(list, value, *operation == Operation::Append);
                    after.insert(name.to_owned(), list);
                }
            }
        }
        Ok(after)
    }
}

fn combined(list: &str, value: &str, is_append: bool) -> String {
    let mut parts: Vec<&str> = list.split(',').filter(|part| !part.is_empty()).collect();
    for part in value.split(',') {
        let found = parts.iter().position(|known| *known == part);
        match found {
            Some(at) if !is_append => {
                parts.remove(at);
            }
            None if is_append => parts.push(part),
            _ => {}
        }
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn altered(before: &[(&str, &str)], changes: &[(&str, Operation, &str)]) -> Result<String, BadSettings> {
        let before = before.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let change = |(name, operation, value): &(&str, Operation, &str)| Change {
            name: (*name).into(),
            operation: *operation,
            value: (*value).into(),
        };
        let changes: Vec<Change> = changes.iter().map(change).collect();
        let after = Table::Topic.altered(&before, &changes)?;
        Ok(after.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn lists_grow_and_shrink_from_what_is_in_force() {
        use Operation::{Append, Delete, Set, Subtract};
        let list = "follower.replication.throttled.replicas";
        let told = |before: &[(&str, &str)], changes: &[(&str, Operation, &str)]| {
            altered(before, changes).expect("it can be done")
        };
        assert_eq!(told(&[], &[("cleanup.policy", Append, "compact")]), "cleanup.policy=delete,compact");
        assert_eq!(told(&[], &[("cleanup.policy", Subtract, "delete")]), "cleanup.policy=");
        assert_eq!(told(&[(list, "0:1,1:2")], &[(list, Append, "1:2,2:3")]), format!("{list}=0:1,1:2,2:3"));
        assert_eq!(told(&[(list, "0:1,1:2")], &[(list, Subtract, "0:1,7:7")]), format!("{list}=1:2"));
        assert_eq!(told(&[], &[(list, Append, "1:2")]), format!("{list}=1:2"));
        assert_eq!(told(&[("retention.ms", "1")], &[("retention.ms", Delete, "")]), "");
        assert_eq!(told(&[("gone", "1")], &[("gone", Delete, "")]), "", "though it is unknown");
        assert_eq!(told(&[], &[("retention.ms", Set, "5")]), "retention.ms=5");
        let number = altered(&[], &[("retention.ms", Append, "5")]);
        assert_eq!(number, Err(BadSettings::NoList("retention.ms")));
        let unknown = altered(&[], &[("gone", Delete, "")]).expect_err("it is unknown").to_string();
        assert_eq!(unknown, "unknown topic config 'gone'");
    }
}
