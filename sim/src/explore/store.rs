//! The folder of a search: `kept/` holds the plans that reached something new, `red/` those that broke a claim, small
//! once they are made so. A plan's name follows from its text, so that none is stored twice.

use crate::claims::Failure;
use crate::plan::Plan;
use crate::story::{plan_text, read_plan};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// It.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens it, or makes it; and the plans that an earlier search has kept there.
    pub fn open(path: &Path) -> io::Result<(Folder, Vec<Plan>)> {
        let folder = Folder { path: path.to_owned() };
        let mut kept = Vec::new();
        for name in ["kept", "red"] {
            fs::create_dir_all(path.join(name))?;
        }
        for entry in fs::read_dir(path.join("kept"))? {
            let path = entry?.path();
            let plan =
                read_plan(&path).map_err(|words| io::Error::other(format!("{}: {words}", path.display())));
            kept.push((path, plan?));
        }
        kept.sort_by(|one, other| one.0.cmp(&other.0));
        Ok((folder, kept.into_iter().map(|(_, plan)| plan).collect()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a plan.
    pub fn keep(&self, plan: &Plan) -> io::Result<()> {
        let text = plan_text(plan);
        fs::write(self.path.join("kept").join(format!("{}.json", name_of(&text))), text)
    }

    /// Stores a plan that broke a claim; where.
    pub fn red(&self, failure: &Failure, plan: &Plan) -> io::Result<PathBuf> {
        let text = plan_text(plan);
        let path = self.path.join("red").join(format!("{}-{}.json", failure.claim, name_of(&text)));
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Puts a smaller plan in the place of a stored one.
    pub fn replace(&self, path: &Path, plan: &Plan) -> io::Result<()> {
        fs::write(path, plan_text(plan))
    }
}

fn name_of(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
