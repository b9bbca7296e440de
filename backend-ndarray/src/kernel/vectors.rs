//! Sets of vector instructions: which the machine has, and which of them runs.

use std::sync::OnceLock;

/// The variable of the environment that asks for a narrower set than the widest, by its name.
const VARIABLE: &str = "SAM_VECTORS";

/// A set of vector instructions that this machine has.
///
/// All of them but the plain one have a fused multiply-add, and compute the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vectors(Set);

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Whatever the compiler takes for any machine of this architecture.
    Plain,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512's foundation with its byte, word, double and quadword instructions and its short vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Advanced SIMD of 64-bit Arm.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Set {
    #[cfg(target_arch = "x86_64")]
    const ALL: &[Self] = &[Self::Plain, Self::Avx2, Self::Avx512];
    #[cfg(target_arch = "aarch64")]
    const ALL: &[Self] = &[Self::Plain, Self::Neon];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    const ALL: &[Self] = &[Self::Plain];

    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
        }
    }

    fn is_there(self) -> bool {
        match self {
            Self::Plain => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_there()
                    && std::is_x86_feature_detected!("avx512f")
                    && std::is_x86_feature_detected!("avx512bw")
                    && std::is_x86_feature_detected!("avx512dq")
                    && std::is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
        }
    }
}

impl Vectors {
    /// Those of this machine, the widest last.
    pub fn available() -> impl Iterator<Item = Self> {
        Set::ALL.iter().copied().filter(|set| set.is_there()).map(Self)
    }

    /// What runs: the widest, or what `SAM_VECTORS` asks for. The same as long as the process lives.
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<Vectors> = OnceLock::new();
        *CHOSEN.get_or_init(|| Self::asked_for().unwrap_or_else(|_| Self::widest()))
    }

    fn widest() -> Self {
        Self::available().last().unwrap_or(Self(Set::Plain))
    }

    fn asked_for() -> Result<Self, UnknownVectors> {
        match std::env::var_os(VARIABLE) {
            None => Ok(Self::widest()),
            Some(name) => Self::named(&name.to_string_lossy()),
        }
    }

    fn named(name: &str) -> Result<Self, UnknownVectors> {
        let known = || Self::available().map(Self::name).collect();
        let found = Self::available().find(|vectors| vectors.name() == name);
        found.ok_or_else(|| UnknownVectors { found: name.to_owned(), known: known() })
    }

    /// Makes sure that `SAM_VECTORS`, if it is set, names what the machine has.
    pub fn check() -> Result<(), UnknownVectors> {
        Self::asked_for().map(drop)
    }

    /// Which they are.
    pub const fn set(self) -> Set {
        self.0
    }

    pub const fn name(self) -> &'static str {
        self.0.name()
    }

    /// Whether products are added without being rounded before.
    pub const fn fuse(self) -> bool {
        !matches!(self.0, Set::Plain)
    }
}

/// `SAM_VECTORS` names vector instructions that this machine does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVectors {
    found: String,
    known: Vec<&'static str>,
}

impl core::fmt::Display for UnknownVectors {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { found, known } = self;
        write!(f, "{VARIABLE}: expected what this machine has ({}), found {found:?}", known.join(", "))
    }
}

impl core::error::Error for UnknownVectors {}

/// How this machine computes products of matrices in `f32`, as a noun: a network's bits depend on nothing else of a machine.
pub fn arithmetic() -> &'static str {
    if Vectors::chosen().fuse() {
        "fused multiply-add"
    } else {
        "products that are rounded before they are added"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_found_by_their_names() {
        for vectors in Vectors::available() {
            assert_eq!(Vectors::named(vectors.name()), Ok(vectors));
        }
        let error = Vectors::named("sse9").unwrap_err().to_string();
        assert!(error.starts_with("SAM_VECTORS: expected what this machine has (plain"), "{error}");
        assert!(error.ends_with("found \"sse9\""), "{error}");
    }

    #[test]
    fn the_widest_run_unless_others_are_asked_for() {
        if std::env::var_os(VARIABLE).is_none() {
            assert_eq!(Some(Vectors::chosen()), Vectors::available().last());
        }
    }
}
