//! `/metrics`: what the core has counted, asked for piece by piece, and what the process has, written down by the crate
//! `metrics`.
//!
//! One scrape at a time: whoever comes meanwhile waits. The text is made on a thread for what takes long: the one that
//! serves also carries the votes between nodes.

use super::{Admin, asked, each_partition, process, readiness};
use rust_mq_core::action::Answer;
use rust_mq_core::event::Question;
use rust_mq_core::watched::{Metrics, Wanted};
use rust_mq_metrics::{Form, Replicas, Scrape, Shares};

/// A whole scrape; none if the core does not answer.
pub(super) async fn scraped(admin: &Admin, form: Form) -> Option<String> {
    let _alone = admin.scraping.lock().await;
    let Answer::Metrics(Metrics::Node(node)) = asked(admin, Question::Metrics(Wanted::Node)).await? else {
        return None;
    };
    let Answer::Readiness(unready) = asked(admin, Question::Readiness).await? else { return None };
    let mut replicas = Replicas::default();
    each_partition(admin, |partition| replicas.add(partition)).await?;
    let shares = shares(admin).await?;
    let reasons = readiness::reasons(&unready, replicas.leaderless);
    let (id, driven, started) = (admin.node, admin.counts.now(), admin.started);
    let written = move || {
        let unready = reasons.iter().map(|reason| reason.code).collect();
        let (version, process) = (env!("CARGO_PKG_VERSION"), process::now(started));
        let reasons = &readiness::CODES;
        Scrape { node: *node, id, version, unready, reasons, replicas, shares, driven, process }.written(form)
    };
    tokio::task::spawn_blocking(written).await.ok()
}

async fn shares(admin: &Admin) -> Option<Shares> {
    let mut shares = Shares::default();
    let mut after = None;
    loop {
        let wanted = Question::Metrics(Wanted::Groups { after });
        let Answer::Metrics(Metrics::Groups(piece)) = asked(admin, wanted).await? else { return None };
        piece.told.into_iter().for_each(|group| shares.add(group));
        after = piece.next;
        if after.is_none() {
            return Some(shares);
        }
    }
}
