//! The header is what cbindgen makes of the sources, and names each of its numbers.

use std::error::Error;
use std::ffi::CStr;
use std::fs;
use std::path::Path;

use cbindgen::{Builder, Config};
use sam_core_c::sam_status_text;

const SOURCES: [&str; 4] = ["src/settings.rs", "src/status.rs", "src/f32.rs", "src/f64.rs"];

fn here(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// With `SAM_CORE_C_HEADER=write` in the environment the test writes it.
#[test]
fn the_header_is_what_cbindgen_makes_of_the_sources() -> Result<(), Box<dyn Error>> {
    let mut builder = Builder::new().with_config(Config::from_file(here("cbindgen.toml"))?);
    for source in SOURCES {
        builder = builder.with_src(here(source));
    }
    let mut made = Vec::new();
    builder.generate()?.write(&mut made);
    // What callers promise stands once, in README.md, and not with each function.
    let made = String::from_utf8(made)?
        .replace("\n\n # Safety\n As the whole library.\n", "\n")
        .replace("\n\n # Safety\n As the whole library. ", "\n ");
    assert!(!made.contains("# Safety"), "a promise of one function alone belongs into README.md");
    if std::env::var_os("SAM_CORE_C_HEADER").is_some_and(|what| what == "write") {
        fs::write(here("sam_core.h"), &made)?;
    }
    assert!(fs::read_to_string(here("sam_core.h"))? == made, "run this test with SAM_CORE_C_HEADER=write");
    Ok(())
}

#[test]
#[allow(unsafe_code, reason = "texts for C")]
fn every_status_in_the_header_has_a_text_of_its_own() -> Result<(), Box<dyn Error>> {
    let header = fs::read_to_string(here("sam_core.h"))?;
    // SAFETY: texts are constants that end in NUL.
    let text = |status| unsafe { CStr::from_ptr(sam_status_text(status)) };
    let mut texts = Vec::new();
    for line in header.lines().filter(|line| line.trim_start().starts_with("SAM_STATUS_")) {
        let (name, number) = line.trim().trim_end_matches(',').split_once(" = ").ok_or("no number")?;
        let text = text(number.parse()?);
        assert_ne!(text, c"no such status", "{name}");
        texts.push(text);
    }
    let all = texts.len();
    assert!(all > 20, "found {all}");
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), all);
    assert_eq!(text(1000), c"no such status");
    Ok(())
}

#[test]
fn the_functions_of_both_types_are_the_same_but_for_the_type() -> Result<(), Box<dyn Error>> {
    let [single, double] = ["src/f32.rs", "src/f64.rs"].map(|file| fs::read_to_string(here(file)));
    let (single, double) = (single?.replace("f32", "f64").replace("F32", "F64"), double?);
    // The first line names both types.
    assert!(single.lines().skip(1).eq(double.lines().skip(1)));
    Ok(())
}
