//! The program that runs `sam_fuzz::step`, by libFuzzer or by itself.
#![cfg_attr(fuzzing, no_main)]

sam_fuzz::target!(sam_fuzz::step::check);
