//! A prober: one small record every few milliseconds to whoever leads, by asking anew after every failure, as a
//! client does; and what it sees when the leader is killed. The gap is the longest time without an acknowledgement.

use crate::client::Client;
use crate::load::batch;
use crate::metric::{Measurements, Metric};
use crate::side::cluster::{Cluster, leaders_seen_by};
use crate::workload::pipelined::{error_code, request};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Between two records.
const EVERY: Duration = Duration::from_millis(5);
/// An answer that takes longer counts as none.
const ANSWER_MAX: Duration = Duration::from_millis(1_000);
/// Sent before the kill, and after it until records are acknowledged again.
const BEFORE: Duration = Duration::from_secs(2);
const AFTER_MAX: Duration = Duration::from_secs(40);

/// Kills the leader of a topic while records are sent to it: the longest silence that ends after the kill.
pub fn failover(cluster: &mut Cluster) -> io::Result<Measurements> {
    let topic = cluster.create_topic("failover", 1)?;
    let addresses: Vec<String> = cluster.addresses().split(',').map(str::to_owned).collect();
    let names = [topic.name.clone()];
    let is_over = AtomicBool::new(false);
    let mut killed_at = Instant::now();
    let acknowledged = thread::scope(|scope| {
        let prober = scope.spawn(|| probe(&addresses, &topic.name, &is_over));
        thread::sleep(BEFORE);
        let leader = leaders_seen_by(&addresses[0], &names)?;
        let leader = leader.map_or(topic.leaders[0].clone(), |topics| topics[0].leaders[0].clone());
        let Some(node) = cluster.node_mut(&leader) else {
            is_over.store(true, Ordering::Relaxed);
            return Err(io::Error::other(format!("no node of ours serves at the leader's {leader}")));
        };
        killed_at = Instant::now();
        node.kill()?;
        let deadline = Instant::now() + AFTER_MAX;
        while Instant::now() < deadline && !is_led_by_another(&addresses, &names, &leader) {
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(BEFORE);
        is_over.store(true, Ordering::Relaxed);
        Ok::<_, io::Error>(prober.join().expect("the prober does not panic"))
    })?;
    let is_back = acknowledged.last().is_some_and(|last| *last > killed_at);
    if !is_back {
        return Err(io::Error::other("nothing was acknowledged after the leader was killed"));
    }
    Ok(Measurements::default().with(Metric::Duration, gap(&acknowledged, killed_at).as_secs_f64() * 1e3))
}

/// The longest time between two acknowledgements of which the second came after the kill.
fn gap(acknowledged: &[Instant], killed_at: Instant) -> Duration {
    let after = acknowledged.windows(2).filter(|pair| pair[1] > killed_at);
    after.map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

fn is_led_by_another(addresses: &[String], names: &[String], old: &str) -> bool {
    let others = addresses.iter().filter(|address| *address != old);
    others
        .filter_map(|address| leaders_seen_by(address, names).ok().flatten())
        .any(|topics| topics[0].leaders[0] != old)
}

/// When each record was acknowledged.
fn probe(addresses: &[String], topic: &str, is_over: &AtomicBool) -> Vec<Instant> {
    let record = batch(1, 100);
    let mut acknowledged = Vec::new();
    let mut leader: Option<Client> = None;
    let mut asked = 0;
    while !is_over.load(Ordering::Relaxed) {
        if leader.is_none() {
            leader = find(&addresses[asked % addresses.len()], topic);
            asked += 1;
        }
        let answer = leader.as_mut().map(|client| client.exchange(&request(topic, 0, record.clone())));
        match answer {
            Some(Ok(answer)) if error_code(&answer, topic) == Some(0) => acknowledged.push(Instant::now()),
            _ => leader = None,
        }
        thread::sleep(EVERY);
    }
    acknowledged
}

/// A connection to whoever leads in the eyes of this node.
fn find(address: &str, topic: &str) -> Option<Client> {
    let topics = leaders_seen_by(address, &[topic.to_owned()]).ok()??;
    let client = Client::connect(&topics[0].leaders[0]).ok()?;
    client.answer_within(ANSWER_MAX).ok()?;
    Some(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_is_the_longest_silence() {
        let begun = Instant::now();
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        let probes = [at(0), at(5), at(900), at(905), at(930)];
        assert_eq!(gap(&probes, at(7)), Duration::from_millis(895));
        assert_eq!(
            gap(&probes, at(902)),
            Duration::from_millis(25),
            "what was before the kill is not its gap"
        );
        assert_eq!(gap(&[at(3)], at(0)), Duration::ZERO);
    }
}
