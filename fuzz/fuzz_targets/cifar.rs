//! The program that runs `sam_fuzz::cifar`, by libFuzzer or by itself.
#![cfg_attr(fuzzing, no_main)]

sam_fuzz::target!(sam_fuzz::cifar::check);
