//! Verdicts of trials, and their place on disk, so that a process need not repeat the trials of another: one file for each card with
//! its driver, its libraries and this crate's version, one line a verdict.

use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
    str::FromStr,
};

use sam_model::Shape;

use crate::{Device, Precision, Product, geometry::Geometry};

/// What a kernel is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub geometry: Geometry,
    pub product: Product,
    pub precision: Precision,
    pub fusion: Fusion,
    /// Of the parameters, as a library sees it.
    pub alignment: u32,
}

/// What is computed together with a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fusion {
    Nothing,
    /// Sums for a normalisation.
    Sums,
    /// The addition of a tensor, and those of what comes of it.
    AddSums,
}

/// Whether a library's kernel is taken, and why.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub taken: bool,
    pub reason: String,
}

/// Of what is tried, within a version: what was kept of another is not asked for. 2: activations in bf16. 3: sums with a convolution.
const REVISION: u32 = 3;

/// The folder of the files; empty for none.
const VARIABLE: &str = "SAM_CUDA_CACHE";

/// Where verdicts on a device are kept. Whatever is wrong with the file costs trials, never a failure.
pub(super) struct Shelf(Option<PathBuf>);

impl Shelf {
    /// That of a device with these libraries; nowhere, where the environment says so or there is no home.
    pub fn new(device: &Device, libraries: &str) -> Self {
        let name = format!("{} {libraries} {} {REVISION}", device.description(), env!("CARGO_PKG_VERSION"));
        let letter = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let name: String = name.chars().map(letter).collect();
        Self(folder().map(|folder| folder.join(format!("{name}.trials"))))
    }

    /// What was kept; lines that are none are left out.
    pub fn read(&self) -> HashMap<Key, Verdict> {
        let text = self.0.as_ref().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        // A line without its end may be half of one.
        text.split_inclusive('\n').filter_map(|line| parse(line.strip_suffix('\n')?)).collect()
    }

    /// Keeps one more, in one write, for others may be doing the same.
    pub fn add(&self, key: &Key, verdict: &Verdict) {
        let Some(path) = &self.0 else { return };
        let write = || {
            fs::create_dir_all(path.parent()?).ok()?;
            let mut file = OpenOptions::new().create(true).append(true).open(path).ok()?;
            file.write_all(line(key, verdict).as_bytes()).ok()
        };
        // Without it there is one trial more.
        let _: Option<()> = write();
    }
}

fn folder() -> Option<PathBuf> {
    let set =
        |name: &str| env::var_os(name).filter(|folder: &OsString| !folder.is_empty()).map(PathBuf::from);
    if env::var_os(VARIABLE).is_some() {
        return set(VARIABLE);
    }
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    cache.map(|cache| cache.join("sam-backend-cuda"))
}

const PRECISIONS: [Precision; 3] = [Precision::Single, Precision::Tf32, Precision::Bf16];
const FUSIONS: [Fusion; 3] = [Fusion::Nothing, Fusion::Sums, Fusion::AddSums];

/// Numbers, then the reason.
fn line(key: &Key, verdict: &Verdict) -> String {
    let Geometry { samples, input, output, kernel, stride, padding } = key.geometry;
    let [product, precision, fusion] = [
        Product::ALL.iter().position(|product| *product == key.product),
        PRECISIONS.iter().position(|precision| *precision == key.precision),
        FUSIONS.iter().position(|fusion| *fusion == key.fusion),
    ]
    .map(Option::unwrap_or_default);
    let shape = |Shape { height, width, channels }| format!("{height} {width} {channels}");
    format!(
        "{samples} {} {} {kernel} {stride} {} {} {product} {precision} {fusion} {} {} {}\n",
        shape(input),
        shape(output),
        padding[0],
        padding[1],
        key.alignment,
        u32::from(verdict.taken),
        verdict.reason.replace('\n', " "),
    )
}

fn parse(line: &str) -> Option<(Key, Verdict)> {
    let mut parts = line.splitn(17, ' ');
    let mut number = || usize::from_str(parts.next()?).ok();
    let mut numbers = [0; 16];
    for to in &mut numbers {
        *to = number()?;
    }
    let [samples, a, b, c, d, e, f, kernel, stride, rows, columns, rest @ ..] = numbers;
    let [product, precision, fusion, alignment, taken] = rest;
    let geometry = Geometry {
        samples,
        input: Shape::new(a, b, c),
        output: Shape::new(d, e, f),
        kernel,
        stride,
        padding: [rows, columns],
    };
    let (product, precision) = (*Product::ALL.get(product)?, *PRECISIONS.get(precision)?);
    let fusion = *FUSIONS.get(fusion)?;
    let key = Key { geometry, product, precision, fusion, alignment: u32::try_from(alignment).ok()? };
    let reason = parts.next()?.to_owned();
    (taken <= 1).then_some((key, Verdict { taken: taken == 1, reason }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What was written is what is read, and what is cut off anywhere is nothing or the same with a shorter reason.
        #[test]
        fn lines_are_read_as_they_were_written(
            numbers in prop::array::uniform11(0usize..5000),
            (product, precision, fusion, alignment, taken) in (0usize..3, 0usize..3, 0usize..3, 0u32..7, any::<bool>()),
            reason in "[ -~]{1,40}",
            cut in any::<prop::sample::Index>(),
        ) {
            let [samples, a, b, c, d, e, f, kernel, stride, rows, columns] = numbers;
            let geometry = Geometry {
                samples,
                input: Shape::new(a, b, c),
                output: Shape::new(d, e, f),
                kernel,
                stride,
                padding: [rows, columns],
            };
            let (product, precision) = (Product::ALL[product], PRECISIONS[precision]);
            let key = Key { geometry, product, precision, fusion: FUSIONS[fusion], alignment };
            let text = line(&key, &Verdict { taken, reason: reason.clone() });
            let (found, verdict) = parse(text.strip_suffix('\n').unwrap()).unwrap();
            prop_assert!(found == key && verdict.taken == taken && verdict.reason == reason);
            if let Some((found, verdict)) = parse(&text[..cut.index(text.len())]) {
                prop_assert!(found == key && verdict.taken == taken && reason.starts_with(&verdict.reason));
            }
        }
    }
}
