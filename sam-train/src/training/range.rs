//! Which numbers a setting may have, in the precision that computes with them.

use std::borrow::Cow;

use super::invalid_setting::InvalidSetting;

/// The numbers that a setting may have.
///
/// Training computes in single precision. A number must therefore be in its range there too, and one that is not 0 must
/// not become 0: a run would do something else than its settings say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// 0 or more.
    FromZero,
    /// More than 0.
    AboveZero,
    /// 0 or more, and less than 1.
    BelowOne,
    /// More than 0, at most 1.
    Share,
    /// 0 to 1, both included. Compared in double precision alone.
    Probability,
    /// A whole number, from the first to the second.
    Whole(u64, u64),
    /// The exponent of a norm, which its type has checked.
    Exponent,
}

impl Range {
    /// How often something is done, or of how many: from 1 up to what 32 bits hold.
    pub const COUNT: Self = Self::Whole(1, u32::MAX as u64);

    /// The range in words.
    pub fn text(self) -> Cow<'static, str> {
        match self {
            Self::FromZero => "a number from 0 up".into(),
            Self::AboveZero => "a number above 0".into(),
            Self::BelowOne => "a number from 0 up and below 1".into(),
            Self::Share => "a share, above 0 to 1".into(),
            Self::Probability => "a probability, 0 to 1".into(),
            Self::Whole(0, most) => format!("a number up to {most}").into(),
            Self::Whole(least, most) => format!("a number from {least} up to {most}").into(),
            Self::Exponent => "the exponent of a norm, from 1 up, or inf".into(),
        }
    }

    fn contains(self, value: f64) -> bool {
        match self {
            Self::FromZero => value >= 0.0 && value.is_finite(),
            Self::AboveZero => value > 0.0 && value.is_finite(),
            Self::BelowOne => (0.0..1.0).contains(&value),
            Self::Share => value > 0.0 && value <= 1.0,
            Self::Probability => (0.0..=1.0).contains(&value),
            Self::Whole(least, most) => (least as f64..=most as f64).contains(&value),
            Self::Exponent => true,
        }
    }

    /// Makes sure that `setting` may be `value`.
    ///
    /// # Errors
    /// [`InvalidSetting`] if not.
    pub fn check(self, setting: &'static str, value: f64) -> Result<(), InvalidSetting> {
        if !self.contains(value) {
            return Err(InvalidSetting::new(setting, self.text(), value));
        }
        let rounded = f64::from(value as f32);
        let kept = self.contains(rounded) && (rounded == 0.0) == (value == 0.0);
        if kept || matches!(self, Self::Probability | Self::Whole(..) | Self::Exponent) {
            return Ok(());
        }
        let expected = format!("{}, in single precision too", self.text());
        Err(InvalidSetting::new(setting, expected, format!("{value:e}, which is {rounded} there")))
    }

    /// Makes sure that `setting` may be the whole number `value`.
    ///
    /// # Errors
    /// [`InvalidSetting`] if not.
    pub fn check_whole(self, setting: &'static str, value: usize) -> Result<(), InvalidSetting> {
        match self {
            Self::Whole(least, most) if !(least..=most).contains(&(value as u64)) => {
                Err(InvalidSetting::new(setting, self.text(), value))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_single_precision_makes_0_1_or_infinity_of_is_refused_with_both_numbers() {
        for (range, value, rounded) in [
            (Range::FromZero, 1e-300, "0"),
            (Range::FromZero, 1e39, "inf"),
            (Range::AboveZero, 1e-46, "0"),
            (Range::BelowOne, 0.999_999_999_99, "1"),
            (Range::BelowOne, 1e-60, "0"),
            (Range::Share, 1e-60, "0"),
        ] {
            let text = range.check("x", value).unwrap_err().to_string();
            let expected = format!(
                "`x`: expected {}, in single precision too, found {value:e}, which is {rounded} there",
                range.text()
            );
            assert_eq!(text, expected);
        }
        for value in [f64::NAN, f64::INFINITY, -1.0, -1e-300] {
            for range in
                [Range::FromZero, Range::AboveZero, Range::BelowOne, Range::Share, Range::Probability]
            {
                assert_eq!(range.check("x", value).unwrap_err().expected, range.text());
            }
        }
        assert_eq!(Range::FromZero.check("x", 0.0), Ok(()));
        assert_eq!(Range::Probability.check("x", 1.0), Ok(()));
        assert!(Range::COUNT.check_whole("x", 0).is_err());
        assert!(Range::COUNT.check_whole("x", 1 << 32).is_err());
        assert_eq!(Range::COUNT.check_whole("x", (1 << 32) - 1), Ok(()));
    }

    proptest! {
        #[test]
        fn what_is_let_through_is_in_range_as_it_is_computed_with(bits: u64) {
            let value = f64::from_bits(bits);
            for range in [Range::FromZero, Range::AboveZero, Range::BelowOne, Range::Share] {
                if range.check("x", value).is_ok() {
                    let single = f64::from(value as f32);
                    prop_assert!(range.contains(value) && range.contains(single), "{value}");
                    prop_assert_eq!(single == 0.0, value == 0.0);
                }
            }
        }
    }
}
