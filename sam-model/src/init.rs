//! The values that networks start from.

use crate::{Op, Parameter, Role, TensorInfo};
use core::{error::Error, fmt, str::FromStr};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use rand_distr::{Distribution, StandardNormal};

/// How a tensor starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Independent normal values of mean 0 and variance `2 / fan_in` (He et al. 2015, "Delving Deep into
    /// Rectifiers", eq. 10).
    He {
        /// Inputs that one output sums over.
        fan_in: usize,
    },
    /// Independent normal values of mean 0 and this variance.
    Normal(f64),
    /// The same, but those beyond two standard deviations drawn again; the variance is that of what is left.
    TruncatedNormal(f64),
    /// Independent values uniform in [-bound, bound).
    Uniform(f64),
    /// Every value the same.
    Constant(f32),
}

/// Standard deviation of a standard normal value given that it is within two of them.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

impl Init {
    fn draw(self, rng: &mut ChaCha8Rng) -> f64 {
        let mut normal = || -> f64 { StandardNormal.sample(rng) };
        match self {
            Self::He { fan_in } => libm::sqrt(2.0 / fan_in as f64) * normal(),
            Self::Normal(variance) => libm::sqrt(variance) * normal(),
            Self::TruncatedNormal(variance) => {
                let mut value = normal();
                while value.abs() > 2.0 {
                    value = normal();
                }
                libm::sqrt(variance) / TRUNCATED_DEVIATION * value
            }
            Self::Uniform(bound) => {
                let unit = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
                bound * (2.0 * unit - 1.0)
            }
            Self::Constant(value) => f64::from(value),
        }
    }
}

/// The values of all tensors, drawn one after the other from one ChaCha8 stream; a constant takes nothing from it.
pub(crate) fn values(tensors: &[TensorInfo], seed: u64) -> impl Iterator<Item = f64> + '_ {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let inits = tensors.iter().flat_map(|tensor| tensor.range.clone().map(move |_| tensor.init));
    inits.map(move |init| init.draw(&mut rng))
}

/// How the weights of a whole network start. Biases start at 0 and normalisations as the identity; what a network starts at
/// zero besides (the last scale of a residual block) it does under every one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Initialization {
    /// Normal, variance `2 / fan_in` (He et al. 2015); the logits at zero, so that every class begins equally likely.
    HeFanIn,
    /// Normal, variance `2 / fan_out`; the logits uniform in `1 / sqrt(classes)` on both sides of 0: of the SAM authors'
    /// networks for CIFAR.
    HeFanOut,
    /// Normal, variance `1 / fan_in`, the logits too (LeCun et al. 1998, Flax's default): of the SAM authors' ResNet for
    /// ImageNet.
    LeCun,
    /// Normal without values beyond two standard deviations, variance `2 / fan_out`; the logits uniform in `1 / sqrt(classes)`
    /// on both sides of 0: of EfficientNet.
    TruncatedFanOut,
}

impl Initialization {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::HeFanIn, Self::HeFanOut, Self::LeCun, Self::TruncatedFanOut];

    /// The name that it is parsed from.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HeFanIn => "he-fan-in",
            Self::HeFanOut => "he-fan-out",
            Self::LeCun => "lecun",
            Self::TruncatedFanOut => "truncated-fan-out",
        }
    }

    /// How a parameter of an operation starts. The fan out of filters is rows x columns x outputs of a group: as TensorFlow
    /// counts it, of a depthwise convolution rows x columns.
    pub(crate) fn of(self, op: &Op, parameter: &Parameter) -> Init {
        if parameter.role != Role::Weight || self == Self::HeFanIn {
            return parameter.init;
        }
        let groups = if let Op::Conv { groups, .. } = *op { groups } else { 1 };
        let all: f64 = parameter.shape.iter().map(|&n| n as f64).product();
        let (Some(&[inputs, outputs]), false) = (parameter.shape.last_chunk(), groups == 0) else {
            return parameter.init;
        };
        let (fan_in, fan_out) = (all / outputs as f64, all / inputs as f64 / groups as f64);
        match self {
            Self::HeFanOut | Self::TruncatedFanOut if matches!(op, Op::Classify { .. }) => {
                Init::Uniform(1.0 / libm::sqrt(fan_out))
            }
            Self::HeFanOut => Init::Normal(2.0 / fan_out),
            Self::TruncatedFanOut => Init::TruncatedNormal(2.0 / fan_out),
            Self::LeCun => Init::Normal(1.0 / fan_in),
            Self::HeFanIn => parameter.init,
        }
    }
}

impl fmt::Display for Initialization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Initialization {
    type Err = ParseInitializationError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|own| own.name() == name).ok_or(ParseInitializationError)
    }
}

/// A text names no initialization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseInitializationError;

impl fmt::Display for ParseInitializationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected one of")?;
        Initialization::ALL.iter().try_for_each(|own| write!(f, " {own}"))
    }
}

impl Error for ParseInitializationError {}
