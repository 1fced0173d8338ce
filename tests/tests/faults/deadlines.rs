//! Clients that fall silent. Promise: half a request has half a minute, and a connection without its first bytes
//! ten seconds; who sends whole requests is served all the while. This waits as long as the promise says.

use super::eventually;
use std::time::{Duration, Instant};
use tests::client::{Client, Reply};
use tests::node::Node;

/// `FIRST_BYTES_WAIT` and the sweep that looks for it, with room for a busy machine.
const FIRST_BYTES: [Duration; 2] = [Duration::from_secs(9), Duration::from_secs(25)];
/// `REQUEST_ARRIVAL_MAX`, likewise.
const HALF_REQUEST: [Duration; 2] = [Duration::from_secs(29), Duration::from_secs(45)];

/// Waits until the broker closes the connection, which it does within these bounds.
#[track_caller]
fn is_closed_within(client: &mut Client, since: Instant, [least, most]: [Duration; 2]) {
    assert_eq!(client.receive(most.saturating_sub(since.elapsed())), Reply::Closed);
    let waited = since.elapsed();
    assert!((least..most).contains(&waited), "closed after {waited:?}");
}

#[test]
fn silence_and_half_requests_are_closed_in_their_time() {
    let node = Node::in_memory();
    let since = Instant::now();
    let (mut silent, mut hesitant, mut half) = (node.connect(), node.connect(), node.connect());
    hesitant.send(&[0, 0]).expect("a fresh connection takes two bytes");
    half.send(&[0, 0, 0, 100, 0, 3]).expect("a fresh connection takes a few bytes");
    is_closed_within(&mut silent, since, FIRST_BYTES);
    is_closed_within(&mut hesitant, since, FIRST_BYTES);
    assert!(node.serves(), "others are served");
    is_closed_within(&mut half, since, HALF_REQUEST);
    eventually("the log says why", || node.log().contains("half a request"));
}
