//! The floor: what this machine can do, and what the parts of a durable request cost on it without a broker, so that a
//! result can be read as so many times the least that it could have been.
//!
//! A record that is produced must at least be received, summed twice (the client's checksum, the frame's), and
//! written to the journal and to its segment; one that is consumed must at least be sent. Costs are the processor
//! time of the one thread that does it. What the kernel does on other threads (the sending client, writing back) is
//! not within.
//!
//! A line that touches memory for the first time is worse in a virtual machine than on metal: the host finds
//! the page while our clock runs.

use crate::kernel::own_processor_time;
use crate::statistics::Spread;
use crc_fast::{CrcAlgorithm, checksum as crc};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// One piece of work, about a batch or a frame.
const PIECE: usize = 1 << 20;
/// What a client batches by default, so what is summed at once.
const BATCH: usize = 16 << 10;
/// Bytes that one line works through.
const TOTAL: usize = 512 << 20;
/// Memory that is worked through in turn: larger than the caches, as data of a broker is.
const SPREAD: usize = 64 << 20;
/// What direct writes are aligned to, and what is flushed where a flush is timed.
const BLOCK: usize = 4096;
/// How long flushes and answers are repeated.
const WHILE: Duration = Duration::from_millis(300);
/// Flushes that are timed at most.
const FLUSHES_MAX: usize = 4_000;

const GIGABYTE: &str = "CPU-s/GB";
/// The flag of a file that is written around the page cache.
const DIRECT: i32 = rustix::fs::OFlags::DIRECT.bits().cast_signed();

/// One part of the work.
struct Part {
    name: &'static str,
    unit: &'static str,
    measure: fn(&Path) -> io::Result<f64>,
}

const CHECKSUM: &str = "checksum (CRC32C), 16 KiB pieces";
const RECEIVE: &str = "receive, 512 KiB reads";
const ANSWER: &str = "answer a 100-byte message";

const fn part(name: &'static str, unit: &'static str, measure: fn(&Path) -> io::Result<f64>) -> Part {
    Part { name, unit, measure }
}

const PARTS: &[Part] = &[
    part("copy memory", GIGABYTE, |_| copy()),
    part(CHECKSUM, GIGABYTE, |_| checksum()),
    part("touch fresh memory", GIGABYTE, |_| touch()),
    part("receive, 64 KiB reads", GIGABYTE, |_| receive(64 << 10)),
    part(RECEIVE, GIGABYTE, |_| receive(512 << 10)),
    part("send, 1 MiB writes", GIGABYTE, |_| send()),
    part(ANSWER, "us CPU", |_| answer()),
    part("append 4 KiB + fdatasync, median", "us", |at| flushes(at, false)),
    part("overwrite 4 KiB + fdatasync, median", "us", |at| flushes(at, true)),
    part("overwrite 1 MiB + fdatasync", GIGABYTE, |at| overwrite(at, 0)),
    part("overwrite 1 MiB direct + fdatasync", GIGABYTE, |at| overwrite(at, DIRECT)),
    part("append 1 MiB, fdatasync each 64 MiB", GIGABYTE, |at| append(at, 0, false)),
    part("append, then forget the pages", GIGABYTE, |at| append(at, 0, true)),
    part("append 1 MiB direct, fdatasync each 64", GIGABYTE, |at| append(at, DIRECT, false)),
];

/// What was measured of each part, in their order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Floor(pub Vec<Measured>);

/// One part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// What was done.
    pub name: String,
    /// What it cost.
    pub value: f64,
    /// In what.
    pub unit: String,
}

impl Floor {
    /// Measures all parts; files go into this folder.
    pub fn measure(folder: &Path) -> io::Result<Floor> {
        std::fs::create_dir_all(folder)?;
        let measured = |part: &Part| {
            let (name, unit) = (part.name.to_owned(), part.unit.to_owned());
            Ok(Measured { name, value: (part.measure)(folder)?, unit })
        };
        PARTS.iter().map(measured).collect::<io::Result<_>>().map(Floor)
    }

