//! `sam-core`'s conformance kit over variables of several shapes.

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var, WithDType};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, SGD};
use sam_core::formula::DualNorm;
use sam_core::testkit::{Storage, adam, check_descent, check_space};
use sam_on_candle::{Base, CandleSpace, Element};
use std::marker::PhantomData;

/// Cuts a vector into a scalar, a matrix and a rest, as far as it reaches.
fn shapes(len: usize) -> Vec<Vec<usize>> {
    match len {
        1 => vec![vec![]],
        2..4 => vec![vec![], vec![len - 1]],
        _ => vec![vec![], vec![(len - 1) / 3, 2], vec![len - 1 - (len - 1) / 3 * 2]],
    }
}

fn tensors<T: WithDType>(values: &[f64]) -> Vec<Tensor> {
    let mut rest = values;
    let tensor = |shape: Vec<usize>| {
        let (now, later) = rest.split_at(shape.iter().product());
        rest = later;
        let values = now.iter().map(|x| T::from_f64(*x)).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    };
    shapes(values.len()).into_iter().map(tensor).collect()
}

/// Variables have an identity, which gradients and optimizers refer to: they are made once for each length.
struct Candle<T> {
    vars: Vec<Var>,
    element: PhantomData<T>,
}

impl<T: Element> Candle<T> {
    fn new() -> Self {
        Self { vars: Vec::new(), element: PhantomData }
    }

    fn vars(&mut self, len: usize) -> Vec<Var> {
        if self.vars.iter().map(|var| var.elem_count()).sum::<usize>() != len {
            let zeros = tensors::<T>(&vec![0.0; len]);
            self.vars = zeros.iter().map(|zeros| Var::from_tensor(zeros).unwrap()).collect();
        }
        self.vars.clone()
    }
}

macro_rules! storage {
    ($type:ty, $tolerance:literal) => {
        impl Storage for Candle<$type> {
            type Scalar = $type;
            type Space = CandleSpace<$type>;
            type Params = Vec<Var>;
            type Grads = GradStore;
            const TOLERANCE: f64 = $tolerance;

            fn space(&mut self, len: usize) -> CandleSpace<$type> {
                CandleSpace::new(&self.vars(len)).unwrap()
            }

            fn params(&mut self, values: &[f64]) -> Vec<Var> {
                let vars = self.vars(values.len());
                vars.iter().zip(tensors::<$type>(values)).for_each(|(var, values)| var.set(&values).unwrap());
                vars
            }

            fn grads(&mut self, values: &[f64]) -> GradStore {
                let mut grads = GradStore::default();
                for (var, values) in self.vars(values.len()).iter().zip(tensors::<$type>(values)) {
                    grads.insert(var, values);
                }
                grads
            }

            fn read(&mut self, params: &[Var]) -> Vec<f64> {
                let values = |var: &Var| var.flatten_all().unwrap().to_vec1::<$type>().unwrap();
                params.iter().flat_map(values).map(f64::from).collect()
            }

            fn read_norm(&mut self, norm: &DualNorm) -> f64 {
                norm.value()
            }
        }
    };
}
storage! { f32, 1e-6 }
storage! { f64, 1e-13 }

#[test]
fn space_of_single_precision() {
    check_space(&mut Candle::<f32>::new());
}

#[test]
fn space_of_double_precision() {
    check_space(&mut Candle::<f64>::new());
}

/// candle's SGD has no momentum.
fn sgd(w: &mut f64, g: f64, _: &mut [f64; 2], _: i32) {
    *w -= 0.05 * g;
}

#[test]
fn candles_optimizers_are_base_optimizers() {
    let plain = |candle: &mut Candle<f64>, len, lr| Base(SGD::new(candle.vars(len), lr).unwrap());
    check_descent(&mut Candle::<f64>::new(), plain, sgd);
    let adamw = |candle: &mut Candle<f64>, len, lr| {
        let settings = ParamsAdamW { lr, ..ParamsAdamW::default() };
        Base(AdamW::new(candle.vars(len), settings).unwrap())
    };
    check_descent(&mut Candle::<f64>::new(), adamw, adam);
}
