//! Where an axis has its numbers, and how they are written.

use std::ops::Range;

use crate::report::markdown::significant;

/// Round numbers in `range`, `most` of them at most.
pub fn linear(range: &Range<f64>, most: usize) -> Vec<f64> {
    let span = range.end - range.start;
    if most == 0 || !span.is_finite() || span <= 0.0 {
        return Vec::new();
    }
    let least = span / most as f64;
    let power = 10_f64.powf(least.log10().floor());
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= least);
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = ((range.start / step - 1e-9).ceil() as i64, (range.end / step + 1e-9).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Exponents of round numbers whose exponents lie in `range`: powers of ten if there are three or more, else their halves and fifths as
/// well, or what is round between them.
pub fn logarithmic(range: &Range<f64>, most: usize) -> Vec<f64> {
    let inside = |exponent: &f64| (range.start - 1e-9..=range.end + 1e-9).contains(exponent);
    let decades = || (range.start.floor() as i32..=range.end.ceil() as i32).map(f64::from);
    let powers: Vec<f64> = decades().filter(inside).collect();
    if powers.len() > 2 {
        let every = powers.len().div_ceil(most.max(1));
        return powers.into_iter().filter(|power| power.rem_euclid(every as f64) == 0.0).collect();
    }
    let multiples = |of: &[f64]| -> Vec<f64> {
        decades().flat_map(|decade| of.iter().map(move |n| decade + n.log10())).filter(inside).collect()
    };
    let thirds = multiples(&[1.0, 2.0, 5.0]);
    if thirds.len() > 2 {
        return thirds;
    }
    let values = 10_f64.powf(range.start)..10_f64.powf(range.end);
    linear(&values, most).into_iter().filter(|value| *value > 0.0).map(f64::log10).collect()
}

/// A number without needless digits.
pub fn number(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    // Not -0.
    if rounded == 0.0 && value.abs() < 1e-9 {
        "0".to_owned()
    } else if rounded == 0.0 {
        significant(value)
    } else {
        format!("{rounded}")
    }
}

/// The numbers at `exponents`, all written in one way: plainly, or as powers of ten if one of them were long.
pub fn powers(exponents: &[f64]) -> Vec<String> {
    let whole = exponents.iter().all(|exponent| (exponent - exponent.round()).abs() < 1e-9);
    let plain = exponents.iter().all(|exponent| (-3.0..4.5).contains(exponent));
    let written = |exponent: &f64| match (plain, whole) {
        (true, _) => number((10_f64.powf(*exponent) * 1e9).round() / 1e9),
        (false, true) => format!("10{}", raised(exponent.round() as i32)),
        (false, false) => {
            let decade = (exponent + 1e-9).floor();
            let factor = number((10_f64.powf(exponent - decade) * 1e3).round() / 1e3);
            format!("{factor}\u{d7}10{}", raised(decade as i32))
        }
    };
    exponents.iter().map(written).collect()
}

/// `number` in small raised digits.
fn raised(number: i32) -> String {
    const DIGITS: [char; 10] = [
        '\u{2070}', '\u{b9}', '\u{b2}', '\u{b3}', '\u{2074}', '\u{2075}', '\u{2076}', '\u{2077}', '\u{2078}',
        '\u{2079}',
    ];
    let letter = |letter: char| letter.to_digit(10).map_or('\u{207b}', |digit| DIGITS[digit as usize]);
    number.to_string().chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_an_axis_are_round_and_within_it() {
        assert_eq!(linear(&(0.0..100.0), 10), (0..=10).map(|i| f64::from(i) * 10.0).collect::<Vec<_>>());
        let texts: Vec<String> = linear(&(0.12..0.31), 5).into_iter().map(number).collect();
        assert_eq!(texts, ["0.15", "0.2", "0.25", "0.3"]);
        assert_eq!(linear(&(-1.0..1.0), 4), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert!(linear(&(0.0..0.0), 5).is_empty() && linear(&(0.0..1.0), 0).is_empty());
    }

    #[test]
    fn a_logarithmic_axis_has_round_numbers_however_short_it_is() {
        let texts = |range: Range<f64>| powers(&logarithmic(&range, 8));
        assert_eq!(texts(-2.0..2.1), ["0.01", "0.1", "1", "10", "100"]);
        assert_eq!(
            texts(-5.1..0.2),
            [
                "10\u{207b}\u{2075}",
                "10\u{207b}\u{2074}",
                "10\u{207b}\u{b3}",
                "10\u{207b}\u{b2}",
                "10\u{207b}\u{b9}",
                "10\u{2070}"
            ]
        );
        assert_eq!(texts(0.2..1.4), ["2", "5", "10", "20"]);
        assert_eq!(texts(0.31..0.7), ["2.5", "3", "3.5", "4", "4.5", "5"]);
        assert_eq!(
            texts(-4.4..-3.1),
            [
                "5\u{d7}10\u{207b}\u{2075}",
                "1\u{d7}10\u{207b}\u{2074}",
                "2\u{d7}10\u{207b}\u{2074}",
                "5\u{d7}10\u{207b}\u{2074}"
            ]
        );
        // Not every power where there are too many, and the same ones wherever the axis begins.
        assert_eq!(logarithmic(&(-21.0..3.0), 8), [-20.0, -16.0, -12.0, -8.0, -4.0, 0.0]);
    }
}
