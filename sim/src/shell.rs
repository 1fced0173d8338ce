//! madsim as the shell: it hosts a run, gives it its root, keeps a virtual clock beside ours, and trips on what a
//! deterministic run must not do.
//!
//! A run lives on a fresh thread (madsim makes std's hash maps deterministic only in a thread's first runtime).
//! Its generator's first draw is the root of all streams; the run draws nothing more, which is checked: the next
//! draw must be the second of a fresh runtime of that seed. The virtual clock follows the queue, so that a stray
//! `Instant::now` reads simulated time instead of breaking determinism, and starting a thread panics.
//!
//! This is the only file that names madsim.

use crate::dice::Root;
use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::Once;
use std::time::Duration;

/// The name of threads that host runs; their panics are caught and not printed.
const THREAD: &str = "sim-run";

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The run drew from outside its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impure;

/// Runs `work` on a fresh thread in a fresh runtime of that seed.
pub fn host<T: Send + 'static>(
    seed: u64,
    work: impl FnOnce(Root) -> T + Send + 'static,
) -> Result<T, Impure> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let ordinary = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().name() == Some(THREAD) {
                LAST_PANIC.with_borrow_mut(|last| *last = Some(words_of(info)));
            } else {
                ordinary(info);
            }
        }));
    });
    let thread = std::thread::Builder::new().name(THREAD.to_owned()).stack_size(16 << 20);
    let run = thread.spawn(move || {
        let (first, result, next) = runtime(seed).block_on(async move {
            let first: u64 = madsim::rand::random();
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(Root(first))));
            (first, result, madsim::rand::random::<u64>())
        });
        let (again, second) =
            runtime(seed).block_on(async { (madsim::rand::random::<u64>(), madsim::rand::random::<u64>()) });
        let result = result.map_err(|_| last_panic());
        (result, (first, next) == (again, second))
    });
    let (result, is_pure) = run.expect("the system gives a thread").join().expect("panics are caught within");
    match result {
        Ok(result) if is_pure => Ok(result),
        Ok(_) => Err(Impure),
        Err(words) => panic!("the simulator itself failed in seed {seed}: {words}"),
    }
}

/// The virtual clock follows.
pub fn advance(by_ns: u64) {
    if by_ns > 0 {
        madsim::time::advance(Duration::from_nanos(by_ns));
    }
}

/// What the last panic of this thread said.
pub fn last_panic() -> String {
    LAST_PANIC.with_borrow_mut(Option::take).unwrap_or_else(|| "a panic without words".to_owned())
}

fn runtime(seed: u64) -> madsim::runtime::Runtime {
    madsim::runtime::Runtime::with_seed_and_config(seed, madsim::Config::default())
}

fn words_of(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let words = payload
        .downcast_ref::<&str>()
        .map(|words| (*words).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    match info.location() {
        Some(place) => format!("{words} ({}:{})", place.file(), place.line()),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_seeds() {
        let root = |seed| host(seed, |root| root.0).expect("pure");
        assert_eq!(root(1), root(1));
        assert_ne!(root(1), root(2));
    }

    #[test]
    fn a_stray_draw_trips() {
        assert_eq!(host(1, |_| madsim::rand::random::<u8>()), Err(Impure));
    }

    #[test]
    fn stray_clocks_read_simulated_time() {
        let spans = host(1, |_| {
            let start = std::time::Instant::now();
            advance(3_000_000_000);
            start.elapsed()
        });
        assert_eq!(spans, Ok(Duration::from_secs(3)));
    }

    #[test]
    fn a_stray_thread_trips() {
        let caught =
            host(1, |_| std::panic::catch_unwind(|| std::thread::spawn(|| ()).join().is_ok()).is_err());
        assert_eq!(caught, Ok(true));
    }
}
