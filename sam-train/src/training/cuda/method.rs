//! Which of the family's methods run on the device, and how.

use sam_backend_cuda::{CudaClipped, CudaError, CudaSgd, CudaSpace, Device, DeviceStep, GradientBuffer};
use sam_core::{
    AlongGradient, Friendly, Gsam, Look, LookSam, PerturbedOnly, Plain, Sam, Variant, WeightDecay, Wsam,
};

use crate::training::settings::{Method, Settings, SgdSettings};

/// Whether the method runs on the device. The others need noise, groups of images, products with the Hessian or mixed
/// images.
pub const fn runs(method: Method) -> bool {
    matches!(
        method,
        Method::Sgd
            | Method::Sam { .. }
            | Method::Asam { .. }
            | Method::Gsam { .. }
            | Method::Wsam { .. }
            | Method::FriendlySam { .. }
            | Method::LookSam { .. }
    )
}

/// The method of `settings` for `weights` weights; `None` unless it [`runs`] there.
pub fn build(
    device: &Device,
    settings: &Settings,
    weights: usize,
) -> Result<Option<Box<dyn DeviceStep>>, CudaError> {
    let rule = settings.method.rule();
    let (space, base) = (CudaSpace::new(device, weights)?, base(device, &settings.sgd, weights)?);
    let buffer = || GradientBuffer::zeros(device, weights);
    Ok(Some(match settings.method {
        Method::Sgd => Box::new(Plain { space, base }),
        Method::Sam { .. } | Method::Asam { .. } => Box::new(Sam { space, rule, base }),
        Method::Gsam { alpha, .. } => {
            let combination = Gsam::new(alpha as f32, buffer()?);
            Box::new(Variant { space, rule, ascent: AlongGradient, combination, base })
        }
        Method::Wsam { gamma, .. } => {
            let combination = Wsam::new(gamma as f32, buffer()?);
            Box::new(Variant { space, rule, ascent: AlongGradient, combination, base })
        }
        Method::FriendlySam { sigma, lambda, .. } => {
            let ascent = Friendly::new(sigma as f32, lambda as f32, buffer()?, buffer()?);
            // The mean must not take in the gradient of a step that is called off; so with what LookSAM keeps.
            let space = space.waiting();
            Box::new(Variant { space, rule, ascent, combination: PerturbedOnly, base })
        }
        Method::LookSam { k, alpha, .. } => {
            let look = Look::new(k as u64, alpha as f32, buffer()?, buffer()?);
            Box::new(LookSam { space: space.waiting(), rule, look, base })
        }
        _ => return Ok(None),
    }))
}

fn base(device: &Device, settings: &SgdSettings, weights: usize) -> Result<CudaClipped<CudaSgd>, CudaError> {
    let decay = settings.weight_decay as f32;
    let decay = if settings.decoupled { WeightDecay::Decoupled(decay) } else { WeightDecay::Coupled(decay) };
    let base = CudaSgd::new(device, settings.lr as f32)?.with_decay(decay);
    let base = base.with_momentum(settings.momentum as f32, weights)?;
    let base = if settings.nesterov { base.with_nesterov() } else { base };
    let longest = settings.clip_norm.map_or(f32::INFINITY, |norm| norm as f32);
    CudaClipped::new(device, base, longest, weights)
}
