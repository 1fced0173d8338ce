//! gRPC: what a unary Produce of one record costs the broker, in memory, beside what an empty answer costs tonic's own
//! server, in the same run and under the same caller. The difference is what is ours: the translation, the crossing of
//! threads, and the core's own work, which is a Produce as over Kafka's protocol. Besides: what a gigabyte of batches costs
//! through `ProduceStream`, beside the same through Kafka's protocol.
//!
//! The empty server is this program once more, as a process of its own, so that both are counted by the kernel alike.

use crate::broker::{self, Broker};
use crate::kernel::Reading;
use crate::load::{self, Produce};
use crate::statistics::Spread;
use bytes::Bytes;
use rust_mq_proto::grpc::partition_records::Data;
use rust_mq_proto::grpc::{
    CreateTopicsRequest, CreateTopicsResponse, NewTopic, PartitionRecords, ProduceRequest, ProduceResponse,
    Record, Records,
};
use std::convert::Infallible;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll};
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, UnaryService};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// Connections, and calls that each has under way: what the promise is about.
const CONNECTIONS: usize = 16;
const IN_FLIGHT: usize = 32;
/// Calls that are not measured, of each that is under way.
const WARM_UP: usize = 20;
/// Calls that are, of each that is under way.
const CALLS: usize = 200;
/// What is promised on top of an empty answer, microseconds.
const PROMISED_US: f64 = 5.0;
/// What is streamed: batches of so many records, and how many of them.
const BATCH_RECORDS: usize = 1_000;
const BATCHES: usize = 768;
/// What is promised beside Kafka's protocol.
const PROMISED_TIMES: f64 = 1.3;

/// Measures so often, and prints the median.
pub fn print(times: usize) -> io::Result<()> {
    broker::build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut empty, mut produce) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let server = Empty::start()?;
        empty.push(runtime.block_on(cost(&server.address, server.child.id(), "/empty/Answer", &()))?);
        drop(server);
        let broker = Broker::start(&[])?;
        runtime.block_on(create(&broker.address))?;
        let request = one_record();
        let path = "/rustmq.v1.KafkaBroker/Produce";
        produce.push(runtime.block_on(cost_of_produce(&broker, path, &request))?);
    }
    let medians = table(
        "gRPC, 16 connections, 32 in flight",
        "us CPU a call",
        &[("tonic's empty unary answer", &empty), ("Produce of one record", &produce)],
    );
    if let [empty, produce] = medians[..] {
        println!("{:<44} {:>10.2}  us more; promised: at most {PROMISED_US}", "", produce - empty);
    }
    print_batches(&runtime, times)
}

/// Batches through `ProduceStream`, beside the same through Kafka's protocol.
fn print_batches(runtime: &Runtime, times: usize) -> io::Result<()> {
    let batch = load::batch(BATCH_RECORDS, 1_000);
    let (mut plain, mut streamed) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let broker = started()?;
        let load = Produce { topic: "measured", connections: 1, in_flight: 4, requests: 64, partitions: 1 };
        load::produce(&broker.address, load, &batch)?;
        let before = broker.counted()?;
        load::produce(&broker.address, Produce { requests: BATCHES, ..load }, &batch)?;
        plain.push(broker.counted()?.since(before).cpu_ns as f64 / (BATCHES * batch.len()) as f64);
        drop(broker);
        let broker = started()?;
        runtime.block_on(stream(&broker.address, &batch, 64))?;
        let before = broker.counted()?;
        runtime.block_on(stream(&broker.address, &batch, BATCHES))?;
        streamed.push(broker.counted()?.since(before).cpu_ns as f64 / (BATCHES * batch.len()) as f64);
    }
    println!();
    let medians = table(
        "batches of 1 MB, 4 in flight",
        "s CPU a GB",
        &[("Kafka's Produce", &plain), ("ProduceStream", &streamed)],
    );
    if let [plain, streamed] = medians[..] {
        println!("{:<44} {:>10.2}  times as much; promised: at most {PROMISED_TIMES}", "", streamed / plain);
    }
    Ok(())
}

/// Prints what was measured, a line each. The medians.
fn table(title: &str, unit: &str, rows: &[(&str, &[f64])]) -> Vec<f64> {
    println!("{title:<44} {:>10} {:>10} {:>10}  unit", "median", "least", "most");
    let mut medians = Vec::new();
    for (name, values) in rows {
        let Some(spread) = Spread::of(values) else { continue };
        println!("{name:<44} {:>10.3} {:>10.3} {:>10.3}  {unit}", spread.median, spread.least, spread.most);
        medians.push(spread.median);
    }
    medians
}

/// A broker that has room for all of it, with the topic.
fn started() -> io::Result<Broker> {
    let broker = Broker::start(&["--memory-limit", "4GiB"])?;
    crate::client::Client::connect(&broker.address)?.create_topic("measured", 1)?;
    Ok(broker)
}

