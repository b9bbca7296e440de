#![cfg_attr(fuzzing, no_main)]
#![allow(missing_docs)]

sam_fuzz::target!(sam_fuzz::onnx::check);
