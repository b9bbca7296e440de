//! The methods and base optimizers of the interface, chosen at run time in memory of the caller's.

use core::convert::Infallible;

use sam_core::{
    Adam, AlongGradient, Descent, Gsam, InvalidSetting, LearningRate, LengthMismatch, LookSam, Real, Reuse,
    Rule, Sam, Sgd, Sink, SliceSpace, Source, State, StepError, Variant, WeightDecay,
};

use crate::lent::Lent;
use crate::{
    SAM_BASE_ADAM, SAM_BASE_SGD, SAM_METHOD_ASAM, SAM_METHOD_GSAM, SAM_METHOD_LOOKSAM, SAM_METHOD_SAM,
    SamSettings, SamStatus,
};

pub(crate) type Space<T> = SliceSpace<T, Lent<T>>;
pub(crate) type Error = StepError<LengthMismatch, Infallible, LengthMismatch>;

/// A base optimizer.
pub(crate) enum Base<T> {
    Sgd(Sgd<T, Lent<T>>),
    Adam(Adam<T, Lent<T>>),
}

/// A method around it.
pub(crate) enum Method<T: Real> {
    /// And ASAM, which is SAM with another ball.
    Sam(Sam<Space<T>, Base<T>>),
    Gsam(Variant<Space<T>, AlongGradient, Gsam<T, Lent<T>>, Base<T>>),
    LookSam(LookSam<Space<T>, Base<T>, Lent<T>>),
}

/// The expression for whichever it is.
macro_rules! each {
    (Base, $self:expr, $it:ident => $do:expr) => {
        match $self {
            Base::Sgd($it) => $do,
            Base::Adam($it) => $do,
        }
    };
    (Method, $self:expr, $it:ident => $do:expr) => {
        match $self {
            $crate::method::Method::Sam($it) => $do,
            $crate::method::Method::Gsam($it) => $do,
            $crate::method::Method::LookSam($it) => $do,
        }
    };
}
pub(crate) use each;

/// Words of buffer for `n` weights.
///
/// # Errors
/// There is no such method or base optimizer, or no memory holds as much.
pub(crate) fn words<T: Real>(settings: &SamSettings, n: usize) -> Result<usize, SamStatus> {
    let base = match settings.base {
        SAM_BASE_SGD if settings.momentum == 0.0 => 0,
        SAM_BASE_SGD => Sgd::<T, Lent<T>>::words(1),
        SAM_BASE_ADAM => Adam::<T, Lent<T>>::words(1),
        _ => return Err(SamStatus::Base),
    };
    let method = match settings.method {
        SAM_METHOD_SAM | SAM_METHOD_ASAM => 0,
        SAM_METHOD_GSAM => Gsam::<T, Lent<T>>::words(1),
        SAM_METHOD_LOOKSAM => Reuse::<T, Lent<T>>::words(1),
        _ => return Err(SamStatus::Method),
    };
    let each = Space::<T>::words(1).saturating_add(base).saturating_add(method);
    n.checked_mul(each).ok_or(SamStatus::TooLarge)
}

impl<T: Real> Method<T> {
    /// Built in `buffer`, for `n` weights.
    ///
    /// # Errors
    /// A setting is out of range, there is no such method or base optimizer, or the buffer is too small.
    pub(crate) fn new(settings: &SamSettings, mut buffer: Lent<T>, n: usize) -> Result<Self, SamStatus> {
        if buffer.len() < words::<T>(settings, n)? {
            return Err(SamStatus::TooSmall);
        }
        buffer.as_mut().fill(T::ZERO);
        let mut take = || buffer.take(n).ok_or(SamStatus::TooSmall);
        // The space comes first: `perturbed` is where the buffer begins.
        let space = SliceSpace::new(take()?);
        let base = match settings.base {
            SAM_BASE_ADAM => {
                let mut adam =
                    Adam::new(T::narrow(settings.lr), take()?, take()?).with_decay(decay(settings));
                adam.beta1 = T::narrow(settings.beta1);
                adam.beta2 = T::narrow(settings.beta2);
                adam.epsilon = T::narrow(settings.epsilon);
                Base::Adam(adam)
            }
            _ => {
                let momentum = if settings.momentum == 0.0 { Default::default() } else { take()? };
                let sgd = Sgd::new(T::narrow(settings.lr)).with_decay(decay(settings));
                let mut sgd = sgd.with_momentum(T::narrow(settings.momentum), momentum);
                sgd.nesterov = settings.nesterov != 0;
                Base::Sgd(sgd)
            }
        };
        let (rule, alpha) = (Rule::l2(T::narrow(settings.rho)), T::narrow(settings.alpha));
        let method = match settings.method {
            SAM_METHOD_GSAM => {
                Self::Gsam(Variant::new(space, rule, AlongGradient, Gsam::new(alpha, take()?), base))
            }
            SAM_METHOD_LOOKSAM => Self::LookSam(LookSam::new(
                space,
                rule,
                Reuse::new(settings.k, alpha, take()?, take()?),
                base,
            )),
            SAM_METHOD_ASAM => Self::Sam(Sam::new(space, rule.adaptive(T::narrow(settings.eta)), base)),
            _ => Self::Sam(Sam::new(space, rule, base)),
        };
        method.check_settings()?;
        Ok(method)
    }

    pub(crate) fn check_settings(&self) -> Result<(), InvalidSetting> {
        each!(Method, self, it => it.check_settings())
    }

    pub(crate) fn rule_mut(&mut self) -> &mut Rule<T> {
        each!(Method, self, it => &mut it.rule)
    }
}

fn decay<T: Real>(settings: &SamSettings) -> WeightDecay<T> {
    let decay = T::narrow(settings.decay);
    if settings.decoupled == 0 { WeightDecay::Coupled(decay) } else { WeightDecay::Decoupled(decay) }
}

impl<T: Real> Descent<[T]> for Base<T> {
    type Error = LengthMismatch;

    fn descend(&mut self, w: &mut [T], g: &mut [T]) -> Result<(), LengthMismatch> {
        each!(Base, self, it => it.descend(w, g))
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        each!(Base, self, it => it.check_settings())
    }
}

impl<T: Real> LearningRate<T> for Base<T> {
    fn learning_rate(&self) -> T {
        each!(Base, self, it => it.learning_rate())
    }

    fn set_learning_rate(&mut self, rate: T) {
        each!(Base, self, it => it.set_learning_rate(rate));
    }
}

impl<T: Real> State<T> for Base<T> {
    fn save(&self, sink: &mut Sink<'_, T>) {
        each!(Base, self, it => it.save(sink));
    }

    fn load(&mut self, source: &mut Source<'_, T>) {
        each!(Base, self, it => it.load(source));
    }
}

impl<T: Real> LearningRate<T> for Method<T> {
    fn learning_rate(&self) -> T {
        each!(Method, self, it => it.learning_rate())
    }

    fn set_learning_rate(&mut self, rate: T) {
        each!(Method, self, it => it.set_learning_rate(rate));
    }
}

impl<T: Real> State<T> for Method<T> {
    fn save(&self, sink: &mut Sink<'_, T>) {
        each!(Method, self, it => it.save(sink));
    }

    fn load(&mut self, source: &mut Source<'_, T>) {
        each!(Method, self, it => it.load(source));
    }
}
