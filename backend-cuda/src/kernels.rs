//! Every kernel of the crate with the types of its parameters, and those types themselves: the Rust side of `kernels/*.cu`. Nothing
//! here launches; host types are turned into what kernels take, and nothing else is known of them.

mod activations;
mod adam;
mod augment;
mod batch_norm;
pub(crate) mod columns;
mod conv;
mod cross_entropy;
mod divisor;
mod draw;
mod grouped_conv;
mod pool;
mod products;
pub(crate) mod rule;
pub(crate) mod segments;
mod sgd;
mod store;
mod subsample;
pub(crate) mod sweep;
mod tile;

pub(crate) use activations::ActivationKernels;
pub(crate) use adam::{AdamProgress, AdamRates};
pub(crate) use augment::Turn;
pub(crate) use batch_norm::{Channel, Constants, Correction, Moments, Sums};
pub(crate) use conv::ConvShape;
pub(crate) use cross_entropy::LossSum;
pub(crate) use divisor::Divisor;
pub(crate) use draw::{Coefficient, DeviceRandom, DrawRule};
pub(crate) use grouped_conv::GroupedShape;
pub(crate) use pool::PoolShape;
pub(crate) use products::{Products, Quotients};
pub(crate) use rule::{DeviceRule, NormParts, Partial};
pub(crate) use segments::{Piece, Pieces};
pub(crate) use sgd::SgdRates;
pub(crate) use store::StoreArguments;
pub(crate) use subsample::SubsampleShape;
pub(crate) use tile::Tile;

use crate::{CudaError, Kernel, Ptr, PtrMut, card::Card, element::Value, loaded_module::LoadedModule};

