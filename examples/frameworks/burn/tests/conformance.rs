//! `sam-core`'s conformance kit over a module with parameters of several ranks.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::{
    AdamWConfig, GradientsParams, SgdConfig, decay::WeightDecayConfig, momentum::MomentumConfig,
};
use burn::tensor::{DType, Device, Tensor, TensorData};
use sam_core::testkit::{Storage, adam, check_descent, check_space, sgd};
use sam_on_burn::{Base, BurnSpace, DeviceNorm};

/// A vector of one value, a matrix of two columns and the rest, as far as the values reach.
#[derive(Module, Debug)]
struct Three {
    first: Option<Param<Tensor<1>>>,
    second: Option<Param<Tensor<2>>>,
    third: Option<Param<Tensor<1>>>,
}

/// Parameters have an identity, which gradients and optimizers refer to. Of `f64` or of `f32`.
struct Burn<const DOUBLE: bool> {
    ids: [ParamId; 3],
    device: Device,
}

impl<const DOUBLE: bool> Burn<DOUBLE> {
    fn new() -> Self {
        Self { ids: std::array::from_fn(|_| ParamId::new()), device: Device::default().autodiff() }
    }

    fn vector(values: &[f64], device: &Device) -> Option<Tensor<1>> {
        Self::tensor(values, [values.len()], device)
    }

    fn matrix(values: &[f64], device: &Device) -> Option<Tensor<2>> {
        Self::tensor(values, [values.len() / 2, 2], device)
    }

    fn tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device) -> Option<Tensor<D>> {
        let dtype = if DOUBLE { DType::F64 } else { DType::F32 };
        let data = TensorData::new(values.to_vec(), shape).convert_dtype(dtype);
        (!values.is_empty()).then(|| Tensor::from_data(data, (device, dtype)))
    }
}

fn split(values: &[f64]) -> [&[f64]; 3] {
    let (first, rest) = values.split_at(1);
    let (second, third) = rest.split_at(rest.len() / 3 * 2);
    [first, second, third]
}

struct Read(Vec<f64>);

impl ModuleVisitor for Read {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.extend(param.val().into_data().iter::<f64>());
    }
}

impl<const DOUBLE: bool> Storage for Burn<DOUBLE> {
    type Scalar = f64;
    type Space = BurnSpace<Three>;
    type Params = Three;
    type Grads = GradientsParams;
    const TOLERANCE: f64 = if DOUBLE { 1e-13 } else { 2e-6 };

    fn space(&mut self, len: usize) -> BurnSpace<Three> {
        BurnSpace::new(&self.params(&vec![0.0; len])).unwrap()
    }

    fn params(&mut self, values: &[f64]) -> Three {
        let [first, second, third] = split(values);
        let [a, b, c] = self.ids;
        let device = &self.device;
        Three {
            first: Self::vector(first, device).map(|t| Param::initialized(a, t.require_grad())),
            second: Self::matrix(second, device).map(|t| Param::initialized(b, t.require_grad())),
            third: Self::vector(third, device).map(|t| Param::initialized(c, t.require_grad())),
        }
    }

    fn grads(&mut self, values: &[f64]) -> GradientsParams {
        let [first, second, third] = split(values);
        let [a, b, c] = self.ids;
        let device = &Device::default();
        let mut grads = GradientsParams::new();
        Self::vector(first, device).into_iter().for_each(|t| grads.register(a, t));
        Self::matrix(second, device).into_iter().for_each(|t| grads.register(b, t));
        Self::vector(third, device).into_iter().for_each(|t| grads.register(c, t));
        grads
    }

    fn read(&mut self, params: &Three) -> Vec<f64> {
        let mut read = Read(Vec::new());
        params.visit(&mut read);
        read.0
    }

    fn read_norm(&mut self, norm: &DeviceNorm) -> f64 {
        norm.value()
    }
}

#[test]
fn modules_of_single_precision_are_a_storage() {
    check_space(&mut Burn::<false>::new());
}

#[test]
fn modules_of_double_precision_are_a_storage() {
    check_space(&mut Burn::<true>::new());
}

#[test]
fn burns_optimizers_are_base_optimizers() {
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    let decay = WeightDecayConfig::new(0.01);
    let config = SgdConfig::new().with_momentum(Some(momentum)).with_weight_decay(Some(decay));
    check_descent(&mut Burn::<false>::new(), |_, _, rate| Base { optimizer: config.init(), rate }, sgd);
    let config = AdamWConfig::new().with_weight_decay(0.01).with_epsilon(1e-8);
    check_descent(&mut Burn::<false>::new(), |_, _, rate| Base { optimizer: config.init(), rate }, adam);
}
