//! The program that runs `sam_fuzz::mat`, by libFuzzer or by itself.
#![cfg_attr(fuzzing, no_main)]

sam_fuzz::target!(sam_fuzz::mat::check);
