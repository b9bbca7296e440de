//! Kernels that read or write activations, or gradients of those: each there is once for every element.

use super::{
    Channel, Coefficient, Constants, Correction, DeviceRandom, Divisor, GroupedShape, LossSum, Moments,
    PoolShape, SubsampleShape, Sums,
};
use crate::{
    CudaError, Grid, Kernel, Ptr, PtrMut,
    card::Card,
    element::{Element, Value},
    loaded_module::LoadedModule,
};

macro_rules! activation_kernels {
    ($($module:literal { $($name:ident($($type:ty),* $(,)?);)* })*) => {
        /// The kernels for one element, loaded.
        pub(crate) struct ActivationKernels {
            $($(pub $name: Kernel<($($type,)*)>,)*)*
            /// What they are for.
            pub element: Element,
            /// After the kernels, which are parts of them.
            _modules: Vec<LoadedModule>,
        }

        impl ActivationKernels {
            /// Loads those for `element` into the current context.
            pub fn load(card: &Card, element: Element) -> Result<Self, CudaError> {
                let mut modules = Vec::new();
                $(
                    let [single, short] = compiled!($module);
                    let (name, ptx) = match element {
                        Element::F32 => ($module, single),
                        Element::Bf16 => (concat!($module, "_bf16"), short),
                    };
                    let module = LoadedModule::new(card, name, ptx)?;
                    $(
                        let [single, short] = named!($name);
                        let $name = module.kernel(card, match element {
                            Element::F32 => single,
                            Element::Bf16 => short,
                        })?;
                    )*
                    modules.push(module);
                )*
                Ok(Self { $($($name,)*)* element, _modules: modules })
            }
        }

        /// Of each kernel its modules, its names and the sizes of its parameters, for every element.
        #[cfg(test)]
        pub(super) const SIGNATURES: &[([&str; 2], [&str; 2], &[usize])] = &[$($(
            (compiled!($module), named!($name), <($($type,)*) as crate::Arguments>::SIZES),
        )*)*];
    };
}

impl ActivationKernels {
    /// Of those that move values sixteen bytes at a time, over `n` values.
    pub const fn vectors(&self, n: u32) -> Grid {
        Grid::vectors(n, self.element.bytes())
    }
}

/// What the compiler has made of a source, for f32 and for bf16.
macro_rules! compiled {
    ($module:literal) => {
        [
            include_str!(concat!("../../kernels/", $module, ".ptx")),
            include_str!(concat!("../../kernels/", $module, "_bf16.ptx")),
        ]
    };
}

/// The names of a kernel, for f32 and for bf16.
macro_rules! named {
    ($name:ident) => {
        [stringify!($name), concat!(stringify!($name), "_bf16")]
    };
}

