//! Stops the build, with the mending, where the `madsim` cfg of .cargo/config.toml did not arrive.

fn main() {
    println!("cargo::rerun-if-env-changed=CARGO_CFG_MADSIM");
    if std::env::var_os("CARGO_CFG_MADSIM").is_none() {
        println!(
            "cargo::error=the simulator needs `--cfg madsim`, which .cargo/config.toml at the root of the \
             workspace sets. It is lost when RUSTFLAGS is exported (unset it; deny warnings with clippy's \
             `-- -D warnings`) or when cargo is started outside the workspace (cd to its root)."
        );
        std::process::exit(1);
    }
}
