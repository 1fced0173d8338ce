//! Which topics a group's patterns mean: looked up among all names, some in each turn, and again when topics have come.
//!
//! Invariant: what is kept was found by looking at every name of one image.

use super::pattern::Pattern;
use crate::metadata::Metadata;
use std::collections::{BTreeMap, BTreeSet};

/// What an image's topics are told apart by: how many there are, and how many replicas were ever placed. One that is made
/// raises the second; one that is deleted lowers the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Topics(usize, u64);

/// What patterns mean.
#[derive(Debug, Default)]
pub struct Matching {
    /// By pattern, what was found when all names were looked at last.
    found: BTreeMap<String, BTreeSet<String>>,
    /// In which image.
    seen: Topics,
    search: Option<Search>,
}

/// A look through all names.
#[derive(Debug)]
struct Search {
    patterns: Vec<(String, Pattern, BTreeSet<String>)>,
    after: Option<String>,
    seen: Topics,
}

impl Topics {
    /// Those of an image.
    pub fn of(image: &Metadata) -> Topics {
        Topics(image.topic_count(), image.replicas_placed())
    }
}

impl Matching {
    /// The topics of a pattern, if they are known.
    pub fn found(&self, pattern: &str) -> Option<&BTreeSet<String>> {
        self.found.get(pattern)
    }

    /// Whether all names are to be looked at, or are being, for these patterns.
    pub fn is_behind<'a>(
        &self,
        image: &Metadata,
        patterns: impl Iterator<Item = &'a String> + Clone,
    ) -> bool {
        let is_new = self.seen != Topics::of(image);
        is_new && patterns.clone().next().is_some() || self.is_unknown(patterns)
    }

    /// Whether what some of these patterns mean was never found, or is being looked for.
    pub fn is_unknown<'a>(&self, mut patterns: impl Iterator<Item = &'a String>) -> bool {
        self.search.is_some() || patterns.any(|pattern| !self.found.contains_key(pattern))
    }

    /// Looks for these patterns' topics, for about so many steps. Whether all are found.
    pub fn look<'a>(
        &mut self,
        image: &Metadata,
        patterns: impl Iterator<Item = &'a String>,
        steps: &mut usize,
    ) -> bool {
        let seen = Topics::of(image);
        let wanted: BTreeSet<&String> = patterns.collect();
        let is_meant = |search: &Search| {
            search.seen == seen && search.patterns.iter().map(|(text, ..)| text).eq(wanted.iter().copied())
        };
        if self.search.as_ref().is_none_or(|search| !is_meant(search)) {
            // One that cannot be read was taken by another build; it means nothing.
            let parsed = wanted
                .iter()
                .filter_map(|text| Some(((*text).clone(), Pattern::parse(text).ok()?, BTreeSet::new())));
            self.search = Some(Search { patterns: parsed.collect(), after: None, seen });
        }
        let Some(search) = &mut self.search else { return true };
        if !search.go_on(image, steps) {
            return false;
        }
        let found = std::mem::take(&mut search.patterns);
        self.found = found.into_iter().map(|(text, _, names)| (text, names)).collect();
        for text in wanted {
            self.found.entry(text.clone()).or_default();
        }
        self.seen = seen;
        self.search = None;
        true
    }
}

impl Search {
    fn go_on(&mut self, image: &Metadata, steps: &mut usize) -> bool {
        let cost: usize = 1 + self.patterns.iter().map(|(_, pattern, _)| pattern.steps).sum::<usize>();
        let after = self.after.take();
        for name in image.topic_names_after(after.as_deref()) {
            if *steps == 0 {
                return false;
            }
            *steps = steps.saturating_sub(cost);
            for (_, pattern, found) in &mut self.patterns {
                if pattern.matches(name) {
                    found.insert(name.to_owned());
                }
            }
            self.after = Some(name.to_owned());
        }
        true
    }
}
