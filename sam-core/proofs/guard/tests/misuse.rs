//! What the guard of the perturbed parameters does not let a program say.

#[test]
fn misuse_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/right_order.rs");
    cases.compile_fail("tests/ui/second_descend.rs");
    cases.compile_fail("tests/ui/descend_after_restore.rs");
    cases.compile_fail("tests/ui/touch_parameters.rs");
    cases.compile_fail("tests/ui/read_parameters.rs");
    cases.compile_fail("tests/ui/second_ascent.rs");
    cases.compile_fail("tests/ui/write_perturbed.rs");
    cases.compile_fail("tests/ui/forgotten.rs");
}
