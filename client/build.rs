//! Writes down which unary calls the service has, of `proto/rustmq/v1/*.proto` and without protoc: of each the message it
//! takes, the one it gives, and its path. That is all that a caller needs beside the messages (`rust_mq_proto::grpc`).

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../proto/rustmq");
    let files = protox::compile(["rustmq/v1/broker.proto"], ["../proto"])?;
    let mut calls = String::new();
    for file in &files.file {
        for service in &file.service {
            let is_unary = |call: &&_| {
                let call: &protox::prost_reflect::prost_types::MethodDescriptorProto = call;
                !call.client_streaming() && !call.server_streaming()
            };
            for call in service.method.iter().filter(is_unary) {
                let message = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
                let (asked, answer) = (message(call.input_type()), message(call.output_type()));
                let path = format!("/{}.{}/{}", file.package(), service.name(), call.name());
                writeln!(
                    calls,
                    "impl Call for grpc::{asked} {{ type Answer = grpc::{answer}; const PATH: &str = {path:?}; }}"
                )?;
            }
        }
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("calls.rs"), calls)?;
    Ok(())
}
