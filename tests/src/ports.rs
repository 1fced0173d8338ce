//! Addresses for those that must know theirs before they listen: a member of a cluster, which its peers find by
//! its configuration; and addresses where nobody is.
//!
//! Whoever binds port 0 is given one of the ports that the machine also gives to connections as their own end
//! (`ip_local_port_range`): between letting it go and a broker's taking it, any connection may sit on it. So these
//! are from below that range, where nobody is put by chance, and each is kept for this process as long as it
//! lives, by a UDP socket on the same port: UDP's ports are others than TCP's, and only who asks here asks there.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

/// The first port that is tried: above those that services are known by.
const FIRST: u16 = 20_000;

/// What this process holds.
struct Held {
    next: u16,
    sockets: Vec<UdpSocket>,
}

static HELD: Mutex<Held> = Mutex::new(Held { next: FIRST, sockets: Vec::new() });

/// Ports of 127.0.0.1 on which nobody listens, and which nobody is given until this process ends.
///
/// # Panics
///
/// When all ports below the machine's own are held.
pub fn free_ports(count: usize) -> Vec<u16> {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let end = connections_begin();
    let mut ports = Vec::with_capacity(count);
    while ports.len() < count {
        let port = held.next;
        assert!(port < end, "no port between {FIRST} and {end} is free");
        held.next += 1;
        let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            held.sockets.push(socket);
            ports.push(port);
        }
    }
    ports
}

/// [`free_ports`], one of them, as an address.
pub fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_ports(1)[0]).into()
}

/// The first port that this machine gives to connections.
fn connections_begin() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let first = range.ok().and_then(|range| range.split_whitespace().next()?.parse().ok());
    first.unwrap_or(32_768)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_given_once_and_lie_below_those_of_connections() {
        let mut ports = [free_ports(9), free_ports(3)].concat();
        assert!(ports.iter().all(|port| *port < connections_begin()), "{ports:?}");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 12);
        assert!(UdpSocket::bind((Ipv4Addr::LOCALHOST, ports[0])).is_err(), "another process may have it");
        assert!(
            TcpListener::bind((Ipv4Addr::LOCALHOST, ports[0])).is_ok(),
            "whoever it is for can listen there"
        );
    }
}
