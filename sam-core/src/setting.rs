//! Hyper-parameters that no step can be made with.

use core::error::Error;
use core::fmt;

use crate::Real;

/// A hyper-parameter is NaN, infinite or outside of its range.
///
/// Every step checks all of its hyper-parameters before anything else, so that a schedule that writes a bad one is found out too. To
/// know it when they are set, end a method's construction with `checked`, or ask `check_settings`:
///
/// ```
/// use sam_core::{Rule, Sam, Sgd, SliceSpace};
///
/// let sam = |lr: f64| Sam::new(SliceSpace::<f64, _>::new([0.0; 2]), Rule::l2(0.05), Sgd::new(lr)).checked();
/// assert!(sam(0.1).is_ok());
/// assert_eq!(sam(f64::NAN).unwrap_err().to_string(), "`lr`: expected a finite number from 0 up, found NaN");
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InvalidSetting {
    /// Which one.
    pub setting: &'static str,
    /// What it may be.
    pub expected: &'static str,
    /// What it is.
    pub found: f64,
}

impl InvalidSetting {
    /// Finite and not negative: radii, rates, decays.
    ///
    /// # Errors
    /// If it is not.
    pub fn non_negative<R: Real>(setting: &'static str, found: R) -> Result<(), Self> {
        let found = found.widen();
        let fits = found >= 0.0 && found.is_finite();
        if fits { Ok(()) } else { Err(Self { setting, expected: "a finite number from 0 up", found }) }
    }

    /// Finite and above 0: what is divided by.
    ///
    /// # Errors
    /// If it is not.
    pub fn positive<R: Real>(setting: &'static str, found: R) -> Result<(), Self> {
        let found = found.widen();
        let fits = found > 0.0 && found.is_finite();
        if fits { Ok(()) } else { Err(Self { setting, expected: "a finite number above 0", found }) }
    }

    /// From 0 to 1, both included: momenta, probabilities.
    ///
    /// # Errors
    /// If it is not.
    pub fn share<R: Real>(setting: &'static str, found: R) -> Result<(), Self> {
        let found = found.widen();
        let fits = (0.0..=1.0).contains(&found);
        if fits { Ok(()) } else { Err(Self { setting, expected: "a number from 0 to 1", found }) }
    }

    /// From 0 up to but not including 1: what `1 - x` is divided by.
    ///
    /// # Errors
    /// If it is not.
    pub fn below_one<R: Real>(setting: &'static str, found: R) -> Result<(), Self> {
        let found = found.widen();
        let fits = (0.0..1.0).contains(&found);
        if fits {
            Ok(())
        } else {
            Err(Self { setting, expected: "a number from 0 up to but not including 1", found })
        }
    }

    /// Not negative, and infinite where there is no bound.
    ///
    /// # Errors
    /// If it is not.
    pub fn bound<R: Real>(setting: &'static str, found: R) -> Result<(), Self> {
        let found = found.widen();
        if found >= 0.0 {
            Ok(())
        } else {
            Err(Self { setting, expected: "a number from 0 up, or infinity", found })
        }
    }
}

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, expected, found } = self;
        // Not the number itself, which is in the field: to print a float takes more code than a whole step.
        let found = match *found {
            x if x.is_nan() => "NaN",
            f64::INFINITY => "infinity",
            x if x < 0.0 => "a negative number",
            0.0 => "0",
            _ => "a larger one",
        };
        write!(f, "`{setting}`: expected {expected}, found {found}")
    }
}

impl Error for InvalidSetting {}

/// `checked` of a method with a `check_settings`.
macro_rules! checked {
    () => {
        /// The method itself, if all of its hyper-parameters are in their ranges: the end of its construction, for who wants to know
        /// it before the first step.
        ///
        /// # Errors
        /// As `check_settings`.
        pub fn checked(self) -> Result<Self, $crate::InvalidSetting> {
            self.check_settings().map(|()| self)
        }
    };
}

pub(crate) use checked;
