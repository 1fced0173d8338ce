//! A file for Docker Compose: three nodes, told by variables alone.
//!
//! Each has two listeners. Containers of the same network come to `inner` and are told the nodes' names, which hold there;
//! the machine that runs Docker comes to `outer`, by a port of its own for each node, and is told those.
//!
//! No image is published: Docker makes one from the binary that lies beside the file.

use std::fmt::Write;

/// Where the inner listener is, in each container.
const INNER_PORT: u16 = 19092;
/// Where the outer one is.
const OUTER_PORT: u16 = 9092;
/// Where the other nodes come to.
const PEERS_PORT: u16 = 9192;
/// Where metrics and health are; node 1's on this machine, too, and the others' at the next ones.
const ADMIN_PORT: u16 = 9644;
/// How many nodes.
const NODES: u16 = 3;

/// Asks the node whether it is ready, in bash's words, within quotes of YAML.
const IS_READY: &str = concat!(
    r"exec 3<>/dev/tcp/localhost/ADMIN && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3",
    " && grep -q 'HTTP/1.. 200' <&3",
);

const HEAD: &str = "\
# A Rust-MQ cluster of three. Put the rust-mq binary beside this file, then `docker compose up`.
#
# From this machine:                kcat -L -b localhost:FIRST
# From a container on its network:  kcat -L -b node-1:INNER
#
# Metrics and health of node 1:     curl localhost:ADMIN/metrics
#
# The nodes' ports are bound to this machine's loopback: there is no encryption and no login yet.
# The secret is new in each file that is generated; keep it to yourself.
";

/// The file; node 1 is at `port` of this machine, the others at the next ones.
pub fn file(port: u16, secret: &str) -> String {
    let text = HEAD.replace("FIRST", &port.to_string()).replace("INNER", &INNER_PORT.to_string());
    let mut text = text.replace("ADMIN", &ADMIN_PORT.to_string());
    text.push_str("name: rust-mq\n\nservices:\n");
    for node in 1..=NODES {
        text.push_str(&service(node, port, secret));
    }
    text.push_str("volumes:\n");
    for node in 1..=NODES {
        let _ = writeln!(text, "  node-{node}:");
    }
    text
}

fn service(node: u16, port: u16, secret: &str) -> String {
    let host_port = port + node - 1;
    let admin_port = ADMIN_PORT + node - 1;
    let is_founder = node == 1;
    let is_ready = IS_READY.replace("ADMIN", &ADMIN_PORT.to_string());
    let members: String = (1..=NODES).map(|node| member(node, port)).collect();
    format!(
        r#"  node-{node}:
    image: rust-mq
    build:
      context: .
      dockerfile_inline: |
        FROM debian:stable-slim
        COPY rust-mq /usr/local/bin/rust-mq
        ENTRYPOINT ["rust-mq"]
    hostname: node-{node}
    restart: unless-stopped
    stop_grace_period: 30s
    # Whether clients are served. bash can ask that by itself; `docker compose ps` shows it.
    healthcheck:
      test: ["CMD", "bash", "-c", "{is_ready}"]
      interval: 10s
      timeout: 5s
      start_period: 30s
    ulimits:
      nofile: 65536
    ports:
      - "127.0.0.1:{host_port}:{OUTER_PORT}"
      - "127.0.0.1:{admin_port}:{ADMIN_PORT}"
    volumes:
      - "node-{node}:/data"
    environment:
      RUST_MQ_NODE_ID: "{node}"
      RUST_MQ_STORAGE_PATH: "/data"
      RUST_MQ_LISTENERS__INNER__ADDR: "0.0.0.0:{INNER_PORT}"
      RUST_MQ_LISTENERS__OUTER__ADDR: "0.0.0.0:{OUTER_PORT}"
      RUST_MQ_RPC_ADDR: "0.0.0.0:{PEERS_PORT}"
      RUST_MQ_ADMIN_ADDR: "0.0.0.0:{ADMIN_PORT}"
      RUST_MQ_INSECURE: "true"
      RUST_MQ_CLUSTER__BOOTSTRAP: "{is_founder}"
      RUST_MQ_CLUSTER__SECRET: "{secret}"
      RUST_MQ_CLUSTER__INITIAL_MEMBERS: |
{members}
"#
    )
}

fn member(node: u16, port: u16) -> String {
    format!(
        "        - {{ node_id: {node}, rpc_addr: \"node-{node}:{PEERS_PORT}\", listeners: {{ inner: \
         \"node-{node}:{INNER_PORT}\", outer: \"localhost:{}\" }} }}\n",
        port + node - 1
    )
}