activation_kernels! {
    "bias_gradient" {
        // dy, rows, channels, partials
        bias_gradient_sums(Ptr<Value>, u32, u32, PtrMut<f64>);
        // partials, chunks, channels, db
        bias_gradient_finish(Ptr<f64>, u32, u32, PtrMut<f32>);
    }
    "batch_norm_forward" {
        // x, rows, channels, partials
        batch_norm_measure(Ptr<Value>, u32, u32, PtrMut<Moments>);
        // partials, chunks, channels, parameters, constants, update, running statistics, normals
        batch_norm_finish(
            Ptr<Moments>, u32, u32, Ptr<f32>, Constants, i32, PtrMut<f32>, PtrMut<Channel>,
        );
        // sums, sums of squares, rows, channels, parameters, constants, update, running statistics, normals
        batch_norm_finish_sums(
            Ptr<f32>, Ptr<f32>, u32, u32, Ptr<f32>, Constants, i32, PtrMut<f32>, PtrMut<Channel>,
        );
        // running statistics, channels, parameters, constants, normals
        batch_norm_running(Ptr<f32>, u32, Ptr<f32>, Constants, PtrMut<Channel>);
        // x, n, channels, normals, relu, addend, y
        batch_norm_normalise(Ptr<Value>, u32, Divisor, Ptr<Channel>, i32, Ptr<Value>, PtrMut<Value>);
    }
    "batch_norm_backward" {
        // x, dy, rows, channels, normals, relu, partials
        batch_norm_sums(Ptr<Value>, Ptr<Value>, u32, u32, Ptr<Channel>, i32, PtrMut<Sums>);
        // partials, chunks, channels, rows, normals, frozen, gradients, corrections
        batch_norm_gradients(
            Ptr<Sums>, u32, u32, u32, Ptr<Channel>, i32, PtrMut<f32>, PtrMut<Correction>,
        );
        // x, dy, n, channels, normals, corrections, relu, accumulate, dx
        batch_norm_input_gradient(
            Ptr<Value>, Ptr<Value>, u32, Divisor, Ptr<Channel>, Ptr<Correction>, i32, i32, PtrMut<Value>,
        );
    }
    "relu" {
        // x, n, y
        relu_forward(Ptr<Value>, u32, PtrMut<Value>);
        // y, dy, n, accumulate, dx
        relu_backward(Ptr<Value>, Ptr<Value>, u32, i32, PtrMut<Value>);
    }
    "pointwise" {
        // x, n, y
        swish_forward(Ptr<Value>, u32, PtrMut<Value>);
        // x, dy, n, accumulate, dx
        swish_backward(Ptr<Value>, Ptr<Value>, u32, i32, PtrMut<Value>);
        sigmoid_forward(Ptr<Value>, u32, PtrMut<Value>);
        sigmoid_backward(Ptr<Value>, Ptr<Value>, u32, i32, PtrMut<Value>);
        relu6_forward(Ptr<Value>, u32, PtrMut<Value>);
        relu6_backward(Ptr<Value>, Ptr<Value>, u32, i32, PtrMut<Value>);
    }
    "add" {
        add(Ptr<Value>, Ptr<Value>, u32, PtrMut<Value>);
    }
    "add_bias" {
        // bias, n, channels, y
        add_bias(Ptr<f32>, u32, Divisor, PtrMut<Value>);
    }
    "max_pool" {
        // x, outputs, shape, chosen, y
        max_pool_forward(Ptr<Value>, u32, PoolShape, PtrMut<u32>, PtrMut<Value>);
        // dy, chosen, inputs, shape, accumulate, dx
        max_pool_backward(Ptr<Value>, Ptr<u32>, u32, PoolShape, i32, PtrMut<Value>);
    }
    "avg_pool" {
        // x, outputs, shape, share, y
        avg_pool_forward(Ptr<Value>, u32, PoolShape, f32, PtrMut<Value>);
        // dy, inputs, shape, share, accumulate, dx
        avg_pool_backward(Ptr<Value>, u32, PoolShape, f32, i32, PtrMut<Value>);
    }
    "pixel_sums" {
        // x, g, pixels, channels, share, accumulate, sums
        pixel_sums(Ptr<Value>, Ptr<Value>, u32, u32, f64, i32, PtrMut<Value>);
    }
    "subsample" {
        // x, outputs, shape, y
        subsample_forward(Ptr<Value>, u32, SubsampleShape, PtrMut<Value>);
        // dy, inputs, shape, accumulate, dx
        subsample_backward(Ptr<Value>, u32, SubsampleShape, i32, PtrMut<Value>);
    }
    "channels" {
        // a, b, n, channels, those of a, y
        channels_join(Ptr<Value>, Ptr<Value>, u32, Divisor, u32, PtrMut<Value>);
        // x, n, channels of the part, channels, those before the part, accumulate, y
        channels_part(Ptr<Value>, u32, Divisor, u32, u32, i32, PtrMut<Value>);
    }
    "scale" {
        // x, s, n, channels, pixels, accumulate, y
        scale(Ptr<Value>, Ptr<Value>, u32, Divisor, Divisor, i32, PtrMut<Value>);
    }
    "grouped_conv" {
        // x, filters, bias, outputs, shape, y
        grouped_conv_forward(Ptr<Value>, Ptr<f32>, Ptr<f32>, u32, GroupedShape, PtrMut<Value>);
        // dy, filters, inputs, shape, accumulate, dx
        grouped_conv_input_gradient(Ptr<Value>, Ptr<f32>, u32, GroupedShape, i32, PtrMut<Value>);
        // x, dy, output pixels, those of a chunk, weights of a filter, shape, partials
        grouped_conv_weight_sums(Ptr<Value>, Ptr<Value>, u32, u32, Divisor, GroupedShape, PtrMut<f64>);
        // partials, n, chunks, sum
        grouped_conv_weight_finish(Ptr<f64>, u32, u32, PtrMut<f32>);
    }
    "scale_samples" {
        // x, n, values a sample, coefficients, backward, accumulate, y
        scale_samples(Ptr<Value>, u32, Divisor, Ptr<Coefficient>, i32, i32, PtrMut<Value>);
    }
    "shake_shake" {
        // a, b, n, values a sample, coefficients, y
        shake_shake_forward(Ptr<Value>, Ptr<Value>, u32, Divisor, Ptr<Coefficient>, PtrMut<Value>);
        // dy, n, values a sample, coefficients, second, accumulate, dx
        shake_shake_backward(Ptr<Value>, u32, Divisor, Ptr<Coefficient>, i32, i32, PtrMut<Value>);
    }
    "dropout" {
        // x, blocks of words, those of a sample, values a sample, node, rate, kept, random, first sample, training,
        // accumulate, y
        dropout(Ptr<Value>, u32, Divisor, u32, u32, f64, f32, Ptr<DeviceRandom>, u32, i32, i32, PtrMut<Value>);
    }
    "cross_entropy" {
        // logits, labels, partners' labels, the labels' own share, classes, smoothing, gradient, records
        cross_entropy(Ptr<Value>, Ptr<u32>, Ptr<u32>, Ptr<f64>, u32, f64, PtrMut<Value>, PtrMut<LossSum>);
        // records, samples, mean
        cross_entropy_mean(Ptr<LossSum>, u32, PtrMut<LossSum>);
    }
}
