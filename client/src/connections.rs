//! One channel for each node, made when it is first needed, and made anew after it broke.
//!
//! A channel is HTTP/2: calls share it and are answered in any order. Once a call over it could not be carried, it is let
//! go, and the next call connects again: so an error here always says whether the question had left.
//!
//! Invariants: at most one attempt to connect to an address at a time; nobody waits for one for longer than
//! `connect_timeout`.

use crate::call::Call;
use crate::machine::error::Error;
use crate::settings::ClientSettings;
use crate::status;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

/// What an answer may hold: `broker.proto` says 16 MiB, and a little is around it.
const ANSWER_BYTES_MAX: usize = 17 << 20;
/// How often a silent connection is asked whether it is there, while calls wait, and how long it may take to say so. A
/// node that is frozen, or whose network is cut, says nothing at all.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// A call's deadline travels with it; here it is given a little longer, so that the node's own word comes first.
const GRACE: Duration = Duration::from_secs(1);
/// What may be on its way to us on one stream, and on one connection: batches come in megabytes.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const WINDOW_BYTES: u32 = 16 << 20;
/// The largest frame of HTTP/2 to us: each is a system call of the node's.
const FRAME_BYTES_MAX: u32 = 1 << 20;

/// The channels to the nodes of a cluster. A clone shares them.
#[derive(Clone, Debug)]
pub struct Connections {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client_id: MetadataValue<Ascii>,
    connect_timeout: Duration,
    slots: Mutex<BTreeMap<String, Slot>>,
}

/// A place for a channel; whoever connects holds it, and the others wait for it.
type Slot = Arc<tokio::sync::Mutex<Option<(u64, Channel)>>>;

/// A channel that was good when it was lent.
#[derive(Clone, Debug)]
pub(crate) struct Lent {
    slot: Slot,
    number: u64,
    grpc: Grpc<Channel>,
}

impl Connections {
    /// No channel yet.
    ///
    /// # Errors
    /// [`Error::Unusable`] if the client's id cannot travel: it must be printable ASCII.
    pub fn new(settings: &ClientSettings) -> Result<Connections, Error> {
        let client_id = settings.client_id.parse();
        let client_id = client_id.map_err(|_| {
            Error::unusable(format!("`{}` is no client id: it must be printable ASCII", settings.client_id))
        })?;
        let connect_timeout = settings.connect_timeout;
        Ok(Connections { shared: Arc::new(Shared { client_id, connect_timeout, slots: Mutex::default() }) })
    }

    /// Asks the node at that address, once, and waits so long for its answer.
    ///
    /// # Errors
    /// What the node said, or the network: nothing is tried again here.
    pub async fn ask<C: Call>(&self, address: &str, asked: C, within: Duration) -> Result<C::Answer, Error> {
        let mut lent = self.lend(address).await?;
        let mut request = self.request(asked);
        request.set_timeout(within);
        let path = PathAndQuery::from_static(C::PATH);
        let answer = async {
            lent.ready(address).await?;
            let answer = lent.grpc.unary(request, path, ProstCodec::<C, C::Answer>::default()).await;
            answer.map_err(|status| lent.failed(address, &status))
        };
        match timeout(within.saturating_add(GRACE), answer).await {
            Ok(answer) => Ok(answer?.into_inner()),
            Err(_) => {
                lent.give_up();
                let why = format!("no answer within {within:?}");
                Err(Error::Unreachable { node: address.to_owned(), why, was_sent: true })
            }
        }
    }

    /// What is asked, in the name of this client.
    pub(crate) fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("client-id", self.shared.client_id.clone());
        request
    }

    /// A channel to that address.
    pub(crate) async fn lend(&self, address: &str) -> Result<Lent, Error> {
        let slot = {
            let mut slots = self.shared.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(address.to_owned()).or_default().clone()
        };
        let mut place = slot.lock().await;
        let (number, channel) = match &*place {
            Some(known) => known.clone(),
            None => {
                let made = (
                    NUMBERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
                    self.connect(address).await?,
                );
                place.insert(made).clone()
            }
        };
        drop(place);
        let grpc = Grpc::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        Ok(Lent { slot, number, grpc })
    }

    async fn connect(&self, address: &str) -> Result<Channel, Error> {
        let unreachable = |why: String| Error::Unreachable { node: address.to_owned(), why, was_sent: false };
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        let endpoint = endpoint.map_err(|error| unreachable(words(&error)))?;
        let endpoint = endpoint
            .connect_timeout(self.shared.connect_timeout)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES_MAX)
            .tcp_nodelay(true);
        match timeout(self.shared.connect_timeout, endpoint.connect()).await {
            Ok(connected) => connected.map_err(|error| unreachable(words(&error))),
            Err(_) => Err(unreachable(format!("no connection within {:?}", self.shared.connect_timeout))),
        }
    }
}

/// Tells channels apart.
static NUMBERS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

impl Lent {
    /// Calls go over this.
    pub(crate) fn grpc(&mut self) -> &mut Grpc<Channel> {
        &mut self.grpc
    }

    /// Waits until a call can be made. What fails here had not left.
    pub(crate) async fn ready(&mut self, address: &str) -> Result<(), Error> {
        let ready = self.grpc.ready().await;
        ready.map_err(|error| {
            self.give_up();
            Error::Unreachable { node: address.to_owned(), why: words(&error), was_sent: false }
        })
    }

    /// What a status means; the channel is let go if it broke.
    pub(crate) fn failed(&self, address: &str, status: &Status) -> Error {
        let error = status::error(address, status);
        if matches!(error, Error::Unreachable { .. }) {
            self.give_up();
        }
        error
    }

    /// The next who needs one connects anew.
    pub(crate) fn give_up(&self) {
        // Whoever holds it is connecting already.
        if let Ok(mut place) = self.slot.try_lock()
            && place.as_ref().is_some_and(|(number, _)| *number == self.number)
        {
            *place = None;
        }
    }
}

/// An error with what caused it: tonic's own says "transport error".
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let deeper = error.to_string();
        if !words.contains(&deeper) {
            words = format!("{words}: {deeper}");
        }
        cause = error.source();
    }
    words
}
