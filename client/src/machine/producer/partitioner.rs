//! Which partition a record goes to: what Kafka's default partitioner says, so that a key lies where any other client
//! looks for it. Without a key, all records go to one partition until a batch of it is full, and then to another
//! (KIP-480); of two that chance names it is the one with the shorter queue.

use crate::machine::chance::Chance;

/// The partition of a key.
pub fn of_key(key: &[u8], partitions: usize) -> usize {
    (murmur2(key) & 0x7FFF_FFFF) as usize % partitions.max(1)
}

/// Another partition than that for records without a key, of those that have a leader, if any have.
///
/// `queued` says for each partition how much waits there, or None if nobody leads it.
pub fn another(current: Option<usize>, queued: &[Option<usize>], chance: &mut Chance) -> usize {
    let has_leaders = queued.iter().any(Option::is_some);
    let candidates = || {
        queued
            .iter()
            .enumerate()
            .filter(|(number, queued)| Some(*number) != current && (queued.is_some() || !has_leaders))
    };
    let count = candidates().count() as u64;
    if count == 0 {
        return current.unwrap_or(0);
    }
    let mut pick = || candidates().nth(chance.below(count) as usize).map_or(0, |(number, _)| number);
    let (one, other) = (pick(), pick());
    if queued[one] <= queued[other] { one } else { other }
}

/// MurmurHash2 of 32 bits (Austin Appleby, in the public domain) with the seed of Kafka's clients.
fn murmur2(bytes: &[u8]) -> u32 {
    const FACTOR: u32 = 0x5BD1_E995;
    // Kafka's seed. The length counts in 32 bits, as there.
    let mut hash = 0x9747_B28C ^ bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(FACTOR);
        mixed = (mixed ^ (mixed >> 24)).wrapping_mul(FACTOR);
        hash = hash.wrapping_mul(FACTOR) ^ mixed;
    }
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(FACTOR);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_kafkas_own_test() {
        // apache/kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java
        let known: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn a_key_has_one_partition() {
        assert_eq!(of_key(b"foobar", 1), 0);
        // -790332482 without its sign is 1357151166.
        assert_eq!(of_key(b"foobar", 10), 6);
        assert_eq!(of_key(b"", 0), 0);
    }

    #[test]
    fn another_is_another_one_that_is_led_and_less_busy() {
        let mut chance = Chance::new(3);
        for _ in 0..100 {
            assert_ne!(another(Some(1), &[Some(0), Some(0), Some(0)], &mut chance), 1);
            assert_eq!(another(Some(1), &[None, Some(0), Some(0)], &mut chance), 2);
            assert_eq!(another(Some(0), &[Some(0)], &mut chance), 0);
            assert_eq!(another(None, &[None], &mut chance), 0);
        }
        let idle = (0..1_000).filter(|_| another(None, &[Some(9), Some(0)], &mut chance) == 1).count();
        assert!(idle > 650, "three of four: {idle}");
    }
}
