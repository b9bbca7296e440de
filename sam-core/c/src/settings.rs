//! Hyper-parameters, as plain numbers.

/// SAM (Foret et al., ICLR 2021): needs 1 word a weight, and the base optimizer's.
pub const SAM_METHOD_SAM: u32 = 0;
/// ASAM (Kwon et al., ICML 2021): as SAM, in a ball that scales with `|w| + eta`.
pub const SAM_METHOD_ASAM: u32 = 1;
/// GSAM (Zhuang et al., ICLR 2022): needs 2 words a weight, and the base optimizer's.
pub const SAM_METHOD_GSAM: u32 = 2;
/// LookSAM (Liu et al., CVPR 2022), a second gradient every `k` steps: needs 3 words a weight, and the base optimizer's.
pub const SAM_METHOD_LOOKSAM: u32 = 3;

/// SGD with the arithmetic of `torch.optim.SGD`: needs 1 word a weight with momentum, none without.
pub const SAM_BASE_SGD: u32 = 0;
/// Adam, and with `decoupled` AdamW, with the arithmetic of `torch.optim`: needs 2 words a weight.
pub const SAM_BASE_ADAM: u32 = 1;

/// What a step is made with; `sam_settings` fills it with usual values. Numbers are rounded to the precision of the weights.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamSettings {
    /// One of the `SAM_METHOD` numbers.
    pub method: u32,
    /// One of the `SAM_BASE` numbers.
    pub base: u32,
    /// SGD: not 0 for Nesterov's momentum.
    pub nesterov: u32,
    /// Not 0: weights shrink by `lr * decay` (AdamW); 0: `decay * w` is added to the gradient.
    pub decoupled: u32,
    /// LookSAM: steps from one second gradient to the next.
    pub k: u64,
    /// Radius of the ball.
    pub rho: f64,
    /// ASAM: what is added to `|w|`.
    pub eta: f64,
    /// GSAM: weight of the surrogate gap. LookSAM: share of the gradient's length that the kept part gets.
    pub alpha: f64,
    /// Learning rate.
    pub lr: f64,
    /// SGD: share of the momentum that stays.
    pub momentum: f64,
    /// Adam: share of the mean gradient that stays.
    pub beta1: f64,
    /// Adam: share of the mean squared gradient that stays.
    pub beta2: f64,
    /// Adam: what is added to the root.
    pub epsilon: f64,
    /// Weight decay.
    pub decay: f64,
}

/// Usual values: the radius, `eta`, `alpha` and `k` of the method's paper, SGD with a rate of 0.1 and a momentum of 0.9, Adam with
/// a rate of 0.001 and its paper's shares, no weight decay.
#[allow(unsafe_code, reason = "a name for C")]
#[unsafe(no_mangle)]
pub extern "C" fn sam_settings(method: u32, base: u32) -> SamSettings {
    SamSettings {
        method,
        base,
        nesterov: 0,
        decoupled: 0,
        k: 5,
        rho: if method == SAM_METHOD_ASAM { 0.5 } else { 0.05 },
        eta: 0.01,
        alpha: if method == SAM_METHOD_LOOKSAM { 0.7 } else { 0.4 },
        lr: if base == SAM_BASE_ADAM { 0.001 } else { 0.1 },
        momentum: 0.9,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        decay: 0.0,
    }
}
