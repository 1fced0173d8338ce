//! Settings as they are said: `name=value`.

/// What is no setting.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no setting with a value: say name=value, retention.ms=3600000 for one")]
pub struct BadSetting(String);

/// Reads `name=value`. A value may be empty, and may have more `=` in it.
pub fn parse(text: &str) -> Result<(String, String), BadSetting> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err(BadSetting(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_a_name_and_may_be_empty() {
        assert_eq!(parse("a.b=c=d"), Ok(("a.b".into(), "c=d".into())));
        assert_eq!(parse("a="), Ok(("a".into(), String::new())));
        assert!(parse("a").is_err() && parse("=b").is_err() && parse("").is_err());
    }
}