macro_rules! kernels {
    ($(#[$about:meta])* $Kernels:ident, $SIGNATURES:ident: $($module:literal { $($name:ident($($type:ty),* $(,)?);)* })*) => {
        $(#[$about])*
        pub(crate) struct $Kernels {
            $($(pub $name: Kernel<($($type,)*)>,)*)*
            /// After the kernels, which are parts of them.
            _modules: Vec<LoadedModule>,
        }

        impl $Kernels {
            /// Loads everything into the current context.
            pub fn load(card: &Card) -> Result<Self, CudaError> {
                let mut modules = Vec::new();
                $(
                    let module =
                        LoadedModule::new(card, $module, include_str!(concat!("../kernels/", $module, ".ptx")))?;
                    $(let $name = module.kernel(card, stringify!($name))?;)*
                    modules.push(module);
                )*
                Ok(Self { $($($name,)*)* _modules: modules })
            }
        }

        /// Of each kernel its module, its name and the sizes of its parameters.
        #[cfg(test)]
        const $SIGNATURES: &[(&str, &str, &[usize])] = &[$($(
            (
                include_str!(concat!("../kernels/", $module, ".ptx")),
                stringify!($name),
                <($($type,)*) as crate::Arguments>::SIZES,
            ),
        )*)*];
    };
}

kernels! {
    /// The kernels, loaded.
    Kernels, SIGNATURES:
    "store" {
        store(StoreArguments, u32, PtrMut<u32>);
    }
    "norm" {
        // w, g, n, rule, adaptive, reduction, q, norm, partials
        norm_sweep(
            Ptr<f32>, Ptr<f32>, u32, Ptr<DeviceRule>, i32, i32, f64, Ptr<NormParts>, PtrMut<Partial>,
        );
        // partials, count, rule, adaptive, reduction, p, q, norm, finite
        norm_finish(
            Ptr<Partial>, u32, Ptr<DeviceRule>, i32, i32, f64, f64, PtrMut<NormParts>, PtrMut<u32>,
        );
    }
    "ascend" {
        // w, g, n, rule, norm, exponent kind, adaptive, q - 1, perturbed
        ascend(
            Ptr<f32>, Ptr<f32>, u32, Ptr<DeviceRule>, Ptr<NormParts>, i32, i32, f64, PtrMut<f32>,
        );
    }
    "segmented_norm" {
        // w, g, pieces, rule, adaptive, own norms, reduction, q, norms, partials
        segmented_sweep(
            Ptr<f32>, Ptr<f32>, Ptr<Piece>, Ptr<DeviceRule>, i32, i32, i32, f64, Ptr<NormParts>, PtrMut<Partial>,
        );
        // partials, pieces of each norm, rule, reduction, p, q, norms, finite
        segmented_finish(
            Ptr<Partial>, Ptr<Pieces>, Ptr<DeviceRule>, i32, f64, f64, PtrMut<NormParts>, PtrMut<u32>,
        );
    }
    "segmented_ascend" {
        // w, g, pieces, rule, norm of all, norms, own norms, exponent kind, adaptive, q - 1, perturbed
        segmented_ascend(
            Ptr<f32>, Ptr<f32>, Ptr<Piece>, Ptr<DeviceRule>, Ptr<NormParts>, Ptr<NormParts>, i32, i32, i32, f64,
            PtrMut<f32>,
        );
    }
    "mix" {
        // a, x, b, n, y
        mix(f32, Ptr<f32>, f32, u32, PtrMut<f32>);
    }
    "mix_along" {
        // a, da, x, b, db, n, quotients, whether the ratio, y
        mix_along(f32, f32, Ptr<f32>, f32, f32, u32, Ptr<Quotients>, i32, PtrMut<f32>);
    }
    "products" {
        // a, b, n, partials
        products_sweep(Ptr<f32>, Ptr<f32>, u32, PtrMut<Products>);
        // partials, count, quotients
        products_finish(Ptr<Products>, u32, PtrMut<Quotients>);
    }
    "friendly" {
        // mean, n, steps, sigma, lambda, 1 - lambda, next mean, g
        friendly(Ptr<f32>, u32, Ptr<u64>, f32, f32, f32, PtrMut<f32>, PtrMut<f32>);
    }
    "keep" {
        // from, n, finite, to, steps
        keep(Ptr<f32>, u32, Ptr<u32>, PtrMut<f32>, PtrMut<u64>);
    }
    "accumulate" {
        // sum, g, n, share, finite, to
        accumulate(Ptr<f32>, Ptr<f32>, u32, f32, Ptr<u32>, PtrMut<f32>);
    }
    "check" {
        check_sweep(Ptr<f32>, u32, PtrMut<u32>);
        // partials, count, join, finite
        check_finish(Ptr<u32>, u32, i32, PtrMut<u32>);
    }
    "clip" {
        // g, n, rule, norm, finite
        clip(PtrMut<f32>, u32, Ptr<DeviceRule>, Ptr<NormParts>, Ptr<u32>);
    }
    "sgd" {
        // w, g, m, n, rates, nesterov, finite
        sgd(PtrMut<f32>, Ptr<f32>, PtrMut<f32>, u32, Ptr<SgdRates>, i32, Ptr<u32>);
    }
    "adam" {
        adam_advance(Ptr<AdamRates>, Ptr<u32>, PtrMut<AdamProgress>);
        // w, g, mean, square, n, rates, progress, finite
        adam(
            PtrMut<f32>, Ptr<f32>, PtrMut<f32>, PtrMut<f32>, u32, Ptr<AdamRates>, Ptr<AdamProgress>, Ptr<u32>,
        );
    }
    "average" {
        // mean, w, n, share
        average(PtrMut<f32>, Ptr<f32>, u32, f32);
    }
    "conv_forward" {
        // x, filters, bias, shape, y
        conv_forward_wide(Ptr<Value>, Ptr<f32>, Ptr<f32>, ConvShape, PtrMut<Value>);
        conv_forward_narrow(Ptr<Value>, Ptr<f32>, Ptr<f32>, ConvShape, PtrMut<Value>);
    }
    "conv_input_gradient" {
        // dy, filters, shape, accumulate, dx
        conv_input_gradient_wide(Ptr<Value>, Ptr<f32>, ConvShape, i32, PtrMut<Value>);
        conv_input_gradient_narrow(Ptr<Value>, Ptr<f32>, ConvShape, i32, PtrMut<Value>);
    }
    "conv_weight_gradient" {
        // x, dy, shape, pixels of a slice, a gradient for each slice
        conv_weight_gradient_wide(Ptr<Value>, Ptr<Value>, ConvShape, u32, PtrMut<f32>);
        conv_weight_gradient_narrow(Ptr<Value>, Ptr<Value>, ConvShape, u32, PtrMut<f32>);
        // partials, n, slices, sum
        sum_slices(Ptr<f32>, u32, u32, PtrMut<f32>);
    }
    "transpose" {
        // from, rows, columns, to
        transpose(Ptr<f32>, u32, u32, PtrMut<f32>);
    }
    "draw" {
        // rules, random, first sample, samples, samples of the largest batch, training, perturbed, coefficients
        draw(Ptr<DrawRule>, Ptr<DeviceRandom>, u32, u32, u32, i32, i32, PtrMut<Coefficient>);
    }
    "report" {
        // loss, its words, norm, its words, finite, report
        report(Ptr<LossSum>, u32, Ptr<NormParts>, u32, Ptr<u32>, PtrMut<u32>);
    }
    "augment" {
        // pixels, labels, tables, order, first, turn, images, labels of the batch
        augment(Ptr<u8>, Ptr<u32>, Ptr<f32>, Ptr<u32>, u32, Turn, PtrMut<f32>, PtrMut<u32>);
    }
    "mixup" {
        // from, partners, n, values a sample, first share, second share, to
        mixup_images(Ptr<f32>, Ptr<u32>, u32, Divisor, f32, f32, PtrMut<f32>);
        // labels, partners, n, to
        mixup_labels(Ptr<u32>, Ptr<u32>, u32, PtrMut<u32>);
    }
}

kernels! {
    /// Kernels for tensor cores, loaded, with the parameters of their counterparts in single precision; and what rounds to bf16.
    TensorKernels, TENSOR_SIGNATURES:
    "round_bf16" {
        // x, n, y
        round_bf16(Ptr<f32>, u32, PtrMut<u16>);
    }
    "transpose_bf16" {
        // from, rows, columns, to
        transpose_to_bf16(Ptr<f32>, u32, u32, PtrMut<u16>);
        transpose_from_bf16(Ptr<u16>, u32, u32, PtrMut<f32>);
    }
    "conv_forward_tensor" {
        conv_forward_wide_tf32(Ptr<Value>, Ptr<f32>, Ptr<f32>, ConvShape, PtrMut<Value>);
        conv_forward_narrow_tf32(Ptr<Value>, Ptr<f32>, Ptr<f32>, ConvShape, PtrMut<Value>);
        conv_forward_wide_bf16(Ptr<Value>, Ptr<f32>, Ptr<f32>, ConvShape, PtrMut<Value>);
        conv_forward_narrow_bf16(Ptr<Value>, Ptr<f32>, Ptr<f32>, ConvShape, PtrMut<Value>);
    }
    "conv_input_gradient_tensor" {
        conv_input_gradient_wide_tf32(Ptr<Value>, Ptr<f32>, ConvShape, i32, PtrMut<Value>);
        conv_input_gradient_narrow_tf32(Ptr<Value>, Ptr<f32>, ConvShape, i32, PtrMut<Value>);
        conv_input_gradient_wide_bf16(Ptr<Value>, Ptr<f32>, ConvShape, i32, PtrMut<Value>);
        conv_input_gradient_narrow_bf16(Ptr<Value>, Ptr<f32>, ConvShape, i32, PtrMut<Value>);
    }
    "conv_weight_gradient_tensor" {
        conv_weight_gradient_wide_tf32(Ptr<Value>, Ptr<Value>, ConvShape, u32, PtrMut<f32>);
        conv_weight_gradient_narrow_tf32(Ptr<Value>, Ptr<Value>, ConvShape, u32, PtrMut<f32>);
        conv_weight_gradient_wide_bf16(Ptr<Value>, Ptr<Value>, ConvShape, u32, PtrMut<f32>);
        conv_weight_gradient_narrow_bf16(Ptr<Value>, Ptr<Value>, ConvShape, u32, PtrMut<f32>);
    }
}

#[cfg(test)]
mod tests {
    use super::{SIGNATURES, TENSOR_SIGNATURES, activations};
    use crate::signature::parameters;

    /// A read of four words faults where the address is no multiple of their size; the interpreter places variables so that it
    /// does not show.
    #[test]
    fn shared_memory_is_aligned_for_what_reads_it() {
        let mut seen = 0;
        for (ptx, name, _) in SIGNATURES.iter().chain(TENSOR_SIGNATURES) {
            if !ptx.contains(".shared.v4.") {
                continue;
            }
            for line in ptx.lines().filter(|line| line.trim_start().starts_with(".shared")) {
                assert!(line.contains(".align 16 "), "{name}: {line}");
                seen += 1;
            }
        }
        assert!(seen > 0, "no kernel reads four words at once");
    }

    /// Without a device too: what is called is what was compiled.
    #[test]
    fn signatures_are_those_of_the_compiled_kernels() {
        for (ptx, name, sizes) in SIGNATURES.iter().chain(TENSOR_SIGNATURES) {
            assert_eq!(parameters(ptx, name).as_deref(), Some(*sizes), "kernel {name}");
        }
        for (modules, names, sizes) in activations::SIGNATURES {
            for (ptx, name) in modules.iter().zip(names) {
                assert_eq!(parameters(ptx, name).as_deref(), Some(*sizes), "kernel {name}");
            }
        }
    }
}
