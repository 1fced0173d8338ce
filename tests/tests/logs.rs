//! What clients cause does not fill the log, and nothing of it is lost: of lines that are not written the next one tells
//! the number.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};
use tests::node::Node;

/// Speaks what no client of ours does, until it is hung up on.
fn nonsense(node: &Node) {
    let mut stream = TcpStream::connect(node.address()).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    // It may be closed before all of it is sent.
    let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n");
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn of_a_flood_of_refused_connections_a_line_a_second_is_written_and_all_are_counted() {
    let node = Node::in_memory();
    let started = Instant::now();
    (0..200).for_each(|_| nonsense(&node));
    thread::sleep(Duration::from_millis(1_100));
    nonsense(&node);
    let seconds = started.elapsed().as_secs();
    thread::sleep(Duration::from_millis(200));
    let log = node.log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .filter(|line| line.contains("refused a connection"))
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    assert!(
        (2..=seconds as usize + 2).contains(&lines.len()),
        "{} lines in {seconds} s:\n{log}",
        lines.len()
    );
    let not_logged: u64 = lines.iter().filter_map(|line| line["not_logged"].as_u64()).sum();
    assert_eq!(not_logged + lines.len() as u64, 201, "{log}");
}
