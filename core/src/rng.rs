//! Named streams of chance, all grown from the one seed that `Broker::new` was given.
//!
//! A room draws from a stream of its own name, so that one room drawing more shifts no other's choices.
//! ChaCha8 is value-stable across versions and platforms, which golden traces rely on.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One named stream.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream `name` of `seed`.
    pub fn stream(seed: u64, name: &str) -> Rng {
        Rng(ChaCha8Rng::seed_from_u64(hash(&[seed, hash_name(name)])))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// The next 128 bits.
    pub fn next_u128(&mut self) -> u128 {
        (u128::from(self.next_u64()) << 64) | u128::from(self.next_u64())
    }

    /// A number below `bound`, which must not be 0. The bias is below 2^-32 for bounds below 2^32.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing is below 0");
        self.next_u64() % bound
    }
}

/// A pure mixture of `words` (SplitMix64's finalizer over a running sum): equal words, equal hash, on
/// every platform. For choices that must not depend on how many draws came before.
pub fn hash(words: &[u64]) -> u64 {
    words.iter().fold(0x9e37_79b9_7f4a_7c15, |state, word| mix(state ^ mix(*word)))
}

fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn hash_name(name: &str) -> u64 {
    name.bytes().fold(0, |state, byte| mix(state ^ u64::from(byte)))
}
