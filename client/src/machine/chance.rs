//! Dice of a seed: equal seeds, equal throws. For pauses and for the choice of partitions, where nothing depends on
//! nobody guessing them. The generator is SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number
//! generators").

/// A generator of chance.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The dice of that seed.
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0 if `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The bias of a remainder is far below anything that a pause or a choice of partitions would show.
        self.next().checked_rem(end).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_numbers_come_of_seed_0() {
        // Of the reference implementation, `splitmix64.c` on prng.di.unimi.it.
        let mut chance = Chance::new(0);
        let first = [chance.next(), chance.next(), chance.next()];
        assert_eq!(first, [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F]);
    }

    #[test]
    fn below_stays_below() {
        let mut chance = Chance::new(7);
        assert!((0..1_000).all(|_| chance.below(3) < 3));
        assert_eq!(chance.below(0), 0);
    }
}