/// Appends a batch so often, with four unanswered.
async fn stream(address: &str, batch: &[u8], times: usize) -> io::Result<()> {
    let data = Data::Batch(Bytes::copy_from_slice(batch));
    let partition = PartitionRecords { topic: "measured".into(), partition: 0, data: Some(data) };
    let request = ProduceRequest { partitions: vec![partition], ..Default::default() };
    let (sender, requests) = tokio::sync::mpsc::channel(4);
    let mut grpc = tonic::client::Grpc::new(connect(address).await?);
    grpc.ready().await.map_err(io::Error::other)?;
    let path = PathAndQuery::from_static("/rustmq.v1.KafkaBroker/ProduceStream");
    let codec = ProstCodec::<ProduceRequest, ProduceResponse>::default();
    for _ in 0..4 {
        sender.send(request.clone()).await.map_err(io::Error::other)?;
    }
    let answers = grpc.streaming(Request::new(ReceiverStream::new(requests)), path, codec).await;
    let mut answers = answers.map_err(io::Error::other)?.into_inner();
    let mut left = times - 4;
    let mut sender = Some(sender);
    while let Some(answer) = answers.message().await.map_err(io::Error::other)? {
        if let Some(error) = answer.partitions.iter().find_map(|part| part.error.as_ref()) {
            return Err(io::Error::other(error.message.clone()));
        }
        match &sender {
            Some(sender) if left > 0 => {
                left -= 1;
                sender.send(request.clone()).await.map_err(io::Error::other)?;
            }
            _ => sender = None,
        }
    }
    Ok(())
}

/// Answers empty calls as tonic's own server does, until it is killed.
pub fn serve_empty() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let (accepted, incoming) = tokio::sync::mpsc::channel(CONNECTIONS);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stream = stream.set_nodelay(true).map(|()| stream);
                if accepted.send(stream).await.is_err() {
                    return;
                }
            }
        });
        let served = Server::builder().serve_with_incoming(EmptyService, ReceiverStream::new(incoming)).await;
        served.map_err(io::Error::other)
    })
}

/// The empty server's process.
struct Empty {
    child: Child,
    address: String,
}

impl Empty {
    fn start() -> io::Result<Empty> {
        let program = std::env::current_exe()?;
        let mut child = Command::new(program).arg("grpc-empty").stdout(Stdio::piped()).spawn()?;
        let said = child.stdout.take().ok_or_else(|| io::Error::other("the empty server has no stdout"))?;
        let mut address = String::new();
        BufReader::new(said).read_line(&mut address)?;
        Ok(Empty { child, address: address.trim().to_owned() })
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        // It may be gone already; nothing is left to do about it then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Copy)]
struct EmptyService;

impl Service<http::Request<Body>> for EmptyService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<http::Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(
            async move { Ok(Grpc::new(ProstCodec::<(), ()>::default()).unary(EmptyService, request).await) },
        )
    }
}

impl UnaryService<()> for EmptyService {
    type Response = ();
    type Future = std::future::Ready<Result<Response<()>, Status>>;

    fn call(&mut self, _: Request<()>) -> Self::Future {
        std::future::ready(Ok(Response::new(())))
    }
}

fn one_record() -> ProduceRequest {
    let record = Record { value: Some(vec![b'x'; 100].into()), ..Default::default() };
    let data = Data::Records(Records { records: vec![record], ..Default::default() });
    let partition = PartitionRecords { topic: "measured".into(), partition: 0, data: Some(data) };
    ProduceRequest { partitions: vec![partition], ..Default::default() }
}

async fn create(address: &str) -> io::Result<()> {
    let topic = NewTopic { name: "measured".into(), partitions: Some(1), ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    let path = PathAndQuery::from_static("/rustmq.v1.KafkaBroker/CreateTopics");
    call::<_, CreateTopicsResponse>(&connect(address).await?, path, request).await.map(drop)
}

async fn cost_of_produce(broker: &Broker, path: &'static str, request: &ProduceRequest) -> io::Result<f64> {
    measured::<_, ProduceResponse>(&broker.address, || broker.counted(), path, request).await
}

async fn cost(address: &str, process: u32, path: &'static str, request: &()) -> io::Result<f64> {
    measured::<_, ()>(address, || Reading::of(process), path, request).await
}

/// Processor time of a process a call, microseconds.
async fn measured<Q, A>(
    address: &str,
    count: impl Fn() -> io::Result<Reading>,
    path: &'static str,
    request: &Q,
) -> io::Result<f64>
where
    Q: prost::Message + Clone + 'static,
    A: prost::Message + Default + 'static,
{
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        channels.push(connect(address).await?);
    }
    repeated::<Q, A>(&channels, path, request, WARM_UP).await?;
    let before = count()?;
    repeated::<Q, A>(&channels, path, request, CALLS).await?;
    let counted = count()?.since(before);
    Ok(counted.cpu_ns as f64 / 1_000.0 / (CONNECTIONS * IN_FLIGHT * CALLS) as f64)
}

async fn repeated<Q, A>(channels: &[Channel], path: &'static str, request: &Q, times: usize) -> io::Result<()>
where
    Q: prost::Message + Clone + 'static,
    A: prost::Message + Default + 'static,
{
    let mut callers = Vec::new();
    for channel in channels {
        for _ in 0..IN_FLIGHT {
            let (channel, request) = (channel.clone(), request.clone());
            callers.push(tokio::spawn(async move {
                for _ in 0..times {
                    call::<Q, A>(&channel, PathAndQuery::from_static(path), request.clone()).await?;
                }
                io::Result::Ok(())
            }));
        }
    }
    for caller in callers {
        caller.await.map_err(io::Error::other)??;
    }
    Ok(())
}

async fn connect(address: &str) -> io::Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(io::Error::other)?;
    endpoint.tcp_nodelay(true).connect().await.map_err(io::Error::other)
}

async fn call<Q, A>(channel: &Channel, path: PathAndQuery, request: Q) -> io::Result<A>
where
    Q: prost::Message + 'static,
    A: prost::Message + Default + 'static,
{
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.map_err(io::Error::other)?;
    let answered = grpc.unary(Request::new(request), path, ProstCodec::<Q, A>::default()).await;
    answered.map(Response::into_inner).map_err(io::Error::other)
}
