//! `Debug` output as a tree, with what differs between two codecs for the same value taken away: newtypes
//! around a value, a topic id's spelling, fields that only one of the two has.

use std::fmt;

/// A value as it was printed.
#[derive(PartialEq)]
pub enum Value {
    /// A struct's name and fields.
    Struct(String, Vec<(String, Value)>),
    /// A variant or newtype that is not transparent.
    Tuple(String, Box<Value>),
    /// An array.
    List(Vec<Value>),
    /// A number, a string, a topic id, a name alone.
    Word(String),
}

/// Newtypes that one of the two wraps around a plain value.
const TRANSPARENT: [&str; 5] = ["BrokerId", "ProducerId", "TopicName", "TransactionalId", "Chain"];

/// Fields that one of the two does not describe: the oracle keeps unknown tags, and each knows some later versions.
const ONE_SIDED: [(&str, &str); 7] = [
    ("*", "unknown_tagged_fields"),
    ("DeletableGroupResult", "error_message"),
    ("FetchPartition", "high_watermark"),
    ("InitProducerIdRequest", "enable_2_pc"),
    ("InitProducerIdRequest", "keep_prepared_txn"),
    ("InitProducerIdResponse", "ongoing_txn_producer_id"),
    ("InitProducerIdResponse", "ongoing_txn_producer_epoch"),
];

impl Value {
    /// The value of that output.
    pub fn parse(text: &str) -> Value {
        let mut rest = text;
        let value = value(&mut rest);
        assert!(rest.is_empty(), "left over: {rest}");
        value
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Struct(name, fields) => {
                let mut out = out.debug_struct(name);
                for (field, value) in fields {
                    out.field(field, value);
                }
                out.finish()
            }
            Value::Tuple(name, value) => out.debug_tuple(name).field(value).finish(),
            Value::List(values) => out.debug_list().entries(values).finish(),
            Value::Word(word) => out.write_str(word),
        }
    }
}

fn value(rest: &mut &str) -> Value {
    if eat(rest, "[") {
        return list(rest);
    }
    if rest.starts_with('"') || rest.starts_with("b\"") {
        return Value::Word(quoted(rest));
    }
    let name = word(rest);
    if eat(rest, "(") {
        let inner = value(rest);
        assert!(eat(rest, ")"), "one value in {name}");
        return if TRANSPARENT.contains(&name.as_str()) {
            alone(inner)
        } else {
            Value::Tuple(name, Box::new(inner))
        };
    }
    if eat(rest, " {") { fields(name, rest) } else { Value::Word(name) }
}

fn fields(name: String, rest: &mut &str) -> Value {
    let mut fields = Vec::new();
    while !eat(rest, "}") && !eat(rest, " }") {
        eat(rest, ",");
        eat(rest, " ");
        let field = word(rest);
        assert!(eat(rest, ": "), "a value of {field}");
        let value = if eat(rest, "{}") { Value::List(Vec::new()) } else { value(rest) };
        let is_one_sided = |(of, only): &(&str, &str)| (*of == "*" || *of == name) && *only == field;
        if !ONE_SIDED.iter().any(is_one_sided) {
            fields.push((field, value));
        }
    }
    Value::Struct(name, fields)
}

fn list(rest: &mut &str) -> Value {
    let mut values = Vec::new();
    while !eat(rest, "]") {
        eat(rest, ", ");
        values.push(value(rest));
    }
    topic_id(&values).unwrap_or(Value::List(values))
}

/// Sixteen bytes as the oracle prints them; no sampled array is as long.
fn topic_id(values: &[Value]) -> Option<Value> {
    let bytes: Option<Vec<u8>> = values
        .iter()
        .map(|value| if let Value::Word(word) = value { word.parse().ok() } else { None })
        .collect();
    let number = u128::from_be_bytes(bytes?.try_into().ok()?);
    let digits = format!("{number:032x}");
    let groups = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    Some(Value::Word(groups.join("-")))
}

/// A chain of one part is that part.
fn alone(value: Value) -> Value {
    match value {
        Value::List(mut values) if values.len() == 1 => values.remove(0),
        Value::List(values) if values.is_empty() => Value::Word("b\"\"".to_owned()),
        value => value,
    }
}

fn quoted(rest: &mut &str) -> String {
    let start = rest.find('"').expect("called at a quote") + 1;
    let mut escaped = false;
    let end = rest[start..].find(|letter| {
        let ends = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    });
    let end = start + end.expect("a quote is closed") + 1;
    let text = rest[..end].to_owned();
    *rest = &rest[end..];
    text
}

fn word(rest: &mut &str) -> String {
    let end = rest.find([' ', ',', ':', '(', ')', '[', ']', '{', '}']).unwrap_or(rest.len());
    let word = rest[..end].to_owned();
    *rest = &rest[end..];
    word
}

fn eat(rest: &mut &str, token: &str) -> bool {
    match rest.strip_prefix(token) {
        Some(left) => {
            *rest = left;
            true
        }
        None => false,
    }
}
