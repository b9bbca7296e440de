//! Runs a target on stable Rust: its whole corpus, then mutations of it, the same ones every time.
//!
//! It knows nothing of coverage; what it has over it is that it runs anywhere. `cargo fuzz` finds new paths, and what it
//! finds goes into the corpus.

use std::{
    fs, panic,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

/// The longest input that mutations make.
const LONGEST: usize = 4096;
/// Numbers at which programs break.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7ff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// `PROGRAM [SECONDS [FILE OR DIRECTORY]..]`: every file, then mutations for so many seconds (0 by default). Without
/// files: the target's corpus.
pub fn main(check: fn(&[u8])) -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = std::env::args().next().unwrap_or_default();
    let name = Path::new(&name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let seconds = match arguments.next().map(|text| text.parse()) {
        None => 0,
        Some(Ok(seconds)) => seconds,
        Some(Err(_)) => {
            eprintln!("{name}: expected a number of seconds first, then files; see the module's text");
            return ExitCode::from(2);
        }
    };
    let mut paths: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    if paths.is_empty() {
        paths.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(&name));
    }
    let corpus: Vec<(PathBuf, Vec<u8>)> = paths.iter().flat_map(|path| read(path)).collect();
    if corpus.is_empty() {
        eprintln!("{name}: expected a corpus, found no file in {paths:?}");
        return ExitCode::FAILURE;
    }
    for (path, input) in &corpus {
        if panic::catch_unwind(|| check(input)).is_err() {
            eprintln!("{name}: fails on {}", path.display());
            return ExitCode::FAILURE;
        }
    }
    let inputs: Vec<&[u8]> = corpus.iter().map(|(_, input)| input.as_slice()).collect();
    let (mut random, mut runs) = (Random(0x5a17), 0_u64);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let input = random.mutated(&inputs);
        runs += 1;
        if panic::catch_unwind(|| check(&input)).is_err() {
            let path = PathBuf::from(format!("{name}-crash"));
            let kept = fs::write(&path, &input);
            eprintln!("{name}: fails on mutation {runs}, kept in {} ({kept:?})", path.display());
            return ExitCode::FAILURE;
        }
    }
    println!("{name}: {} files of the corpus, {runs} mutations", corpus.len());
    ExitCode::SUCCESS
}

/// The file, or the files of the directory, in the order of their names.
fn read(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<PathBuf> = match fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => vec![path.to_owned()],
    };
    files.sort();
    files.into_iter().filter_map(|path| fs::read(&path).ok().map(|content| (path, content))).collect()
}

/// xorshift64* (Vigna, 2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// One input with one to eight changes.
    fn mutated(&mut self, inputs: &[&[u8]]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].to_vec();
        for _ in 0..=self.below(8) {
            self.change(&mut bytes, inputs);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, inputs: &[&[u8]]) {
        let at = self.below(bytes.len() + 1);
        match self.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.next() as u8,
            2 => bytes.insert(at, self.next() as u8),
            3 => drop(bytes.drain(at..(at + 1 + self.below(16)).min(bytes.len()).max(at))),
            4 => bytes.truncate(at),
            5 => {
                // A number at which programs break, in either order of bytes.
                let width = [1, 2, 4, 8][self.below(4)];
                let edge = EDGES[self.below(EDGES.len())];
                let edge = if self.below(2) == 0 { edge } else { edge.swap_bytes() };
                let edge = edge.to_le_bytes();
                bytes.splice(at..(at + width).min(bytes.len()), edge[..width].iter().copied());
            }
            6 => {
                // A piece of another input.
                let other = inputs[self.below(inputs.len())];
                let from = self.below(other.len() + 1);
                let to = (from + self.below(64)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                // The same piece again.
                let to = (at + self.below(64)).min(bytes.len());
                let piece = bytes[at..to].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}
