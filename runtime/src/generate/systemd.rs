//! A unit for systemd: a node with the rights that it needs and no others.
//!
//! It writes into its own directory below /var/lib, listens and connects, and nothing else. `systemctl reload` has the
//! levels of the log read again.

use std::path::Path;

const UNIT: &str = "\
[Unit]
Description=Rust-MQ message broker
Documentation=man:rust-mq(1)
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart=BINARY --config CONFIG
ExecReload=/bin/kill -HUP $MAINPID
Environment=RUST_MQ_STORAGE_PATH=/var/lib/rust-mq
Restart=on-failure
RestartSec=1
# A wrong command line stays wrong.
RestartPreventExitStatus=2
# A node stops within 25 seconds.
TimeoutStopSec=30
LimitNOFILE=65536

# A user of its own, made for the time that it runs. The settings, and the file of secrets that they may name, must be
# readable to it: LoadCredential=cluster.secret:/etc/rust-mq/cluster.secret passes on one that only root can read, and
# Environment=RUST_MQ_CLUSTER__SECRET_FILE=%d/cluster.secret names it.
DynamicUser=yes
StateDirectory=rust-mq
StateDirectoryMode=0700
UMask=0077

CapabilityBoundingSet=
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# It raises its own limit of open files.
SystemCallFilter=prlimit64 setrlimit

[Install]
WantedBy=multi-user.target
";

/// The unit of a node with this configuration, started by this very binary.
pub fn unit(config: &Path) -> String {
    let binary = std::env::current_exe().ok();
    let binary = binary.as_deref().unwrap_or(Path::new("/usr/local/bin/rust-mq"));
    UNIT.replace("BINARY", &quoted(binary)).replace("CONFIG", &quoted(config))
}

/// A path as a word of a command: `%` is a specifier, `$` a variable, and a blank would end it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
    let path = path.replace('%', "%%").replace('$', "$$");
    if path.contains([' ', '\'', '"']) { format!("\"{path}\"") } else { path }
}
