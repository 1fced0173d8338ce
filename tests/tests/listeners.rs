//! Several listeners: who comes to one of them is sent to the other nodes' of the same name.

use kafka_protocol::messages::FindCoordinatorRequest;
use kafka_protocol::protocol::StrBytes;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::cluster::told;
use tests::folder::Folder;
use tests::node::{Node, run_to_end};
use tests::ports::free_ports;

/// How long three nodes may take to found their cluster.
const PATIENCE: Duration = Duration::from_secs(60);

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[test]
fn a_node_alone_tells_each_client_what_its_listener_advertises() {
    let ports = free_ports(2);
    let listen = format!("inner://127.0.0.1:{},outer://127.0.0.1:{}", ports[0], ports[1]);
    let node = Node::start(&["--listen", &listen, "--advertise", "outer://broker.example:9092"]);
    assert_eq!(
        told(&mut Client::connect(local(ports[0]))),
        [format!("127.0.0.1:{}", ports[0])],
        "where it came to"
    );
    assert_eq!(told(&mut Client::connect(local(ports[1]))), ["broker.example:9092"]);
    assert!(node.log().contains(&format!("outer://127.0.0.1:{}", ports[1])), "{}", node.log());
}

/// Three nodes with an inner and an outer listener, told by the environment alone: ports by listener, inner first.
fn environments(folder: &Folder, ports: [&[u16]; 3]) -> Vec<Vec<String>> {
    let [inner, outer, rpc] = ports;
    let member = |number: usize| {
        format!(
            "{{node_id: {}, listeners: {{inner: \"127.0.0.1:{}\", outer: \"localhost:{}\"}}, rpc_addr: \"127.0.0.1:{}\"}}",
            number + 1,
            inner[number],
            outer[number],
            rpc[number]
        )
    };
    let members = (0..3).map(member).collect::<Vec<_>>().join(", ");
    let node = |number: usize| {
        vec![
            "env".to_owned(),
            format!("RUST_MQ_NODE_ID={}", number + 1),
            format!("RUST_MQ_LISTENERS__INNER__ADDR=127.0.0.1:{}", inner[number]),
            format!("RUST_MQ_LISTENERS__OUTER__ADDR=127.0.0.1:{}", outer[number]),
            format!("RUST_MQ_RPC_ADDR=127.0.0.1:{}", rpc[number]),
            format!("RUST_MQ_STORAGE_PATH={}", folder.join(&format!("data-{number}"))),
            format!("RUST_MQ_CLUSTER__BOOTSTRAP={}", number == 0),
            format!("RUST_MQ_CLUSTER__INITIAL_MEMBERS=[{members}]"),
        ]
    };
    (0..3).map(node).collect()
}

#[test]
fn clients_of_a_cluster_are_told_the_addresses_of_the_listener_that_they_came_to() {
    let folder = Folder::new();
    let ports = free_ports(9);
    let (inner, outer, rpc) = (&ports[0..3], &ports[3..6], &ports[6..9]);
    let nodes: Vec<Node> = environments(&folder, [inner, outer, rpc])
        .iter()
        .map(|said| Node::start_under(&said.iter().map(String::as_str).collect::<Vec<_>>(), &[]))
        .collect();
    let expected = |host: &str, ports: &[u16]| -> Vec<String> {
        ports.iter().map(|port| format!("{host}:{port}")).collect()
    };
    for number in 0..3 {
        assert_eq!(told(&mut Client::connect(local(inner[number]))), expected("127.0.0.1", inner));
        assert_eq!(told(&mut Client::connect(local(outer[number]))), expected("localhost", outer));
    }
    // Whoever is sent on is sent by the same way.
    let ask = FindCoordinatorRequest::default().with_key(StrBytes::from_static_str("sharers"));
    let deadline = Instant::now() + PATIENCE;
    let coordinator = loop {
        let answer = Client::connect(local(outer[1])).ask(3, &ask);
        if answer.error_code == 0 {
            break answer;
        }
        assert!(Instant::now() < deadline, "no coordinator within {PATIENCE:?}: {answer:?}");
        thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(coordinator.host.as_str(), "localhost");
    assert!(outer.contains(&u16::try_from(coordinator.port).expect("a port")), "{coordinator:?}");
    drop(nodes);
}

#[test]
fn what_does_not_fit_about_listeners_is_refused() {
    for (arguments, code, words) in [
        (
            &["--listen", "a://127.0.0.1:0,a://127.0.0.1:0"][..],
            2,
            &["--listen", "second", "inner://HOST:PORT"][..],
        ),
        (&["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"], 2, &["second", "inner://HOST:PORT"]),
        (&["--listen", "a-b://127.0.0.1:0"], 2, &["--listen", "`a-b` is no name of a listener"]),
        (&["--listen", "a://b://127.0.0.1:0"], 2, &["is no address"]),
        (&["--advertise", "a://b:1"], 2, &["--advertise", "`a` has no `addr`", "--listen a://HOST:PORT"]),
        (&["--listen", "a://127.0.0.1:0", "--advertise", "b:1"], 2, &["--advertise", "NAME://HOST:PORT"]),
        (
            &["--listen", "a://127.0.0.1:0", "--advertise", "a://0.0.0.0:1"],
            2,
            &["--advertise", "a client can be told"],
        ),
        (
            &["--listen", "a://127.0.0.1:0", "--advertise", "a://[::]:1"],
            2,
            &["--advertise", "a client can be told"],
        ),
        (
            &["--listen", "a://127.0.0.1:0", "--advertise", "a://b:0"],
            2,
            &["--advertise", "a client can be told"],
        ),
        (&["--listen", "a://0.0.0.0:0"], 1, &["0.0.0.0:0", "--insecure"]),
    ] {
        let ended = run_to_end(&[arguments, &["--check"]].concat());
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {}", ended.log);
        for word in words {
            assert!(ended.log.contains(word), "no {word:?} after {arguments:?} in\n{}", ended.log);
        }
    }
}
