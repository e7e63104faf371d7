//! Faults: every cut, every flipped bit, every failing operation, every power cut.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;

/// A disk in memory that can fail, and that forgets what was not synced.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    now: Vec<u8>,
    safe: Vec<u8>,
    /// Operations until one fails; after it, all fail when `for_good`.
    fails_in: Option<usize>,
    for_good: bool,
    operations: usize,
}

impl Memory {
    fn of(bytes: &[u8]) -> Self {
        let memory = Self::default();
        let mut inner = memory.0.lock().unwrap();
        (inner.now, inner.safe) = (bytes.to_vec(), bytes.to_vec());
        drop(inner);
        memory
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().now.clone()
    }

    /// Counts an operation; half of the bytes get through when it is the one that fails.
    fn operate(&self, bytes: &[u8], write: impl FnOnce(&mut Inner, &[u8])) -> io::Result<()> {
        let inner = &mut *self.0.lock().unwrap();
        inner.operations += 1;
        match &mut inner.fails_in {
            Some(0) => {
                if !inner.for_good {
                    inner.fails_in = None;
                }
                write(inner, &bytes[..bytes.len() / 2]);
                Err(io::Error::other("injected"))
            }
            Some(left) => {
                *left -= 1;
                write(inner, bytes);
                Ok(())
            }
            None => {
                write(inner, bytes);
                Ok(())
            }
        }
    }
}

impl Disk for Memory {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.bytes())
    }

    fn read_at(&mut self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let at = usize::try_from(at).unwrap();
        self.bytes()
            .get(at..at + length)
            .map(<[u8]>::to_vec)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.operate(bytes, |inner, bytes| inner.now.extend_from_slice(bytes))
    }

    fn overwrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let at = usize::try_from(at).unwrap();
        self.operate(bytes, |inner, bytes| inner.now[at..at + bytes.len()].copy_from_slice(bytes))
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut done = false;
        self.operate(&[0; 2], |inner, bytes| {
            if bytes.len() == 2 {
                inner.now.truncate(usize::try_from(length).unwrap());
                done = true;
            }
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.operate(&[0; 2], |inner, bytes| {
            if bytes.len() == 2 {
                inner.safe = inner.now.clone();
            }
        })
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.operate(bytes, |inner, written| {
            if written.len() == bytes.len() {
                (inner.now, inner.safe) = (bytes.to_vec(), bytes.to_vec());
            }
        })
    }
}

fn record(n: u8) -> Record {
    Record {
        fingerprint: Digest([n; 32]),
        result: Digest([n ^ 0xFF; 32]),
        values: BTreeMap::from([("id".into(), format!("sha256:{n}"))]),
        outputs: Vec::new(),
        took: u32::from(n),
    }
}

fn detail(n: u8) -> Detail {
    Detail { config: format!("[\"argument {n}\"]"), ..Detail::default() }
}

fn open(bytes: &[u8], boot: &str) -> (State, Vec<Loss>) {
    State::open(Box::new(Memory::of(bytes)), boot).unwrap()
}

/// Steps in the sample.
const STEPS: u8 = 34;

/// About five kilobytes: records, one run again, one that was begun again and not finished.
fn sample() -> Vec<u8> {
    let memory = Memory::default();
    let (mut state, _) = State::open(Box::new(memory.clone()), "one").unwrap();
    for n in 0..STEPS {
        state.keep(&format!("recipe/step-{n}@arm64"), record(n), &detail(n)).unwrap();
    }
    state.sync(|| Ok(())).unwrap();
    state.keep("recipe/step-3@arm64", record(33), &detail(33)).unwrap();
    // Said again in other words, and then begun again: neither of both words is true any more.
    state.reword("recipe/step-4@arm64", record(4), &detail(4)).unwrap();
    state.reword("recipe/step-5@arm64", record(5), &detail(5)).unwrap();
    state.invalidate("recipe/step-4@arm64").unwrap();
    state.sync(|| Ok(())).unwrap();
    memory.bytes()
}

/// Nothing but what the sample says, and what it says no more is gone.
fn holds(state: &mut State) -> usize {
    let mut found = 0;
    for n in 0..STEPS {
        let key = format!("recipe/step-{n}@arm64");
        let now = if n == 3 { 33 } else { n };
        let Some(kept) = state.record(&key).cloned() else { continue };
        assert_ne!(n, 4, "what was begun again is not done");
        assert_eq!(kept, record(now), "{key}");
        assert_eq!(state.detail(&key).unwrap(), Some(detail(now)));
        found += 1;
    }
    found
}

#[test]
fn what_was_kept_is_there_again() {
    let (mut state, losses) = open(&sample(), "one");
    assert_eq!((holds(&mut state), losses), (usize::from(STEPS) - 1, vec![]));
    assert_eq!(state.took("recipe/step-4@arm64"), Some(4), "for the order of the next run");
    assert_eq!(holds(&mut open(&sample(), "two").0), usize::from(STEPS) - 1, "it was synced");
    assert_eq!(holds(&mut open(b"", "one").0), 0);
}

