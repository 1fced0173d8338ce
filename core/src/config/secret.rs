//! The secrets that the members of a cluster share. They are held, and used for MACs; they are never shown: no trace,
//! log line or serialised configuration has a byte of them.
//!
//! Invariant: `SECRET_BYTES_MIN` <= a secret's bytes <= `SECRET_BYTES_MAX`; at most `SECRETS_MAX` of them.

use std::fmt;

/// Shortest secret, bytes. Source: chosen; the MACs that a node shows to whoever knocks let a short one be guessed.
pub const SECRET_BYTES_MIN: usize = 16;
/// Longest secret, bytes. Source: chosen. At the edge: the configuration is refused.
pub const SECRET_BYTES_MAX: usize = 256;
/// Secrets that hold at once. Source: chosen; a rotation needs two. At the edge: as above.
pub const SECRETS_MAX: usize = 4;

/// What the members know.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// All that hold at once, the newest first. None: nobody is asked for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets(Vec<Secret>);

/// Why something is no secret. Says nothing of what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    /// Fewer bytes than `SECRET_BYTES_MIN`.
    #[error("a secret has at least {SECRET_BYTES_MIN} bytes, this one {0}")]
    Short(usize),
    /// More bytes than `SECRET_BYTES_MAX`.
    #[error("a secret has at most {SECRET_BYTES_MAX} bytes, this one {0}")]
    Long(usize),
    /// More than `SECRETS_MAX`.
    #[error("at most {SECRETS_MAX} secrets hold at once, here are {0}")]
    Many(usize),
}

impl Secret {
    /// A secret of these bytes.
    pub fn new(bytes: &[u8]) -> Result<Secret, SecretFault> {
        match bytes.len() {
            length if length < SECRET_BYTES_MIN => Err(SecretFault::Short(length)),
            length if length > SECRET_BYTES_MAX => Err(SecretFault::Long(length)),
            _ => Ok(Secret(bytes.to_vec())),
        }
    }

    /// The bytes: for a MAC's key alone.
    pub fn key(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

impl Secrets {
    /// These secrets, the newest first.
    pub fn new(secrets: Vec<Secret>) -> Result<Secrets, SecretFault> {
        if secrets.len() > SECRETS_MAX { Err(SecretFault::Many(secrets.len())) } else { Ok(Secrets(secrets)) }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter()
    }

    /// Whether nobody is asked for one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_secret_is_shown_nowhere() {
        let text = "a secret of enough letters";
        let secrets = Secrets::new(vec![Secret::new(text.as_bytes()).expect("long enough")]).expect("one");
        let config = Config { secrets, ..Config::default() };
        let shown = format!("{config:?}");
        let letters = format!("{:?}", text.as_bytes());
        assert!(!shown.contains(text) && !shown.contains(&letters), "{shown}");
        assert_eq!(Secret::new(b"too short"), Err(SecretFault::Short(9)));
        assert_eq!(Secret::new(&[7; 257]), Err(SecretFault::Long(257)));
        let many = vec![Secret::new(text.as_bytes()).expect("long enough"); 5];
        assert_eq!(Secrets::new(many), Err(SecretFault::Many(5)));
    }
}
