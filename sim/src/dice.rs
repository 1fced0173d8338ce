//! Chance, all of it grown from one root: named streams, and dice that are pure hashes.
//!
//! A stream belongs to one chooser (`root.stream("clients", &[3])`), so that one chooser drawing more shifts no
//! other's choices; a die thrown per message is a hash of (key, message number), so that it does not even
//! depend on how many messages were lost before. Shrinking lives from both.
//!
//! Invariant: no float decides anything here; the exponential distribution is a table of integers.

use rust_mq_core::rng::hash;

/// The root of all streams of one run: the first draw of madsim's generator for the run's seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root(pub u64);

/// A family of dice thrown by number.
#[derive(Clone, Copy, Debug)]
pub struct Key(u64);

/// One stream of chance.
#[derive(Clone, Debug)]
pub struct Dice(u64);

/// `-ln(1 - x)` at the middles of 64 equal steps of x, times 1024.
const EXPONENTIAL: [u64; 64] = [
    8, 24, 41, 58, 75, 92, 110, 128, 146, 165, 184, 203, 223, 243, 263, 284, 305, 327, 349, 372, 395, 419,
    444, 469, 494, 520, 547, 575, 603, 633, 663, 694, 726, 759, 793, 828, 865, 903, 942, 983, 1026, 1070,
    1117, 1166, 1217, 1271, 1328, 1388, 1452, 1520, 1594, 1672, 1758, 1851, 1953, 2067, 2195, 2342, 2513,
    2719, 2976, 3320, 3844, 4968,
];

impl Root {
    /// The stream `name` of the chooser that `words` number.
    pub fn stream(self, name: &str, words: &[u64]) -> Dice {
        Dice(self.key(name, words).0)
    }

    /// The dice `name` of the thrower that `words` number.
    pub fn key(self, name: &str, words: &[u64]) -> Key {
        let name = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |state, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Key(hash(&[self.0, name, hash(words)]))
    }
}

impl Key {
    /// The throw of that number.
    pub fn throw(self, number: u64) -> Dice {
        Dice(self.0 ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }
}

impl Dice {
    /// The next 64 bits (SplitMix64).
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let word = self.word();
        if bound == 0 { 0 } else { word % bound }
    }

    /// A position in something of that length.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// A number between two, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below((high - low).saturating_add(1))
    }

    /// True in so many of a million throws.
    pub fn chance(&mut self, per_million: u64) -> bool {
        self.below(1_000_000) < per_million
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.word() & 1 == 1
    }

    /// A number spread evenly over the orders of magnitude between two, `low` at least 1.
    pub fn log_uniform(&mut self, low: u64, high: u64) -> u64 {
        let (low, high) = (low.max(1), high.max(low.max(1)));
        let octaves = u64::from(high.ilog2() - low.ilog2());
        let floor = low << self.between(0, octaves);
        self.between(floor.min(high), floor.saturating_mul(2).min(high))
    }

    /// Exponentially distributed with that mean (at most five times it).
    pub fn exponential(&mut self, mean: u64) -> u64 {
        let word = self.word();
        let step = EXPONENTIAL[(word & 63) as usize];
        // Within a step the value is smeared evenly, so that not only 64 values occur.
        let smear = (word >> 6) & 15;
        (mean.saturating_mul(step * 16 + smear)) >> 14
    }

    /// One of them.
    ///
    /// Precondition: there is one.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_apart_and_stable() {
        let root = Root(7);
        assert_eq!(root.stream("a", &[1]).word(), root.stream("a", &[1]).word());
        assert_ne!(root.stream("a", &[1]).word(), root.stream("a", &[2]).word());
        assert_ne!(root.stream("a", &[1]).word(), root.stream("b", &[1]).word());
    }

    #[test]
    fn exponential_has_its_mean() {
        let mut dice = Root(1).stream("mean", &[]);
        let sum: u64 = (0..10_000).map(|_| dice.exponential(1_000)).sum();
        assert!((9_500_000..10_500_000).contains(&sum), "mean of 10,000 draws is {}", sum / 10_000);
    }

    #[test]
    fn log_uniform_stays_within() {
        let mut dice = Root(2).stream("log", &[]);
        assert!((0..10_000).map(|_| dice.log_uniform(3, 1000)).all(|n| (3..=1000).contains(&n)));
    }
}