    /// The least a produced gigabyte costs: received, and summed twice. (Writing is the kernel's, later.)
    pub fn gigabyte(&self) -> f64 {
        self.value(RECEIVE) + 2.0 * self.value(CHECKSUM)
    }

    /// The least a request costs, microseconds: answering a message.
    pub fn request_us(&self) -> f64 {
        self.value(ANSWER)
    }

    fn value(&self, name: &str) -> f64 {
        self.0.iter().find(|measured| measured.name == name).map_or(0.0, |measured| measured.value)
    }
}

/// Measures `times` times in a directory under `at`, and prints a table.
pub fn print(at: &Path, times: usize) -> io::Result<()> {
    let floors = (0..times.max(1)).map(|_| Floor::measure(at)).collect::<io::Result<Vec<Floor>>>()?;
    println!("{:<44} {:>10} {:>10} {:>10}  unit", "floor", "median", "least", "most");
    for part in PARTS {
        let values: Vec<f64> = floors.iter().map(|floor| floor.value(part.name)).collect();
        let Some(Spread { median, least, most }) = Spread::of(&values) else { continue };
        println!("{:<44} {median:>10.3} {least:>10.3} {most:>10.3}  {}", part.name, part.unit);
    }
    Ok(())
}

/// CPU seconds a gigabyte of `work`, which handles `TOTAL` bytes.
fn per_gigabyte(work: impl FnOnce() -> io::Result<()>) -> io::Result<f64> {
    let before = own_processor_time()?;
    work()?;
    Ok((own_processor_time()? - before) as f64 / TOTAL as f64)
}

fn copy() -> io::Result<f64> {
    let from = vec![1u8; SPREAD];
    let mut to = vec![2u8; SPREAD];
    per_gigabyte(|| {
        for piece in 0..TOTAL / PIECE {
            let at = piece * PIECE % SPREAD;
            to[at..at + PIECE].copy_from_slice(&from[at..at + PIECE]);
            black_box(&mut to);
        }
        Ok(())
    })
}

fn checksum() -> io::Result<f64> {
    let from = vec![1u8; SPREAD];
    per_gigabyte(|| {
        for piece in 0..TOTAL / BATCH {
            let at = piece * BATCH % SPREAD;
            black_box(crc(CrcAlgorithm::Crc32Iscsi, &from[at..at + BATCH]));
        }
        Ok(())
    })
}

fn touch() -> io::Result<f64> {
    per_gigabyte(|| {
        for _ in 0..TOTAL / (2 * SPREAD) {
            let mut fresh = vec![0u8; 2 * SPREAD];
            fresh.iter_mut().step_by(BLOCK).for_each(|byte| *byte = 1);
            black_box(&mut fresh);
        }
        Ok(())
    })
}

/// Two ends of a loopback connection.
fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

fn receive(read_bytes: usize) -> io::Result<f64> {
    let (mut from, mut to) = pair()?;
    thread::scope(|scope| {
        let sender = scope.spawn(move || {
            let piece = vec![1u8; PIECE];
            (0..TOTAL / PIECE).try_for_each(|_| from.write_all(&piece))
        });
        let mut memory = vec![0u8; SPREAD];
        let measured = per_gigabyte(|| {
            let mut received = 0;
            while received < TOTAL {
                let at = received % (SPREAD - read_bytes);
                received += to.read(&mut memory[at..at + read_bytes])?;
            }
            Ok(())
        });
        sender.join().expect("the sender does not panic")?;
        measured
    })
}

fn send() -> io::Result<f64> {
    let (mut from, mut to) = pair()?;
    thread::scope(|scope| {
        let receiver = scope.spawn(move || {
            let mut memory = vec![0u8; PIECE];
            let mut received = 0;
            while received < TOTAL {
                received += to.read(&mut memory)?;
            }
            io::Result::Ok(())
        });
        let memory = vec![1u8; SPREAD];
        let measured = per_gigabyte(|| {
            (0..TOTAL / PIECE).try_for_each(|piece| {
                let at = piece * PIECE % SPREAD;
                from.write_all(&memory[at..at + PIECE])
            })
        });
        receiver.join().expect("the receiver does not panic")?;
        measured
    })
}

