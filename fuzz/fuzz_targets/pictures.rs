//! The program that runs `sam_fuzz::pictures`, by libFuzzer or by itself.
#![cfg_attr(fuzzing, no_main)]

sam_fuzz::target!(sam_fuzz::pictures::check);
