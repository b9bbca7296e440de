//! Which of the family's methods run on the device, and how.

use sam_backend_cuda::{
    CudaClipped, CudaError, CudaFriendly, CudaGsam, CudaLookSam, CudaMSharpness, CudaPerturbedOnly, CudaSgd,
    CudaSpace, Device, DeviceStep, GradientBuffer,
};
use sam_core::{AlongGradient, Plain, Rule, Sam, Variant, WeightDecay, Wsam};

use crate::training::settings::{Method, Settings, SgdSettings};

/// What every method is made of.
struct Ingredients<'a> {
    device: &'a Device,
    weights: usize,
    rule: Rule<f32>,
    space: CudaSpace,
    base: CudaClipped<CudaSgd>,
}

type Made = Result<Box<dyn DeviceStep>, CudaError>;

/// How a method is made of its ingredients.
type Recipe = Box<dyn FnOnce(Ingredients<'_>) -> Made>;

/// The recipe of `method`, if it runs on the device. The others need noise, products with the Hessian, several steps of ascent, the
/// base optimizer's momentum or tensors that are treated differently.
fn recipe(method: Method) -> Option<Recipe> {
    Some(match method {
        // Mixed images are the learner's business.
        Method::Sgd | Method::Mixup { .. } => {
            Box::new(|Ingredients { space, base, .. }| Ok(Box::new(Plain::new(space, base))))
        }
        Method::Sam { .. } | Method::Asam { .. } => {
            Box::new(|Ingredients { space, rule, base, .. }| Ok(Box::new(Sam::new(space, rule, base))))
        }
        Method::MSharpness { m, .. } => {
            Box::new(move |Ingredients { device, weights, space, rule, base }| {
                Ok(Box::new(CudaMSharpness::new(device, space, rule, m, base, weights)?))
            })
        }
        Method::Gsam { alpha, .. } => Box::new(move |Ingredients { device, weights, space, rule, base }| {
            let combination = CudaGsam::new(device, alpha as f32, weights)?;
            Ok(Box::new(Variant::new(space, rule, AlongGradient, combination, base)))
        }),
        Method::Wsam { gamma, .. } => Box::new(move |Ingredients { device, weights, space, rule, base }| {
            let combination = Wsam::new(gamma as f32, GradientBuffer::zeros(device, weights)?);
            Ok(Box::new(Variant::new(space, rule, AlongGradient, combination, base)))
        }),
        Method::FriendlySam { sigma, lambda, .. } => {
            Box::new(move |Ingredients { device, weights, space, rule, base }| {
                let ascent = CudaFriendly::new(device, sigma as f32, lambda as f32, weights)?;
                Ok(Box::new(Variant::new(space, rule, ascent, CudaPerturbedOnly, base)))
            })
        }
        Method::LookSam { k, alpha, .. } => {
            Box::new(move |Ingredients { device, weights, space, rule, base }| {
                let reuse = (k as u64, alpha as f32);
                Ok(Box::new(CudaLookSam::new(device, space, rule, reuse, base, weights)?))
            })
        }
        _ => return None,
    })
}

/// Whether the method runs on the device.
pub fn runs(method: Method) -> bool {
    recipe(method).is_some()
}

/// The method of `settings` for `weights` weights; `None` unless it [`runs`] there.
pub fn build(
    device: &Device,
    settings: &Settings,
    weights: usize,
) -> Result<Option<Box<dyn DeviceStep>>, CudaError> {
    let Some(recipe) = recipe(settings.method) else { return Ok(None) };
    let (space, base) = (CudaSpace::new(device, weights)?, base(device, &settings.sgd, weights)?);
    recipe(Ingredients { device, weights, rule: settings.method.rule(), space, base }).map(Some)
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
