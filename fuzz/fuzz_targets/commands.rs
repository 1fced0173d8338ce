//! The commands of one metadata decision, as they lie in an entry of the journal or come from a leader.
//!
//! Law: commands that were read, written and read again are the same commands.

#![cfg_attr(fuzzing, no_main)]

use rust_mq_core::codec;
use rust_mq_core::level::Levels;
use rust_mq_core::metadata::Command;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));

/// Reads one entry's payload, and what we make of it once more.
pub fn run(bytes: &[u8]) {
    let level = Levels::BUILD.newest;
    let read = |bytes: &[u8]| codec::decode_all::<Command>(bytes, level);
    let Ok(commands) = read(bytes) else { return };
    let again = read(&codec::encode_all(&commands, level));
    assert_eq!(again.as_ref(), Ok(&commands), "commands changed on their way through the codec");
}