/// The answering side's processor time for one message, microseconds.
fn answer() -> io::Result<f64> {
    let (mut near, mut far) = pair()?;
    let asker = thread::spawn(move || {
        let mut message = [7; 100];
        while near.write_all(&message).and_then(|()| near.read_exact(&mut message)).is_ok() {}
    });
    let mut message = [0; 100];
    let (begun, before) = (Instant::now(), own_processor_time()?);
    let mut answered = 0_u64;
    while begun.elapsed() < WHILE {
        far.read_exact(&mut message)?;
        far.write_all(&message)?;
        answered += 1;
    }
    let cost = (own_processor_time()? - before) as f64 / 1e3 / answered as f64;
    drop(far);
    asker.join().expect("the asker does not panic");
    Ok(cost)
}

/// The median time of a write and its flush, microseconds.
fn flushes(at: &Path, is_written_before: bool) -> io::Result<f64> {
    let path = at.join("floor-flushes");
    let file = open(&path, 0)?;
    if is_written_before {
        file.write_all_at(&vec![0; BLOCK * FLUSHES_MAX], 0)?;
        file.sync_all()?;
    }
    let (block, begun) = ([7; BLOCK], Instant::now());
    let mut taken = Vec::new();
    while begun.elapsed() < WHILE && taken.len() < FLUSHES_MAX {
        let before = Instant::now();
        file.write_all_at(&block, (taken.len() * BLOCK) as u64)?;
        file.sync_data()?;
        taken.push(before.elapsed().as_secs_f64() * 1e6);
    }
    std::fs::remove_file(&path)?;
    Ok(Spread::of(&taken).map_or(0.0, |spread| spread.median))
}

/// A buffer whose bytes from the returned place on are aligned for direct writes.
fn aligned(bytes: usize) -> (Vec<u8>, usize) {
    let buffer = vec![1u8; bytes + BLOCK];
    let at = buffer.as_ptr().align_offset(BLOCK);
    (buffer, at)
}

fn open(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).custom_flags(flags).open(path)
}

fn overwrite(at: &Path, flags: i32) -> io::Result<f64> {
    let path = at.join("floor-ring");
    let (memory, start) = aligned(SPREAD);
    let filled = open(&path, 0)?;
    for piece in 0..256 {
        filled.write_all_at(&memory[..PIECE], piece * PIECE as u64)?;
    }
    filled.sync_all()?;
    drop(filled);
    let file = open(&path, flags)?;
    let measured = per_gigabyte(|| {
        for piece in 0..TOTAL / PIECE {
            let from = start + piece * PIECE % SPREAD;
            file.write_all_at(&memory[from..from + PIECE], (piece * PIECE % (256 << 20)) as u64)?;
            file.sync_data()?;
        }
        Ok(())
    });
    std::fs::remove_file(&path)?;
    measured
}

fn append(at: &Path, flags: i32, forgets: bool) -> io::Result<f64> {
    let path = at.join("floor-segment");
    let (memory, start) = aligned(SPREAD);
    let file = open(&path, flags)?;
    let measured = per_gigabyte(|| {
        for piece in 0..TOTAL / PIECE {
            let from = start + piece * PIECE % SPREAD;
            file.write_all_at(&memory[from..from + PIECE], (piece * PIECE) as u64)?;
            if piece % 64 == 63 {
                file.sync_data()?;
                if forgets {
                    let len = std::num::NonZeroU64::new((64 * PIECE) as u64);
                    let from = ((piece - 63) * PIECE) as u64;
                    rustix::fs::fadvise(&file, from, len, rustix::fs::Advice::DontNeed)?;
                }
            }
        }
        Ok(())
    });
    std::fs::remove_file(&path)?;
    measured
}
