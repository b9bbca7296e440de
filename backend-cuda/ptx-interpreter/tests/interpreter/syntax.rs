//! Text that is not PTX, or asks for what is not there: an error with its line, never a panic.

use crate::bench::HEAD;
use proptest::prelude::*;
use ptx_interpreter::{Checks, Device, parse};

fn load(source: &str) -> Result<(), String> {
    Device::new(1 << 24, Checks::default()).load(source).map(drop).map_err(|error| error.to_string())
}

/// The error of a kernel with this body, which starts in line 5.
fn error(body: &str) -> String {
    let source = format!(
        "{HEAD}.visible .entry k(.param .u64 p) {{ .reg .b32 %r<4>; .reg .b64 %d<4>; .reg .f32 %f<4>; .reg .pred %p<4>;\n{body}\nret; }}"
    );
    load(&source).expect_err(body)
}

#[test]
fn errors_say_where_and_what() {
    for (body, line, part) in [
        ("add.u32 %r1, %r2;", 5, "takes 3 operands, found 2"),
        ("\nadd.u32 %r1, %r2, %r9;", 6, "`%r9` is not declared"),
        ("wmma.load.a.sync.aligned.m16n16k16.row.f16 %r1, %r2, %r3;", 5, "not an instruction"),
        ("add.rn.sideways.f32 %f1, %f2, %f3;", 5, ".sideways"),
        ("bra nowhere;", 5, "nowhere"),
        ("ld.global.u32 %r1, %d1;", 5, "address"),
        ("mov.u32 %p1, 1;", 5, "`%p1`"),
        ("setp.lt.u32 %r1, %r2, %r3;", 5, "predicate"),
        ("shfl.down.b32 %r1, %r2, 1, 31;", 5, ".sync"),
        ("call helper;", 5, "helper"),
        ("tex.2d.v4.f32.f32 {%f1, %f1, %f1, %f1}, [p, {%f2, %f3}];", 5, ""),
        ("st.const.u32 [p], %r1;", 5, "constant memory"),
        ("ld.global.v2.u32 %r1, [%d1];", 5, "2 values, found 1"),
        ("add.u32 %r1, %r2, 99999999999999999999;", 5, "not a number"),
        ("add.u32 %r1 %r2;", 5, "expected `;`"),
        (".shared .b32 x[99999999999];", 5, "more than"),
        (".reg .q7 %q;", 5, "type"),
        ("a ? b;", 5, "character '?'"),
        ("/* never", 5, "comment"),
    ] {
        let found = error(body);
        assert!(found.starts_with(&format!("PTX line {line}: ")) && found.contains(part), "{body}: {found}");
    }
    assert!(load(".target sm_x").unwrap_err().contains("sm_NN"));
    assert!(load(".version 8.0 .address_size 32").unwrap_err().contains("only 64"));
    assert!(load(&"{".repeat(10_000)).is_err());
    let generic = format!("{HEAD}.global .u64 x = {}", "generic(".repeat(100_000));
    assert!(load(&generic).is_err());
    let nested = format!("{HEAD}.entry k() {}", "{".repeat(10_000));
    assert!(load(&nested).unwrap_err().contains("nested"));
}

#[test]
fn recursion_is_refused() {
    let source = format!(
        "{HEAD}.func f() {{ call g; ret; }} .func g() {{ call f; ret; }} .entry k() {{ call f; ret; }}"
    );
    assert!(load(&source).unwrap_err().contains("recursion"));
}

#[test]
fn what_other_compilers_write_is_read() {
    let source = "// comment\n.version 7.5\n.target sm_90a, debug /* of\ntwo lines */\n.address_size 64\n.file 1 \"a.cu\"\n.visible .entry k(.param .u64 .ptr .global .align 8 p,\n.param .align 4 .b8 s[12])\n.maxntid 128, 2, 1\n.minnctapersm 2\n{\n.reg.b32 %r<3>;\n.loc 1 7 9\n.pragma \"nounroll\";\nmov.b32 %r1, 0XFFU;\n{ .reg.b32 %r<3>; mov.u32 %r2, 0b101; }\nret;\n}\n.section .debug_str { .b8 1, 2 }\n";
    let module = parse(source).unwrap();
    assert_eq!((module.version, module.target), ((7, 5), 90));
    assert_eq!(module.functions[0].max_threads, Some(256));
    load(source).unwrap();
}

/// Text of PTX's own pieces in any order.
fn soup() -> impl Strategy<Value = String> {
    const PIECES: [&str; 44] = [
        ".entry",
        ".func",
        "k",
        "(",
        ")",
        "{",
        "}",
        ";",
        ",",
        ".reg",
        ".b32",
        "%r",
        "<4>",
        "%r1",
        "%r2",
        "mov.u32",
        "add.f32",
        "ld.global.u32",
        "[",
        "]",
        "+",
        "-4",
        "0f3F800000",
        "0d3FF0000000000000",
        "1.5",
        "7",
        ".param",
        ".u64",
        "p",
        "bra",
        "l:",
        "l",
        "@%p1",
        "@",
        "!",
        "call",
        ".shared",
        "=",
        "|",
        "bar.sync",
        "0",
        "\n",
        ".global",
        ".align 8",
    ];
    proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..60)
        .prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        let _ = load(&text);
    }

    #[test]
    fn no_soup_makes_it_panic(text in soup()) {
        let _ = load(&text);
        let _ = load(&format!("{HEAD}.visible .entry k(.param .u64 p) {{ .reg .b32 %r<4>; .reg .pred %p<4>; {text} ret; }}"));
    }
}
