//! Where clients are served, and what those who come there are told: Kafka's listeners.
//!
//! `api_addr` is the one without a name, and all that most nodes need. Each of `listeners` has a name, the same on all nodes
//! of a cluster, so that a client that came to one of them is sent to the others' of that name: those of a network of
//! containers to the names that hold within, those from outside to the ports that lead in.
//!
//! A node that is alone says itself what is told at each; of a cluster's nodes that stands in the list of members, where
//! each node has it of all.

use super::keys::{self, Found};
use super::layers::Layers;
use super::mistake::{Mistake, Wrong};
use super::source::Source;
use super::{Placed, values};
use crate::foreign_text::escaped;
use crate::limits::LISTENERS_MAX;
use rust_mq_core::link::Address;
use std::fmt;
use std::net::IpAddr;

/// Where clients are served.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name; of one at most it is empty.
    pub name: String,
    /// Where it is.
    pub addr: Placed<Address>,
    /// Where clients are told that a node is which is alone; otherwise wherever they came to.
    pub advertise: Option<Address>,
}

/// All that were said; 127.0.0.1:9092 if none was.
pub(super) fn all(layers: &Layers) -> Result<Vec<Listener>, Mistake> {
    let names = layers.names("listeners");
    let is_member = !layers.names("cluster.initial_members").is_empty();
    let mut listeners = Vec::new();
    let api_addr = layers.address("api_addr")?;
    if api_addr.is_some() || names.is_empty() {
        let otherwise = Address { host: "127.0.0.1".into(), port: 9092 };
        let addr = api_addr.unwrap_or(Placed { value: otherwise, source: Source::Default });
        listeners.push(Listener {
            name: String::new(),
            addr,
            advertise: advertise(layers, "advertise", is_member)?,
        });
    } else if let Some(said) = layers.said("advertise") {
        let wrong = Wrong::new("there is no listener without a name that it could be for");
        return Err(wrong
            .hint("say which: `listeners.NAME.advertise`, or --advertise NAME://HOST:PORT")
            .at(&said.source));
    }
    for name in names {
        let here = format!("listeners.{name}");
        let advertise = advertise(layers, &format!("{here}.advertise"), is_member)?;
        let Some(addr) = layers.address(&format!("{here}.addr"))? else {
            let source = layers.below(&here).next().map_or(Source::Default, |(_, said)| said.source.clone());
            let wrong = Wrong::new(format!("the listener `{name}` has no `addr`"));
            return Err(wrong
                .hint(format!("say where it is: `{here}.addr`, or --listen {name}://HOST:PORT"))
                .at(&source));
        };
        listeners.push(Listener { name, addr, advertise });
    }
    match listeners.get(LISTENERS_MAX) {
        None => Ok(listeners),
        Some(more) => Err(Wrong::new(format!("more than {LISTENERS_MAX} listeners")).at(&more.addr.source)),
    }
}

fn advertise(layers: &Layers, path: &str, is_member: bool) -> Result<Option<Address>, Mistake> {
    let said = if path == "advertise" { layers.address(path)? } else { layers.value(path, told)? };
    if let Some(said) = said.as_ref().filter(|_| is_member) {
        let wrong = Wrong::new("in a cluster, each member's addresses stand in cluster.initial_members");
        return Err(wrong.hint("leave this out, and say it there on all nodes").at(&said.source));
    }
    Ok(said.map(|said| said.value))
}

/// Where a client can go that is told of it: of any address it knows nothing, as Kafka says of its advertised listeners.
pub(super) fn told(text: &str) -> Result<Address, Wrong> {
    let address = values::address(text).map_err(Wrong::of)?;
    let is_any = address.host.parse().is_ok_and(|host: IpAddr| host.is_unspecified());
    if is_any || address.port == 0 {
        let wrong = Wrong::new(format!("`{}` is no address that a client can be told", escaped(text)));
        return Err(wrong.hint("say a name or an address that leads here, and its port"));
    }
    Ok(address)
}

/// Where a flag's value is kept that is for the listener of this name.
pub(super) fn path(name: &str, of: &str, source: &Source) -> Result<String, Mistake> {
    let name = name.to_lowercase();
    let path = format!("listeners.{name}.{}", if of == "api_addr" { "addr" } else { "advertise" });
    match keys::find(&path) {
        Found::Setting(_) => Ok(path),
        _ => {
            let wrong = Wrong::new(format!("`{}` is no name of a listener", escaped(&name)));
            Err(wrong
                .hint("letters, digits and single underscores, such as inner://0.0.0.0:19092")
                .at(source))
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => out.write_str("api_addr"),
            name => write!(out, "listeners.{name}"),
        }
    }
}
