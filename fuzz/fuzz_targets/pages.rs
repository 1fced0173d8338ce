//! A page of a state, as it lies in a file of state: bytes of a disk, or of a peer, which may be anything.
//!
//! Laws: bytes that are no page are refused; a page that was read has rising keys, is counted as large as it is, and
//! is the same page when it is written and read once more.

#![cfg_attr(fuzzing, no_main)]

use rust_mq_core::ids::Edition;
use rust_mq_core::paged::Paged;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));

/// Reads one page, and what we make of it once more.
pub fn run(bytes: &[u8]) {
    let mut map = Paged::<u64, Vec<u8>>::default();
    if map.push_page(Edition(7), bytes).is_err() {
        assert!(map.is_empty() && map.bytes() == 0, "a page that is refused leaves nothing");
        return;
    }
    assert!(map.keys().zip(map.keys().skip(1)).all(|(one, next)| one < next), "keys rise");
    let (edition, written) = map.page(0).expect("it was taken");
    let mut again = Paged::default();
    assert_eq!(again.push_page(edition, &written), Ok(()));
    assert_eq!((&again, again.bytes()), (&map, map.bytes()), "a page changed on its way through the codec");
}