#[test]
fn every_cut_and_every_flipped_bit() {
    let sample = sample();
    let mut tried = 0;
    let mut check = |bytes: &[u8]| {
        let (mut state, _) = open(bytes, "one");
        holds(&mut state);
        // And it can be written again.
        state.keep("recipe/new", record(99), &detail(99)).unwrap();
        assert_eq!(state.record("recipe/new"), Some(&record(99)));
        tried += 1;
    };
    for length in 0..sample.len() {
        check(&sample[..length]);
    }
    let mut bytes = sample.clone();
    for bit in 0..sample.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        check(&bytes);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(tried > 40_000, "{tried} of a sample of {} bytes", sample.len());
    println!("F5: {tried} damaged files, none believed more than was true");
}

#[test]
fn other_words_are_no_other_record() {
    let memory = Memory::default();
    let (mut state, _) = State::open(Box::new(memory.clone()), "one").unwrap();
    state.reword("k", record(1), &detail(1)).unwrap();
    assert!(
        state.record("k").is_none() && memory.bytes().is_empty(),
        "there was nothing to say in other words"
    );
    state.keep("k", record(1), &detail(1)).unwrap();
    state.reword("k", record(2), &detail(2)).unwrap();
    assert_eq!(state.record("k"), Some(&record(1)));
    let syncs = memory.0.lock().unwrap().operations;
    state.reword("k", Record { took: 9, ..record(1) }, &detail(3)).unwrap();
    assert_eq!(memory.0.lock().unwrap().operations, syncs + 1, "one write, and no wait for the disk");
    let (mut again, _) = State::open(Box::new(memory.clone()), "one").unwrap();
    assert_eq!(again.detail("k").unwrap(), Some(detail(3)));
    again.invalidate("k").unwrap();
    assert!(open(&memory.bytes(), "one").0.record("k").is_none(), "all its words are taken back");
}

#[test]
fn a_damaged_end_is_told_and_does_not_stay() {
    let sample = sample();
    let memory = Memory::of(&sample[..sample.len() - 5]);
    let (mut state, losses) = State::open(Box::new(memory.clone()), "one").unwrap();
    assert!(matches!(losses[..], [Loss::Cut(bytes)] if bytes > 0), "{losses:?}");
    state.keep("recipe/new", record(99), &detail(99)).unwrap();
    let (state, losses) = State::open(Box::new(memory), "one").unwrap();
    assert_eq!((state.record("recipe/new"), losses), (Some(&record(99)), vec![]));
}

#[test]
fn another_version_and_other_files_are_no_records() {
    for text in [&b"pipeline state 1 and what it has"[..], b"\0", b"[[step]]\n", &[0xFF; 5000]] {
        let memory = Memory::of(text);
        let (mut state, losses) = State::open(Box::new(memory.clone()), "one").unwrap();
        assert_eq!((holds(&mut state), losses), (0, vec![Loss::Unknown]));
        state.keep("k", record(1), &detail(1)).unwrap();
        let (state, losses) = State::open(Box::new(memory), "one").unwrap();
        assert_eq!((state.record("k"), losses), (Some(&record(1)), vec![]));
    }
}

#[test]
fn after_another_boot_only_what_was_synced_is_believed() {
    let memory = Memory::default();
    let (mut state, _) = State::open(Box::new(memory.clone()), "one").unwrap();
    state.keep("a", record(1), &detail(1)).unwrap();
    state.sync(|| Ok(())).unwrap();
    state.keep("b", record(2), &detail(2)).unwrap();
    let (same, _) = open(&memory.bytes(), "one");
    assert!(same.record("b").is_some(), "a kill is no power cut");
    let (mut state, losses) = State::open(Box::new(memory.clone()), "two").unwrap();
    assert_eq!(losses, [Loss::Unsynced(1)]);
    assert!(state.record("a").is_some() && state.record("b").is_none());
    // What this boot syncs is not what the last one wrote.
    state.keep("c", record(3), &detail(3)).unwrap();
    state.sync(|| Ok(())).unwrap();
    let (state, _) = open(&memory.bytes(), "two");
    assert!(state.record("b").is_none() && state.record("c").is_some());
}

/// Runs, each of which does some keys again; what has been said to be done or begun is in `truth`.
fn work(disk: Box<dyn Disk>, truth: &mut BTreeMap<String, Option<u8>>) -> io::Result<()> {
    let (mut state, _) = State::open(disk, "one")?;
    for n in 0..12_u8 {
        let key = format!("k{}", n % 5);
        // From the wish to invalidate until the record is kept nobody knows which of both it is.
        truth.insert(key.clone(), None);
        state.invalidate(&key)?;
        state.keep(&key, record(n), &detail(n))?;
        if n % 3 == 0 {
            state.reword(&key, record(n), &detail(n))?;
        }
        truth.insert(key, Some(n));
        if n % 4 == 3 {
            state.sync(|| Ok(()))?;
        }
    }
    state.sync(|| Ok(()))
}

