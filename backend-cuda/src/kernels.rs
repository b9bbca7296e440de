//! Every kernel of the crate with the types of its parameters: the Rust side of `kernels/*.cu`.

use crate::{
    CudaError, Kernel, Ptr, PtrMut,
    descent::{AdamProgress, AdamRates, SgdRates},
    device::Card,
    memory::Words,
    module::LoadedModule,
    space::{DeviceRule, NormRecord, Partial},
};

macro_rules! kernels {
    ($($module:literal { $($name:ident($($type:ty),* $(,)?);)* })*) => {
        /// The kernels, loaded.
        pub(crate) struct Kernels {
            $($(pub $name: Kernel<($($type,)*)>,)*)*
            /// After the kernels, which are parts of them.
            _modules: Vec<LoadedModule>,
        }

        impl Kernels {
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
        const SIGNATURES: &[(&str, &str, &[usize])] = &[$($(
            (
                include_str!(concat!("../kernels/", $module, ".ptx")),
                stringify!($name),
                <($($type,)*) as crate::Arguments>::SIZES,
            ),
        )*)*];
    };
}

kernels! {
    "store" {
        store(Words, u32, PtrMut<u32>);
    }
    "norm" {
        // w, g, n, rule, adaptive, goal, q, norm, partials
        norm_sweep(
            Ptr<f32>, Ptr<f32>, u32, Ptr<DeviceRule>, i32, i32, f64, Ptr<NormRecord>, PtrMut<Partial>,
        );
        // partials, count, rule, adaptive, goal, p, q, norm, finite
        norm_finish(
            Ptr<Partial>, u32, Ptr<DeviceRule>, i32, i32, f64, f64, PtrMut<NormRecord>, PtrMut<u32>,
        );
    }
    "ascend" {
        // w, g, n, rule, norm, exponent kind, adaptive, q - 1, perturbed
        ascend(
            Ptr<f32>, Ptr<f32>, u32, Ptr<DeviceRule>, Ptr<NormRecord>, i32, i32, f64, PtrMut<f32>,
        );
    }
    "check" {
        check_sweep(Ptr<f32>, u32, PtrMut<u32>);
        // partials, count, join, finite
        check_finish(Ptr<u32>, u32, i32, PtrMut<u32>);
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
}

#[cfg(test)]
mod tests {
    use super::SIGNATURES;
    use crate::signature::parameters;

    /// Without a device too: what is called is what was compiled.
    #[test]
    fn signatures_are_those_of_the_compiled_kernels() {
        for (ptx, name, sizes) in SIGNATURES {
            assert_eq!(parameters(ptx, name).as_deref(), Some(*sizes), "kernel {name}");
        }
    }
}
