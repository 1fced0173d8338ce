//! The floor: what the parts of a durable gigabyte cost on this machine by themselves, without a broker.
//!
//! A record that is produced must at least be received, summed twice (the client's checksum, the frame's), and
//! written to the journal and to its segment; one that is consumed must at least be sent. Each line is the
//! processor time of the one thread that does it, as the broker's figures are. What the kernel does on other
//! threads (the sending client, writing back) is in neither.
//!
//! A line that touches memory for the first time is worse in a virtual machine than on metal: the host finds
//! the page while our clock runs.

use crc_fast::{CrcAlgorithm, Digest};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::thread;

/// One piece of work, about a batch or a frame.
const PIECE: usize = 1 << 20;
/// Bytes that one line works through.
const TOTAL: usize = 512 << 20;
/// Memory that is worked through in turn: larger than the caches, as data of a broker is.
const SPREAD: usize = 64 << 20;
/// What direct writes are aligned to.
const BLOCK: usize = 4096;

/// One part of the work.
struct Line {
    name: &'static str,
    measure: fn(&Path) -> io::Result<f64>,
}

const LINES: &[Line] = &[
    Line { name: "copy memory", measure: |_| copy() },
    Line { name: "checksum (CRC32C)", measure: |_| checksum() },
    Line { name: "touch fresh memory", measure: |_| touch() },
    Line { name: "receive, 64 KiB reads", measure: |_| receive(64 << 10) },
    Line { name: "receive, 512 KiB reads", measure: |_| receive(512 << 10) },
    Line { name: "send, 1 MiB writes", measure: |_| send() },
    Line { name: "overwrite 1 MiB + fdatasync", measure: |at| overwrite(at, 0) },
    Line { name: "overwrite 1 MiB direct + fdatasync", measure: |at| overwrite(at, DIRECT) },
    Line { name: "append 1 MiB, fdatasync each 64 MiB", measure: |at| append(at, 0, false) },
    Line { name: "append, then forget the pages", measure: |at| append(at, 0, true) },
    Line { name: "append 1 MiB direct, fdatasync each 64", measure: |at| append(at, DIRECT, false) },
];

/// The flag of a file that is written around the page cache.
const DIRECT: i32 = rustix::fs::OFlags::DIRECT.bits().cast_signed();

/// Measures each line `times` times in a directory under `at`, and prints a table.
pub fn print(at: &Path, times: usize) -> io::Result<()> {
    println!("{:<44} {:>10} {:>10} {:>10}  CPU-s/GB", "floor", "median", "least", "most");
    for line in LINES {
        let mut measured = (0..times).map(|_| (line.measure)(at)).collect::<io::Result<Vec<f64>>>()?;
        measured.sort_by(f64::total_cmp);
        println!(
            "{:<44} {:>10.3} {:>10.3} {:>10.3}",
            line.name,
            measured[times / 2],
            measured[0],
            measured[times - 1]
        );
    }
    Ok(())
}

/// Processor time that this thread has had, nanoseconds.
fn spent() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0))
}

/// CPU seconds a gigabyte of `work`, which handles `TOTAL` bytes.
fn per_gigabyte(work: impl FnOnce() -> io::Result<()>) -> io::Result<f64> {
    let before = spent()?;
    work()?;
    Ok((spent()? - before) as f64 / TOTAL as f64)
}

fn copy() -> io::Result<f64> {
    let from = vec![1u8; SPREAD];
    let mut to = vec![2u8; SPREAD];
    per_gigabyte(|| {
        for piece in 0..TOTAL / PIECE {
            let at = piece * PIECE % SPREAD;
            to[at..at + PIECE].copy_from_slice(&from[at..at + PIECE]);
            std::hint::black_box(&mut to);
        }
        Ok(())
    })
}

fn checksum() -> io::Result<f64> {
    let from = vec![1u8; SPREAD];
    per_gigabyte(|| {
        for piece in 0..TOTAL / PIECE {
            let at = piece * PIECE % SPREAD;
            let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
            digest.update(&from[at..at + PIECE]);
            std::hint::black_box(digest.finalize());
        }
        Ok(())
    })
}

fn touch() -> io::Result<f64> {
    per_gigabyte(|| {
        for _ in 0..TOTAL / (2 * SPREAD) {
            let mut fresh = vec![0u8; 2 * SPREAD];
            fresh.iter_mut().step_by(BLOCK).for_each(|byte| *byte = 1);
            std::hint::black_box(&mut fresh);
        }
        Ok(())
    })
}

fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let one = TcpStream::connect(listener.local_addr()?)?;
    Ok((one, listener.accept()?.0))
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