#[test]
fn an_error_in_any_operation() {
    let clean = Memory::default();
    work(Box::new(clean.clone()), &mut BTreeMap::new()).unwrap();
    let all = clean.0.lock().unwrap().operations;
    for for_good in [false, true] {
        for at in 0..all {
            let memory = Memory::default();
            {
                let mut inner = memory.0.lock().unwrap();
                (inner.fails_in, inner.for_good) = (Some(at), for_good);
            }
            let mut truth = BTreeMap::new();
            let result = work(Box::new(memory.clone()), &mut truth);
            assert!(result.is_err(), "operation {at} failed and nobody heard of it");
            let (state, _) = open(&memory.bytes(), "one");
            for (key, n) in &truth {
                if let (Some(found), Some(n)) = (state.record(key), n) {
                    assert_eq!(found, &record(*n), "operation {at}");
                }
            }
            memory.0.lock().unwrap().fails_in = None;
            work(Box::new(memory.clone()), &mut truth).unwrap();
            let (state, _) = open(&memory.bytes(), "two");
            assert!((7..12).all(|n| state.record(&format!("k{}", n % 5)) == Some(&record(n))));
        }
    }
    println!("F3: {} failing operations, each was told and the next run was right", all * 2);
}

#[test]
fn a_power_cut_after_any_operation() {
    let mut cuts = 0;
    let clean = Memory::default();
    work(Box::new(clean.clone()), &mut BTreeMap::new()).unwrap();
    let all = clean.0.lock().unwrap().operations;
    for at in 0..all {
        let memory = Memory::default();
        {
            let mut inner = memory.0.lock().unwrap();
            (inner.fails_in, inner.for_good) = (Some(at), true);
        }
        let mut truth = BTreeMap::new();
        let _ = work(Box::new(memory.clone()), &mut truth);
        // What was synced is there; of the rest, any beginning may be.
        let (safe, now) = {
            let inner = memory.0.lock().unwrap();
            (inner.safe.clone(), inner.now.clone())
        };
        let longest = now.len().max(safe.len());
        for length in safe.len()..=longest {
            let mut image = safe.clone();
            image.extend_from_slice(now.get(safe.len()..length).unwrap_or_default());
            let (state, _) = open(&image, "two");
            for (key, n) in &truth {
                if let (Some(found), Some(n)) = (state.record(key), n) {
                    // Earlier records of a key are gone with the sync of their invalidation.
                    assert_eq!(found, &record(*n), "operation {at}, {length} bytes");
                }
            }
            cuts += 1;
        }
    }
    println!("power cuts: {cuts} images, none believed more than was true");
}

#[test]
fn what_is_no_longer_true_is_taken_out() {
    let memory = Memory::default();
    let (mut state, _) = State::open(Box::new(memory.clone()), "one").unwrap();
    let long = Detail { config: "x".repeat(20_000), ..Detail::default() };
    for n in 0..40 {
        state.keep(&format!("k{}", n % 2), record(n), &long).unwrap();
    }
    state.compact().unwrap();
    assert!(memory.bytes().len() > 500_000, "not while something is not safe");
    state.sync(|| Ok(())).unwrap();
    state.compact().unwrap();
    assert!(memory.bytes().len() < 50_000, "{}", memory.bytes().len());
    assert_eq!(state.detail("k1").unwrap(), Some(long.clone()));
    state.keep("k0", record(77), &detail(77)).unwrap();
    let (mut state, losses) = State::open(Box::new(memory), "one").unwrap();
    assert_eq!(losses, []);
    assert_eq!((state.record("k0"), state.record("k1")), (Some(&record(77)), Some(&record(39))));
    assert_eq!(state.detail("k1").unwrap(), Some(long));
}

#[test]
fn the_file_does_as_the_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let disk = || Box::new(FileDisk::new(&path));
    work(disk(), &mut BTreeMap::new()).unwrap();
    let memory = Memory::default();
    work(Box::new(memory.clone()), &mut BTreeMap::new()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), memory.bytes());
    let (mut state, _) = State::open(disk(), "one").unwrap();
    assert_eq!(state.detail("k1").unwrap(), Some(detail(11)));
    let long = Detail { config: "x".repeat(300_000), ..Detail::default() };
    for n in 0..4 {
        state.keep("k0", record(n), &long).unwrap();
    }
    state.sync(|| Ok(())).unwrap();
    state.compact().unwrap();
    assert!(path.metadata().unwrap().len() < 400_000);
    state.keep("k9", record(9), &detail(9)).unwrap();
    let (state, losses) = State::open(disk(), "one").unwrap();
    assert_eq!(
        (state.record("k9"), state.record("k0"), losses),
        (Some(&record(9)), Some(&record(3)), vec![])
    );
    assert!(State::open(Box::new(FileDisk::new(folder.path())), "one").is_err(), "a folder is no file");
}
