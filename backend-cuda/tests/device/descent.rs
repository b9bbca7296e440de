//! Base optimizers against the host's, bit for bit, and against the conformance kit's plain loops.

use proptest::prelude::*;
use sam_backend_cuda::{CudaAdam, CudaSgd, DeviceVec, Gradient};
use sam_core::{
    Adam, Descent, Sgd, WeightDecay,
    testkit::{self, check_descent},
};

use crate::support::{bits, config, device};

#[test]
fn sgd_conforms() {
    let Some(turn) = device("sgd_conforms") else { return };
    check_descent(
        &mut turn.storage(),
        |storage, len, lr| {
            let sgd = CudaSgd::new(&storage.device, lr as f32).unwrap().with_momentum(0.9, len).unwrap();
            sgd.with_decay(WeightDecay::Coupled(0.01))
        },
        testkit::sgd,
    );
}

#[test]
fn adam_conforms() {
    let Some(turn) = device("adam_conforms") else { return };
    check_descent(
        &mut turn.storage(),
        |storage, len, lr| CudaAdam::adamw(&storage.device, lr as f32, 0.01, len).unwrap(),
        testkit::adam,
    );
}

/// Weights, gradients of some steps, a learning rate, a momentum, a decay.
fn problem() -> impl Strategy<Value = (Vec<f32>, Vec<Vec<f32>>, f32, f32, WeightDecay<f32>)> {
    let entry = || prop_oneof![8 => -3.0f32..3.0, 1 => Just(0.0f32), 1 => Just(-0.0f32)];
    let decay = prop_oneof![
        Just(WeightDecay::Coupled(0.0)),
        (0.0f32..0.1).prop_map(WeightDecay::Coupled),
        (0.0f32..0.1).prop_map(WeightDecay::Decoupled),
    ];
    let rate = prop_oneof![1 => Just(0.0f32), 4 => 0.0f32..0.5];
    let momentum = prop_oneof![1 => Just(0.0f32), 4 => 0.0f32..1.0];
    let vector = move |n: usize| proptest::collection::vec(entry(), n);
    (1usize..300).prop_flat_map(move |n| {
        let gradients = proptest::collection::vec(vector(n), 3);
        (vector(n), gradients, rate.clone(), momentum.clone(), decay.clone())
    })
}

#[test]
fn sgd_has_the_bits_of_the_host() {
    let Some(turn) = device("sgd_has_the_bits_of_the_host") else { return };
    proptest!(config(48), |((start, gradients, lr, momentum, decay) in problem(), nesterov in any::<bool>())| {
        let n = start.len();
        let mut host = Sgd::new(lr).with_momentum(momentum, vec![0.0; n]).with_decay(decay);
        host.nesterov = nesterov;
        let mut base =
            CudaSgd::new(&turn.device, lr).unwrap().with_momentum(momentum, n).unwrap().with_decay(decay);
        base.nesterov = nesterov;
        let mut w = start.clone();
        let mut params = DeviceVec::from_slice(&turn.device, &start).unwrap();
        let mut grads = Gradient::zeros(&turn.device, n).unwrap();
        for gradient in &gradients {
            host.descend(&mut w[..], &mut gradient.clone()[..]).unwrap();
            grads.values_mut().write(gradient).unwrap();
            base.descend(&mut params, &mut grads).unwrap();
        }
        prop_assert_eq!(bits(&params.read().unwrap()), bits(&w));
        let buffer = base.momentum_buffer().unwrap().read().unwrap();
        prop_assert_eq!(bits(&buffer), bits(host.momentum_buffer()));
    });
}

#[test]
fn adam_has_the_bits_of_the_host() {
    let Some(turn) = device("adam_has_the_bits_of_the_host") else { return };
    proptest!(config(32), |((start, gradients, lr, _, decay) in problem())| {
        let n = start.len();
        let mut host = Adam::new(lr, vec![0.0; n], vec![0.0; n]).with_decay(decay);
        let mut base = CudaAdam::new(&turn.device, lr, n).unwrap().with_decay(decay);
        let mut w = start.clone();
        let mut params = DeviceVec::from_slice(&turn.device, &start).unwrap();
        let mut grads = Gradient::zeros(&turn.device, n).unwrap();
        for gradient in &gradients {
            host.descend(&mut w[..], &mut gradient.clone()[..]).unwrap();
            grads.values_mut().write(gradient).unwrap();
            base.descend(&mut params, &mut grads).unwrap();
        }
        prop_assert_eq!(bits(&params.read().unwrap()), bits(&w));
        prop_assert_eq!(base.steps().unwrap(), 3);
    });
}
