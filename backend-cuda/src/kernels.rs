//! Every kernel of the crate with the types of its parameters, and those types themselves: the Rust side of `kernels/*.cu`. Nothing
//! here launches; host types are turned into what kernels take, and nothing else is known of them.

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

use crate::{CudaError, Kernel, Ptr, PtrMut, card::Card, loaded_module::LoadedModule};

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
        conv_forward_wide(Ptr<f32>, Ptr<f32>, Ptr<f32>, ConvShape, PtrMut<f32>);
        conv_forward_narrow(Ptr<f32>, Ptr<f32>, Ptr<f32>, ConvShape, PtrMut<f32>);
    }
    "conv_input_gradient" {
        // dy, filters, shape, accumulate, dx
        conv_input_gradient_wide(Ptr<f32>, Ptr<f32>, ConvShape, i32, PtrMut<f32>);
        conv_input_gradient_narrow(Ptr<f32>, Ptr<f32>, ConvShape, i32, PtrMut<f32>);
    }
    "conv_weight_gradient" {
        // x, dy, shape, pixels of a slice, a gradient for each slice
        conv_weight_gradient_wide(Ptr<f32>, Ptr<f32>, ConvShape, u32, PtrMut<f32>);
        conv_weight_gradient_narrow(Ptr<f32>, Ptr<f32>, ConvShape, u32, PtrMut<f32>);
        // partials, n, slices, sum
        sum_slices(Ptr<f32>, u32, u32, PtrMut<f32>);
    }
    "bias_gradient" {
        // dy, rows, channels, partials
        bias_gradient_sums(Ptr<f32>, u32, u32, PtrMut<f64>);
        // partials, chunks, channels, db
        bias_gradient_finish(Ptr<f64>, u32, u32, PtrMut<f32>);
    }
    "batch_norm_forward" {
        // x, rows, channels, partials
        batch_norm_measure(Ptr<f32>, u32, u32, PtrMut<Moments>);
        // partials, chunks, channels, parameters, constants, update, running statistics, normals
        batch_norm_finish(
            Ptr<Moments>, u32, u32, Ptr<f32>, Constants, i32, PtrMut<f32>, PtrMut<Channel>,
        );
        // running statistics, channels, parameters, constants, normals
        batch_norm_running(Ptr<f32>, u32, Ptr<f32>, Constants, PtrMut<Channel>);
        // x, n, channels, normals, relu, y
        batch_norm_normalise(Ptr<f32>, u32, Divisor, Ptr<Channel>, i32, PtrMut<f32>);
    }
    "batch_norm_backward" {
        // x, dy, rows, channels, normals, relu, partials
        batch_norm_sums(Ptr<f32>, Ptr<f32>, u32, u32, Ptr<Channel>, i32, PtrMut<Sums>);
        // partials, chunks, channels, rows, normals, frozen, gradients, corrections
        batch_norm_gradients(
            Ptr<Sums>, u32, u32, u32, Ptr<Channel>, i32, PtrMut<f32>, PtrMut<Correction>,
        );
        // x, dy, n, channels, normals, corrections, relu, accumulate, dx
        batch_norm_input_gradient(
            Ptr<f32>, Ptr<f32>, u32, Divisor, Ptr<Channel>, Ptr<Correction>, i32, i32, PtrMut<f32>,
        );
    }
    "relu" {
        // x, n, y
        relu_forward(Ptr<f32>, u32, PtrMut<f32>);
        // y, dy, n, accumulate, dx
        relu_backward(Ptr<f32>, Ptr<f32>, u32, i32, PtrMut<f32>);
    }
    "pointwise" {
        // x, n, y
        swish_forward(Ptr<f32>, u32, PtrMut<f32>);
        // x, dy, n, accumulate, dx
        swish_backward(Ptr<f32>, Ptr<f32>, u32, i32, PtrMut<f32>);
        sigmoid_forward(Ptr<f32>, u32, PtrMut<f32>);
        sigmoid_backward(Ptr<f32>, Ptr<f32>, u32, i32, PtrMut<f32>);
        relu6_forward(Ptr<f32>, u32, PtrMut<f32>);
        relu6_backward(Ptr<f32>, Ptr<f32>, u32, i32, PtrMut<f32>);
    }
    "add" {
        add(Ptr<f32>, Ptr<f32>, u32, PtrMut<f32>);
    }
    "add_bias" {
        // bias, n, channels, y
        add_bias(Ptr<f32>, u32, Divisor, PtrMut<f32>);
    }
    "transpose" {
        // from, rows, columns, to
        transpose(Ptr<f32>, u32, u32, PtrMut<f32>);
    }
    "max_pool" {
        // x, outputs, shape, chosen, y
        max_pool_forward(Ptr<f32>, u32, PoolShape, PtrMut<u32>, PtrMut<f32>);
        // dy, chosen, inputs, shape, accumulate, dx
        max_pool_backward(Ptr<f32>, Ptr<u32>, u32, PoolShape, i32, PtrMut<f32>);
    }
    "avg_pool" {
        // x, outputs, shape, share, y
        avg_pool_forward(Ptr<f32>, u32, PoolShape, f32, PtrMut<f32>);
        // dy, inputs, shape, share, accumulate, dx
        avg_pool_backward(Ptr<f32>, u32, PoolShape, f32, i32, PtrMut<f32>);
    }
    "pixel_sums" {
        // x, g, pixels, channels, share, accumulate, sums
        pixel_sums(Ptr<f32>, Ptr<f32>, u32, u32, f64, i32, PtrMut<f32>);
    }
    "subsample" {
        // x, outputs, shape, y
        subsample_forward(Ptr<f32>, u32, SubsampleShape, PtrMut<f32>);
        // dy, inputs, shape, accumulate, dx
        subsample_backward(Ptr<f32>, u32, SubsampleShape, i32, PtrMut<f32>);
    }
    "channels" {
        // a, b, n, channels, those of a, y
        channels_join(Ptr<f32>, Ptr<f32>, u32, Divisor, u32, PtrMut<f32>);
        // x, n, channels of the part, channels, those before the part, accumulate, y
        channels_part(Ptr<f32>, u32, Divisor, u32, u32, i32, PtrMut<f32>);
    }
    "scale" {
        // x, s, n, channels, pixels, accumulate, y
        scale(Ptr<f32>, Ptr<f32>, u32, Divisor, Divisor, i32, PtrMut<f32>);
    }
    "grouped_conv" {
        // x, filters, bias, outputs, shape, y
        grouped_conv_forward(Ptr<f32>, Ptr<f32>, Ptr<f32>, u32, GroupedShape, PtrMut<f32>);
        // dy, filters, inputs, shape, accumulate, dx
        grouped_conv_input_gradient(Ptr<f32>, Ptr<f32>, u32, GroupedShape, i32, PtrMut<f32>);
        // x, dy, output pixels, those of a chunk, weights of a filter, shape, partials
        grouped_conv_weight_sums(Ptr<f32>, Ptr<f32>, u32, u32, Divisor, GroupedShape, PtrMut<f64>);
        // partials, n, chunks, sum
        grouped_conv_weight_finish(Ptr<f64>, u32, u32, PtrMut<f32>);
    }
    "draw" {
        // rules, random, first sample, samples, samples of the largest batch, training, perturbed, coefficients
        draw(Ptr<DrawRule>, Ptr<DeviceRandom>, u32, u32, u32, i32, i32, PtrMut<Coefficient>);
    }
    "scale_samples" {
        // x, n, values a sample, coefficients, backward, accumulate, y
        scale_samples(Ptr<f32>, u32, Divisor, Ptr<Coefficient>, i32, i32, PtrMut<f32>);
    }
    "shake_shake" {
        // a, b, n, values a sample, coefficients, y
        shake_shake_forward(Ptr<f32>, Ptr<f32>, u32, Divisor, Ptr<Coefficient>, PtrMut<f32>);
        // dy, n, values a sample, coefficients, second, accumulate, dx
        shake_shake_backward(Ptr<f32>, u32, Divisor, Ptr<Coefficient>, i32, i32, PtrMut<f32>);
    }
    "dropout" {
        // x, blocks of words, those of a sample, values a sample, node, rate, kept, random, first sample, training,
        // accumulate, y
        dropout(
            Ptr<f32>, u32, Divisor, u32, u32, f64, f32, Ptr<DeviceRandom>, u32, i32, i32, PtrMut<f32>,
        );
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
    "cross_entropy" {
        // logits, labels, partners' labels, the labels' own share, classes, smoothing, gradient, records
        cross_entropy(
            Ptr<f32>, Ptr<u32>, Ptr<u32>, Ptr<f64>, u32, f64, PtrMut<f32>, PtrMut<LossSum>,
        );
        // records, samples, mean
        cross_entropy_mean(Ptr<LossSum>, u32, PtrMut<LossSum>);
    }
}

