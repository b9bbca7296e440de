//! Unpacks the digits of `sam-train/data` into the build directory, since a board has no room to do it itself.

use std::{env, error::Error, fs, io::Read, path::Path};

/// Bytes of an IDX file before the values: the magic number and one word for each dimension.
const IMAGES_HEADER: usize = 16;
const LABELS_HEADER: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let out = env::var("OUT_DIR")?;
    let source = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../../sam-train/data");
    for (part, name) in [("train", "train"), ("test", "t10k")] {
        for (kind, header) in [("images-idx3", IMAGES_HEADER), ("labels-idx1", LABELS_HEADER)] {
            let packed = source.join(format!("{name}-{kind}-ubyte.gz"));
            println!("cargo:rerun-if-changed={}", packed.display());
            let mut bytes = Vec::new();
            let file = fs::File::open(&packed).map_err(|e| format!("{}: {e}", packed.display()))?;
            flate2::read::GzDecoder::new(file).read_to_end(&mut bytes)?;
            let values = bytes.get(header..).ok_or_else(|| {
                format!("{}: expected at least {header} bytes, found {}", packed.display(), bytes.len())
            })?;
            let kind = kind.split('-').next().unwrap_or(kind);
            fs::write(Path::new(&out).join(format!("{part}-{kind}")), values)?;
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
    Ok(())
}
