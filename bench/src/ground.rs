//! The ground that both brokers stand on: what this machine can do, measured in the same run, so that a result can
//! be read as so many times the least that it could have been.

use crc_fast::{CrcAlgorithm, checksum};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;
/// How long each is measured.
const WHILE: Duration = Duration::from_millis(300);

/// What the machine can do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ground {
    /// Copying memory, processor seconds a GB.
    pub copy: f64,
    /// CRC32C of 16 KiB pieces, processor seconds a GB.
    pub checksum: f64,
    /// Receiving a loopback stream, processor seconds a GB.
    pub receive: f64,
    /// One 100-byte message there and one back over loopback, the answering side's processor time, microseconds.
    pub answer_us: f64,
    /// One 4 KiB append and its flush, median, microseconds.
    pub append_us: f64,
    /// One 4 KiB overwrite of written space and its flush, median, microseconds.
    pub overwrite_us: f64,
}

impl Ground {
    /// Measures; files go into this folder.
    pub fn measure(folder: &Path) -> io::Result<Ground> {
        std::fs::create_dir_all(folder)?;
        let from = vec![7_u8; 64 * MIB];
        let mut to = vec![0_u8; 64 * MIB];
        let copy = cost_a_gigabyte(from.len(), || to.copy_from_slice(black_box(&from)))?;
        black_box(&to);
        let sum = || {
            from.chunks(16 << 10).for_each(|piece| {
                black_box(checksum(CrcAlgorithm::Crc32Iscsi, piece));
            })
        };
        let checksum = cost_a_gigabyte(from.len(), sum)?;
        Ok(Ground {
            copy,
            checksum,
            receive: receive()?,
            answer_us: answer()?,
            append_us: flushes(folder, false)?,
            overwrite_us: flushes(folder, true)?,
        })
    }

    /// The least a produced gigabyte costs: received, and summed twice. (Writing is the kernel's, later.)
    pub fn gigabyte(&self) -> f64 {
        self.receive + 2.0 * self.checksum
    }

    /// Names and units, for a table.
    pub fn lines(&self) -> [(&'static str, f64, &'static str); 6] {
        [
            ("copy memory", self.copy, "CPU-s/GB"),
            ("CRC32C, 16 KiB pieces", self.checksum, "CPU-s/GB"),
            ("receive over loopback", self.receive, "CPU-s/GB"),
            ("answer a 100-byte message over loopback", self.answer_us, "us CPU"),
            ("append 4 KiB and flush, median", self.append_us, "us"),
            ("overwrite 4 KiB and flush, median", self.overwrite_us, "us"),
        ]
    }
}

/// Processor time that this thread has had, nanoseconds.
fn spent() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0))
}

fn cost_a_gigabyte(bytes: usize, mut work: impl FnMut()) -> io::Result<f64> {
    work();
    let (begun, before) = (Instant::now(), spent()?);
    let mut rounds = 0;
    while begun.elapsed() < WHILE {
        work();
        rounds += 1;
    }
    Ok((spent()? - before) as f64 / (rounds * bytes) as f64)
}

fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

fn receive() -> io::Result<f64> {
    let (mut near, mut far) = pair()?;
    let sender = thread::spawn(move || {
        let piece = vec![7; MIB];
        while near.write_all(&piece).is_ok() {}
    });
    let mut buffer = vec![0; MIB];
    let (begun, before) = (Instant::now(), spent()?);
    let mut bytes = 0;
    while begun.elapsed() < WHILE {
        bytes += far.read(&mut buffer)?;
    }
    let cost = (spent()? - before) as f64 / bytes as f64;
    drop(far);
    sender.join().expect("the sender does not panic");
    Ok(cost)
}

fn answer() -> io::Result<f64> {
    let (mut near, mut far) = pair()?;
    let asker = thread::spawn(move || {
        let mut message = [7; 100];
        while near.write_all(&message).and_then(|()| near.read_exact(&mut message)).is_ok() {}
    });
    let mut message = [0; 100];
    let (begun, before) = (Instant::now(), spent()?);
    let mut answered = 0_u64;
    while begun.elapsed() < WHILE {
        far.read_exact(&mut message)?;
        far.write_all(&message)?;
        answered += 1;
    }
    let cost = (spent()? - before) as f64 / 1e3 / answered as f64;
    drop(far);
    asker.join().expect("the asker does not panic");
    Ok(cost)
}

fn flushes(folder: &Path, is_written_before: bool) -> io::Result<f64> {
    let path = folder.join("ground");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    let piece = vec![7; 4 << 10];
    if is_written_before {
        file.write_all_at(&vec![0; 16 * MIB], 0)?;
        file.sync_all()?;
    }
    let taken = flush_times(&file, &piece)?;
    std::fs::remove_file(path)?;
    Ok(crate::statistics::Spread::of(&taken).map_or(0.0, |spread| spread.median))
}

fn flush_times(file: &File, piece: &[u8]) -> io::Result<Vec<f64>> {
    let begun = Instant::now();
    let mut taken = Vec::new();
    while begun.elapsed() < WHILE && taken.len() < 4_000 {
        let before = Instant::now();
        file.write_all_at(piece, (taken.len() * piece.len()) as u64)?;
        file.sync_data()?;
        taken.push(before.elapsed().as_secs_f64() * 1e6);
    }
    Ok(taken)
}