kernels! {
    /// Kernels for tensor cores, loaded: with the parameters of their counterparts in single precision.
    TensorKernels, TENSOR_SIGNATURES:
    "conv_forward_tensor" {
        conv_forward_wide_tf32(Ptr<f32>, Ptr<f32>, Ptr<f32>, ConvShape, PtrMut<f32>);
        conv_forward_narrow_tf32(Ptr<f32>, Ptr<f32>, Ptr<f32>, ConvShape, PtrMut<f32>);
        conv_forward_wide_bf16(Ptr<f32>, Ptr<f32>, Ptr<f32>, ConvShape, PtrMut<f32>);
        conv_forward_narrow_bf16(Ptr<f32>, Ptr<f32>, Ptr<f32>, ConvShape, PtrMut<f32>);
    }
    "conv_input_gradient_tensor" {
        conv_input_gradient_wide_tf32(Ptr<f32>, Ptr<f32>, ConvShape, i32, PtrMut<f32>);
        conv_input_gradient_narrow_tf32(Ptr<f32>, Ptr<f32>, ConvShape, i32, PtrMut<f32>);
        conv_input_gradient_wide_bf16(Ptr<f32>, Ptr<f32>, ConvShape, i32, PtrMut<f32>);
        conv_input_gradient_narrow_bf16(Ptr<f32>, Ptr<f32>, ConvShape, i32, PtrMut<f32>);
    }
    "conv_weight_gradient_tensor" {
        conv_weight_gradient_wide_tf32(Ptr<f32>, Ptr<f32>, ConvShape, u32, PtrMut<f32>);
        conv_weight_gradient_narrow_tf32(Ptr<f32>, Ptr<f32>, ConvShape, u32, PtrMut<f32>);
        conv_weight_gradient_wide_bf16(Ptr<f32>, Ptr<f32>, ConvShape, u32, PtrMut<f32>);
        conv_weight_gradient_narrow_bf16(Ptr<f32>, Ptr<f32>, ConvShape, u32, PtrMut<f32>);
    }
}

#[cfg(test)]
mod tests {
    use super::{SIGNATURES, TENSOR_SIGNATURES};
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
    }
}
