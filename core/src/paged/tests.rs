//! Laws of a paged map: it is a `BTreeMap`, clones stay as they were, and a change costs what it touches.

use super::*;
use bytes::BytesMut;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Step {
    Insert(u16, usize),
    Change(u16, usize),
    Remove(u16),
    ChangeEach(u16),
    Clone,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = prop_oneof![10 => 0..400_usize, 4 => 3_000..9_000_usize, 1 => 15_000..40_000_usize];
    let step = (0..600_u16, bytes, 0..20_u8).prop_map(|(key, bytes, kind)| match kind {
        0..8 => Step::Insert(key, bytes),
        8..11 => Step::Change(key, bytes),
        11..18 => Step::Remove(key),
        18 => Step::ChangeEach(key),
        _ => Step::Clone,
    });
    prop::collection::vec(step, 1..400)
}

type Map = Paged<u16, Vec<u8>>;

/// What the essay promises.
fn check(map: &Map, model: &BTreeMap<u16, Vec<u8>>) {
    assert!(map.iter().eq(model.iter()));
    assert_eq!(map.len(), model.len());
    assert_eq!(map.bytes(), model.iter().map(|entry| codec::encoded_bytes(&entry)).sum::<usize>());
    let editions: BTreeSet<Edition> = map.editions().collect();
    assert_eq!(editions.len(), map.pages.len(), "each page has an edition of its own");
    for page in &map.pages {
        assert!(!page.entries.is_empty());
        assert!(page.bytes <= PAGE_BYTES || page.entries.len() == 1);
        assert_eq!(page.bytes, page.entries.iter().map(codec::encoded_bytes).sum::<usize>());
    }
    for key in (0..600).step_by(37) {
        assert_eq!(map.get(&key), model.get(&key));
        assert!(map.from(&key).eq(model.range(key..)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_map_and_its_clones_stay_as_they_were(steps in steps()) {
        let (mut map, mut model) = (Map::default(), BTreeMap::new());
        let mut clones: Vec<(Map, BTreeMap<u16, Vec<u8>>)> = Vec::new();
        for step in steps {
            let before: Vec<*const Page<u16, Vec<u8>>> = map.pages.iter().map(Arc::as_ptr).collect();
            let editions: BTreeMap<Edition, Bytes> = (0..map.pages.len()).filter_map(|at| map.page(at)).collect();
            let is_one = !matches!(step, Step::ChangeEach(_));
            match step {
                Step::Insert(key, bytes) => {
                    prop_assert_eq!(map.insert(key, vec![7; bytes]), model.insert(key, vec![7; bytes]));
                }
                Step::Change(key, bytes) => {
                    map.change(key, |value| value.resize(bytes, 9));
                    model.entry(key).or_default().resize(bytes, 9);
                }
                Step::Remove(key) => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                Step::ChangeEach(most) => {
                    let meant = |value: &Vec<u8>| value.len() < usize::from(most);
                    let count = map.change_each(meant, |value| value.push(1));
                    let mut expected = 0;
                    for value in model.values_mut().filter(|value| meant(value)) {
                        value.push(1);
                        expected += 1;
                    }
                    prop_assert_eq!(count, expected);
                }
                Step::Clone => clones.push((map.clone(), model.clone())),
            }
            check(&map, &model);
            let after: BTreeSet<*const Page<u16, Vec<u8>>> = map.pages.iter().map(Arc::as_ptr).collect();
            let gone = before.iter().filter(|page| !after.contains(page)).count();
            prop_assert!(!is_one || gone <= 2, "a change copies at most two pages");
            // Whoever has written an edition need not write it again.
            for (edition, bytes) in (0..map.pages.len()).filter_map(|at| map.page(at)) {
                prop_assert!(editions.get(&edition).is_none_or(|written| *written == bytes));
            }
        }
        for (map, model) in &clones {
            check(map, model);
        }
    }

    #[test]
    fn its_pages_are_read_back_one_by_one(steps in steps()) {
        let mut map = Map::default();
        for step in steps {
            match step {
                Step::Insert(key, bytes) | Step::Change(key, bytes) => drop(map.insert(key, vec![3; bytes])),
                Step::Remove(key) => drop(map.remove(&key)),
                Step::ChangeEach(_) | Step::Clone => {}
            }
        }
        let mut read = Map::default();
        for number in 0.. {
            let Some((edition, bytes)) = map.page(number) else { break };
            prop_assert_eq!(read.push_page(edition, &bytes), Ok(()));
            prop_assert!(read.push_page(edition, &bytes).is_err(), "a page belongs at one place");
        }
        prop_assert_eq!(&read, &map);
        prop_assert_eq!((read.bytes(), read.editions_given <= map.editions_given), (map.bytes(), true));
        let whole = encoded(&map);
        let model: BTreeMap<u16, Vec<u8>> = map.iter().map(|(key, value)| (*key, value.clone())).collect();
        prop_assert_eq!(&whole, &encoded(&model), "in one piece it is what a BTreeMap is");
        prop_assert_eq!(codec::take::<Map>(&whole, "map"), Ok((map, whole.len())));
    }

    #[test]
    fn a_page_with_any_other_bit_is_none(place in any::<prop::sample::Index>(), bit in 0..8) {
        let map: Map = (0..40).map(|key| (key, vec![5; 30])).collect();
        let (edition, bytes) = map.page(0).expect("it has one");
        let mut bytes = bytes.to_vec();
        let place = place.index(bytes.len());
        bytes[place] ^= 1_u8 << bit;
        prop_assert_eq!(Map::default().push_page(edition, &bytes), Err(PageFault::Rotten));
    }
}

#[test]
fn the_bytes_of_a_page_stay_what_they_are() {
    let map: Paged<u16, String> = [(1, "one".to_owned()), (300, "many".to_owned())].into_iter().collect();
    let (_, bytes) = map.page(0).expect("it has one");
    let expected = "5001000000027ccd033501036f6e65fb2c01046d616e79";
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, expected);
}

#[test]
fn a_page_of_a_newer_build_is_named() {
    let map: Paged<u16, u16> = [(1, 1)].into_iter().collect();
    let mut bytes = map.pages[0].encode().to_vec();
    bytes[1] = 2;
    let crc = page::crc(&bytes);
    bytes[6..10].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(Paged::<u16, u16>::default().push_page(Edition(1), &bytes), Err(PageFault::Newer(2)));
}

#[test]
fn keys_that_rise_fill_their_pages() {
    let map: Paged<u64, [u8; 32]> = (0..100_000).map(|key| (key, [0; 32])).collect();
    let full = map.bytes().div_ceil(PAGE_BYTES);
    assert!(map.pages.len() <= full + full / 50, "{} pages for {full}", map.pages.len());
}

#[test]
fn what_is_taken_out_gives_its_pages_back() {
    let mut map: Paged<u64, [u8; 32]> = (0..100_000).map(|key| (key, [0; 32])).collect();
    let pages = map.pages.len();
    for key in (0..100_000).filter(|key| key % 50 != 0) {
        map.remove(&key);
    }
    assert!(map.pages.len() <= pages / 10, "{} of {pages} pages", map.pages.len());
}

fn encoded<T: Encode>(value: &T) -> Bytes {
    let mut bytes = BytesMut::new();
    codec::append(value, &mut bytes);
    bytes.freeze()
}
