//! The address of those who watch: what is answered there, to whom, and that nobody can keep others from it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};
use tests::http::{ask, get};
use tests::node::{Node, run_to_end};

const ADMIN: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_node_that_serves_is_alive_and_ready_and_says_which_it_is() {
    let node = Node::start(&ADMIN);
    let at = node.admin_address();
    let alive = get(at, "/healthz");
    assert_eq!((alive.status, alive.body.as_str()), (200, "alive\n"), "{}", alive.head);
    let ready = get(at, "/readyz");
    assert_eq!(ready.status, 200, "{ready:?}");
    assert_eq!(json(&ready.body), serde_json::json!({ "ready": true, "reasons": [] }));
    assert!(ready.head.contains("content-type: application/json"), "{}", ready.head);
    let version = get(at, "/version");
    assert_eq!(version.status, 200, "{version:?}");
    let version = json(&version.body);
    assert_eq!(version["name"], "rust-mq");
    assert_eq!(version["node_id"], 1);
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(get(at, "/").status, 200);
}

#[test]
fn what_is_no_page_is_said_to_be_none() {
    let node = Node::start(&ADMIN);
    let at = node.admin_address();
    let missing = get(at, "/nothing");
    assert!(missing.status == 404 && missing.body.contains("/readyz"), "{missing:?}");
    let posted =
        ask(at, "POST /readyz HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
    assert!(posted.status == 405 && posted.head.contains("allow: GET, HEAD"), "{posted:?}");
    let head = ask(at, "HEAD /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    // Neither HTTP nor short: refused, and nothing else happens.
    for nonsense in
        ["\x16\x03\x01\x02\r\n\r\n".to_owned(), format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000))]
    {
        let status = ask(at, &nonsense).status;
        assert!((400..500).contains(&status), "{status}");
    }
    assert_eq!(get(at, "/healthz").status, 200);
}

#[test]
fn a_node_of_a_cluster_that_nobody_leads_is_alive_and_not_ready_and_says_why() {
    let ports = tests::ports::free_ports(6);
    let folder = tests::folder::Folder::new();
    let member = |number: usize| {
        format!(
            "{{node_id: {number}, api_addr: \"127.0.0.1:{}\", rpc_addr: \"127.0.0.1:{}\"}}",
            ports[number - 1],
            ports[number + 1]
        )
    };
    let members = format!("RUST_MQ_CLUSTER__INITIAL_MEMBERS=[{}, {}]", member(1), member(2));
    let above = [
        "env",
        "RUST_MQ_NODE_ID=1",
        &format!("RUST_MQ_API_ADDR=127.0.0.1:{}", ports[0]),
        &format!("RUST_MQ_RPC_ADDR=127.0.0.1:{}", ports[2]),
        &format!("RUST_MQ_ADMIN_ADDR=127.0.0.1:{}", ports[4]),
        &format!("RUST_MQ_STORAGE_PATH={}", folder.join("data")),
        "RUST_MQ_CLUSTER__BOOTSTRAP=true",
        &members,
    ];
    let _node = Node::start_under(&above, &[]);
    let at = SocketAddr::from(([127, 0, 0, 1], ports[4]));
    assert_eq!(get(at, "/healthz").status, 200);
    let ready = get(at, "/readyz");
    assert_eq!(ready.status, 503, "{ready:?}");
    let said = json(&ready.body);
    assert_eq!(said["ready"], false);
    let reason = &said["reasons"][0];
    assert!(
        reason["code"].is_string() && reason["words"].as_str().is_some_and(|words| !words.is_empty()),
        "{said}"
    );
}

#[test]
fn nobody_listens_where_nobody_was_asked_to_and_others_are_served_only_if_that_is_said() {
    let node = Node::in_memory();
    assert!(!node.log().contains("\"admin\""), "{}", node.log());
    let open = run_to_end(&["--listen", "127.0.0.1:0", "--admin-addr", "0.0.0.0:0"]);
    assert!(!open.status.success() && open.log.contains("--insecure"), "{}", open.log);
    let taken = run_to_end(&["--listen", "127.0.0.1:0", "--admin-addr", &node.bootstrap()]);
    assert!(!taken.status.success() && taken.log.contains("cannot listen on"), "{}", taken.log);
    let bad = run_to_end(&["--admin-addr", "outer://127.0.0.1:1"]);
    assert_eq!(bad.status.code(), Some(2), "{}", bad.log);
}

#[test]
fn those_who_hold_every_connection_are_few_and_clients_do_not_notice() {
    let node = Node::start(&ADMIN);
    let at = node.admin_address();
    let mut held: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(at).expect("the backlog takes it")).collect();
    for stream in &mut held {
        // Some are closed already.
        let _ = stream.write_all(b"GET /healthz HT");
    }
    let is_open = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout can be set");
        // Whoever is still waited for is told nothing; all others are hung up on.
        stream
            .read(&mut [0; 16])
            .is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    };
    let open = held.iter_mut().filter_map(|stream| is_open(stream).then_some(())).count();
    assert_eq!(open, 16, "the others were closed");
    assert!(node.serves(), "clients come by another door");
    assert!(node.log().contains("cannot watch"), "{}", node.log());
    drop(held);
    let until = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(at).is_ok() && Instant::now() < until {
        let mut stream = TcpStream::connect(at).expect("it listens");
        let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let mut text = String::new();
        if asked.is_ok() && stream.read_to_string(&mut text).is_ok() && text.starts_with("HTTP/1.1 200") {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("who has left still holds a place");
}
