//! What a call came to, and how it is said.

use core::ffi::{CStr, c_char};

use sam_core::{InvalidSetting, Outcome, Pass, StepError};

/// What a call came to. Negative: it could not be done, and changed nothing.
/// Of a fixed size, since compilers for microcontrollers choose their own for enumerations.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamStatus {
    /// Done.
    Ok = 0,
    /// The step needs the gradient at the perturbed parameters: give it to `finish`.
    Gradient = 1,
    /// The step is over; the weights have moved.
    Descended = 2,
    /// The step is over: the gradient was zero, so nothing was perturbed; the base optimizer took its step.
    ZeroGradient = 3,
    /// The step is over: the first loss or gradient was infinite or NaN. Weights and state are as before it.
    NonFiniteClean = 4,
    /// The step is over: the second loss or gradient, or what the method made of it, was infinite or NaN. Weights and state are
    /// as before it.
    NonFinitePerturbed = 5,
    /// A pointer is null.
    Null = -1,
    /// A pointer is not aligned.
    Unaligned = -2,
    /// Two vectors, or a vector and lent memory, overlap.
    Overlap = -3,
    /// Lent memory or a vector is too small.
    TooSmall = -4,
    /// There are more weights than memory can hold.
    TooLarge = -5,
    /// `begin` came before the step before was over, or `finish` or `cancel` without a `begin`.
    Order = -6,
    /// There is no such method.
    Method = -7,
    /// There is no such base optimizer.
    Base = -8,
    /// `finish` got other weights than `begin`.
    Weights = -9,
    /// `rho` is out of range.
    Rho = -10,
    /// `eta` is out of range.
    Eta = -11,
    /// `alpha` is out of range.
    Alpha = -12,
    /// `lr` is out of range.
    Lr = -13,
    /// `momentum` is out of range.
    Momentum = -14,
    /// `beta1` is out of range.
    Beta1 = -15,
    /// `beta2` is out of range.
    Beta2 = -16,
    /// `epsilon` is out of range.
    Epsilon = -17,
    /// `decay` is out of range.
    Decay = -18,
    /// What this version of the interface has no word for.
    Unexpected = -99,
}

const TEXTS: [(SamStatus, &CStr); 25] = [
    (SamStatus::Ok, c"done"),
    (SamStatus::Gradient, c"the step needs the gradient at the perturbed parameters: give it to finish"),
    (SamStatus::Descended, c"the weights have moved"),
    (SamStatus::ZeroGradient, c"the gradient was zero: the base optimizer took a step without a perturbation"),
    (SamStatus::NonFiniteClean, c"the first loss or gradient is infinite or NaN: the step changed nothing"),
    (SamStatus::NonFinitePerturbed, c"the second loss or gradient is infinite or NaN: the step changed nothing"),
    (SamStatus::Null, c"expected pointers, found a null one: lend memory for each"),
    (SamStatus::Unaligned, c"expected aligned pointers, found one that is not: align memory as sam_f32_align or sam_f64_align says, vectors as their numbers"),
    (SamStatus::Overlap, c"expected memory and vectors apart, found an overlap: lend each its own"),
    (SamStatus::TooSmall, c"expected more memory, found too little: ask sam_f32_size, sam_f32_words and the like how much"),
    (SamStatus::TooLarge, c"expected vectors that memory can hold, found longer ones: check n"),
    (SamStatus::Order, c"expected begin, then finish or cancel, found another order: finish each step that begin answers with SAM_STATUS_GRADIENT"),
    (SamStatus::Method, c"`method`: expected one of the SAM_METHOD numbers, found another"),
    (SamStatus::Base, c"`base`: expected one of the SAM_BASE numbers, found another"),
    (SamStatus::Weights, c"expected the weights that begin got, found another pointer: give finish the same, or cancel the step"),
    (SamStatus::Rho, c"`rho`: expected a finite number from 0 up"),
    (SamStatus::Eta, c"`eta`: expected a finite number from 0 up"),
    (SamStatus::Alpha, c"`alpha`: expected a finite number from 0 up"),
    (SamStatus::Lr, c"`lr`: expected a finite number from 0 up"),
    (SamStatus::Momentum, c"`momentum`: expected a number from 0 to 1"),
    (SamStatus::Beta1, c"`beta1`: expected a number from 0 up to but not including 1"),
    (SamStatus::Beta2, c"`beta2`: expected a number from 0 up to but not including 1"),
    (SamStatus::Epsilon, c"`epsilon`: expected a finite number from 0 up"),
    (SamStatus::Decay, c"`decay`: expected a finite number from 0 up"),
    (SamStatus::Unexpected, c"what came of it has no number in this version of the interface"),
];

/// What a status says, as a sentence that ends in NUL and lives for ever. Any number may be asked for.
#[allow(unsafe_code, reason = "a name for C")]
#[unsafe(no_mangle)]
pub extern "C" fn sam_status_text(status: i32) -> *const c_char {
    let text = TEXTS.iter().find(|(known, _)| *known as i32 == status);
    text.map_or(c"no such status", |(_, text)| text).as_ptr()
}

impl From<Outcome> for SamStatus {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Descended => Self::Descended,
            Outcome::ZeroGradient => Self::ZeroGradient,
            Outcome::NonFinite(Pass::Clean) => Self::NonFiniteClean,
            Outcome::NonFinite(_) => Self::NonFinitePerturbed,
            // Only storage on a device defers.
            _ => Self::Unexpected,
        }
    }
}

impl From<InvalidSetting> for SamStatus {
    fn from(invalid: InvalidSetting) -> Self {
        match invalid.setting {
            "rho" => Self::Rho,
            "eta" => Self::Eta,
            "alpha" => Self::Alpha,
            "lr" => Self::Lr,
            "momentum" => Self::Momentum,
            "beta1" => Self::Beta1,
            "beta2" => Self::Beta2,
            "epsilon" => Self::Epsilon,
            "decay" => Self::Decay,
            _ => Self::Unexpected,
        }
    }
}

impl<S, O, D> From<StepError<S, O, D>> for SamStatus {
    fn from(error: StepError<S, O, D>) -> Self {
        match error {
            StepError::Setting(invalid) => invalid.into(),
            // Lengths, of vectors that are all made with the one length of `init`.
            _ => Self::Unexpected,
        }
    }
}
