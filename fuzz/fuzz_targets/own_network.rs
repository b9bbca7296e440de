//! The program that runs `sam_fuzz::own_network`, by libFuzzer or by itself.
#![cfg_attr(fuzzing, no_main)]

sam_fuzz::target!(sam_fuzz::own_network::check);
