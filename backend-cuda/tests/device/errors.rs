//! What errors say.

use sam_backend_cuda::{CudaError, DeviceVec, Module, Ptr, PtrMut};

use crate::support::device;

const PTX: &str = include_str!("../../examples/custom_kernel_oracle/rosenbrock.ptx");

#[test]
fn a_refused_module_comes_with_the_compilers_words() {
    let Some(turn) = device("a_refused_module_comes_with_the_compilers_words") else { return };
    let broken = PTX.replacen("ret;", "return_to_sender;", 1);
    let error = Module::new(&turn.device, "broken", &broken).unwrap_err();
    let CudaError::Module { name, log, card, .. } = &error else { panic!("{error}") };
    assert_eq!(name, "broken");
    assert!(log.contains("return_to_sender"), "the log: {log}");
    assert_eq!(*card, turn.device.description());
}

#[test]
fn a_kernel_is_what_its_caller_takes_it_for() {
    let Some(turn) = device("a_kernel_is_what_its_caller_takes_it_for") else { return };
    let module = Module::new(&turn.device, "rosenbrock", PTX).unwrap();
    module.kernel::<(Ptr<f32>, u32, PtrMut<f32>)>("rosenbrock_gradient").unwrap();
    let error = module.kernel::<(Ptr<f32>, Ptr<f32>, PtrMut<f32>)>("rosenbrock_gradient").unwrap_err();
    let found = Some(vec![8, 4, 8]);
    let kernel = "rosenbrock_gradient".to_owned();
    assert_eq!(error, CudaError::Signature { kernel, expected: vec![8, 8, 8], found });
    let error = module.kernel::<(u32,)>("rosenbrock").unwrap_err();
    assert!(error.to_string().contains("no kernel rosenbrock"), "{error}");
}

#[test]
fn memory_that_is_not_there_is_said_to_be_missing() {
    let Some(turn) = device("memory_that_is_not_there_is_said_to_be_missing") else { return };
    let most = i32::MAX as usize;
    let error = DeviceVec::<f32>::zeros(&turn.device, most + 1).unwrap_err();
    assert_eq!(error, CudaError::TooLarge { what: "buffer", found: most as u128 + 1 });
    // 16 GiB at a time: no card has a TiB.
    let mut held = Vec::new();
    let error = (0..64).find_map(|_| match DeviceVec::<f64>::zeros(&turn.device, most) {
        Ok(buffer) => {
            held.push(buffer);
            None
        }
        Err(error) => Some(error),
    });
    let error = error.expect("memory runs out");
    let CudaError::Memory { asked, free, total, .. } = &error else { panic!("{error}") };
    assert_eq!(*asked, most * 8);
    assert!(free < asked && free <= total, "{error}");
    assert!(error.to_string().contains("16384 MiB asked for"), "{error}");
}
