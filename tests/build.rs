//! Makes the client's side of the gRPC service, of `proto/rustmq/v1/*.proto` and without protoc. Its messages are
//! `rust_mq_proto::grpc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../proto/rustmq");
    let files = protox::compile(["rustmq/v1/broker.proto"], ["../proto"])?;
    tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .extern_path(".rustmq.v1", "::rust_mq_proto::grpc")
        .compile_fds(files)?;
    Ok(())
}
