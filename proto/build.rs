//! Compiles the gRPC messages, `rustmq/v1/*.proto` and gRPC's own health protocol, without protoc, and writes down what
//! they describe. What calls the service makes its stubs of these messages (`tests/build.rs`); what serves it needs none.

use std::error::Error;
use std::path::PathBuf;

const FILES: [&str; 2] = ["rustmq/v1/broker.proto", "grpc/health/v1/health.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=rustmq");
    println!("cargo::rerun-if-changed=grpc");
    prost_build::Config::new()
        .bytes(["."])
        .btree_map(["."])
        .enable_type_names()
        .skip_protoc_run()
        .compile_fds(protox::compile(FILES, ["."])?)?;
    // For those who ask a running node: without the comments, which are most of it.
    let described =
        protox::Compiler::new(["."])?.include_imports(true).open_files(FILES)?.encode_file_descriptor_set();
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), described)?;
    Ok(())
}
