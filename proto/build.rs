//! Compiles the gRPC messages, `rustmq/v1/*.proto`, without protoc. What calls the service makes its stubs of these
//! messages (`tests/build.rs`); what serves it needs none.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=rustmq");
    let files = protox::compile(["rustmq/v1/broker.proto"], ["."])?;
    prost_build::Config::new().bytes(["."]).btree_map(["."]).skip_protoc_run().compile_fds(files)?;
    Ok(())
}
