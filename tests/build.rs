//! Makes the client's side of the gRPC service, of `proto/rustmq/v1/*.proto` and without protoc, and a list of its calls.
//! Its messages are `rust_mq_proto::grpc`.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../proto/rustmq");
    println!("cargo::rerun-if-changed=../proto/grpc");
    let files = protox::compile(["rustmq/v1/broker.proto", "grpc/health/v1/health.proto"], ["../proto"])?;
    let services =
        files.file.iter().flat_map(|file| &file.service).filter(|service| service.name() == "KafkaBroker");
    let calls = services.flat_map(|service| &service.method).map(|call| call.name().to_owned());
    let calls: Vec<String> = calls.collect();
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("calls.rs"), format!("{calls:?}"))?;
    tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .extern_path(".rustmq.v1", "::rust_mq_proto::grpc")
        .extern_path(".grpc.health.v1", "::rust_mq_proto::grpc::health")
        .compile_fds(files)?;
    Ok(())
}
