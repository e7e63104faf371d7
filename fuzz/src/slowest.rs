//! How long inputs take, in time of the processor: libFuzzer itself goes by the clock, which on a busy machine blames an
//! input for what others do.

use std::sync::atomic::{AtomicI64, Ordering};

use rustix::time::{ClockId, clock_gettime};

/// No input takes longer, in microseconds.
const LIMIT: i64 = 1_000_000;

/// Says how long an input took where none before took longer, and keeps it in `$FUZZ_SLOWEST`.
pub(crate) fn timed(input: &[u8], run: impl FnOnce(&[u8])) {
    static SLOWEST: AtomicI64 = AtomicI64::new(0);
    let begun = now();
    run(input);
    let took = now() - begun;
    if SLOWEST.fetch_max(took, Ordering::Relaxed) < took {
        eprintln!("slowest: {took} us, {} bytes", input.len());
        if let Some(path) = std::env::var_os("FUZZ_SLOWEST") {
            let _ = std::fs::write(path, input);
        }
    }
    assert!(took < LIMIT, "the input takes {took} us");
}

fn now() -> i64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}
