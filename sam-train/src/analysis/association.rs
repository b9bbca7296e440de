//! How well one quantity orders runs as another does: Kendall's tau and mutual information of signs.

use std::collections::HashMap;

/// Kendall's tau-b (1945), which allows for ties; NaN where one of both is constant.
pub fn kendall_tau(a: &[f64], b: &[f64]) -> f64 {
    let (mut agreeing, mut in_a, mut in_b) = (0.0, 0.0, 0.0);
    for i in 0..a.len() {
        for j in 0..i {
            let (x, y) = (sign(a[i] - a[j]), sign(b[i] - b[j]));
            agreeing += f64::from(x * y);
            in_a += f64::from(x * x);
            in_b += f64::from(y * y);
        }
    }
    agreeing / (in_a * in_b).sqrt()
}

fn sign(x: f64) -> i8 {
    i8::from(x > 0.0) - i8::from(x < 0.0)
}

/// The measure of Jiang et al. (ICLR 2020, section 2.2.3): over pairs of runs, the mutual information of the signs of the
/// differences in `measure` and in `gap`, over the entropy of the latter, given the values of a set of at most two
/// hyper-parameters in both runs; the least over all such sets, the empty one included. So a measure that only tells
/// the values of a hyper-parameter scores 0. `parameters` has a row for each run.
///
/// From 0 to 1; NaN where no set leaves the gap undetermined.
pub fn conditional_information(measure: &[f64], gap: &[f64], parameters: &[Vec<usize>]) -> f64 {
    let count = parameters.first().map_or(0, Vec::len);
    let singles = (0..count).map(|i| vec![i]);
    let pairs = (0..count).flat_map(|i| (0..i).map(move |j| vec![j, i]));
    let sets = [Vec::new()].into_iter().chain(singles).chain(pairs);
    sets.map(|set| information_given(measure, gap, parameters, &set))
        .filter(|value| value.is_finite())
        .fold(f64::NAN, f64::min)
}

fn information_given(measure: &[f64], gap: &[f64], parameters: &[Vec<usize>], set: &[usize]) -> f64 {
    let mut groups: HashMap<Vec<usize>, [[f64; 2]; 2]> = HashMap::new();
    for i in 0..measure.len() {
        for j in 0..measure.len() {
            // Ties in the gap say nothing about the order; those in the measure count as half of each.
            if i == j || gap[i] == gap[j] {
                continue;
            }
            let key = set.iter().flat_map(|&p| [parameters[i][p], parameters[j][p]]).collect();
            let counts = groups.entry(key).or_default();
            let above = usize::from(gap[i] > gap[j]);
            match sign(measure[i] - measure[j]) {
                1 => counts[1][above] += 1.0,
                -1 => counts[0][above] += 1.0,
                _ => counts.iter_mut().for_each(|row| row[above] += 0.5),
            }
        }
    }
    let (mut information, mut entropy) = (0.0, 0.0);
    for counts in groups.values() {
        let total: f64 = counts.iter().flatten().sum();
        for above in 0..2 {
            let column = counts[0][above] + counts[1][above];
            entropy -= column * logarithm(column / total);
            for row in counts {
                let both = row[above];
                information += both * logarithm(both * total / (column * (row[0] + row[1])));
            }
        }
    }
    information / entropy
}

/// The logarithm, 0 where the summand that it stands in is 0.
fn logarithm(x: f64) -> f64 {
    if x > 0.0 { x.ln() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Worked by hand: of 10 pairs 8 agree and 2 disagree.
    #[test]
    fn tau_counts_pairs() {
        let tau = kendall_tau(&[1.0, 2.0, 3.0, 4.0, 5.0], &[2.0, 1.0, 3.0, 5.0, 4.0]);
        assert!((tau - 0.6).abs() < 1e-12, "{tau}");
        // A tie in a: 5 pairs count there, 6 in b, all 5 agree.
        let tied = kendall_tau(&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]);
        assert!((tied - 5.0 / 30_f64.sqrt()).abs() < 1e-12, "{tied}");
        assert!(kendall_tau(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
    }

    proptest! {
        #[test]
        fn order_is_all_that_counts(values in prop::collection::vec(-2.0..2.0_f64, 3..20)) {
            let mut distinct = values;
            distinct.sort_by(f64::total_cmp);
            distinct.dedup();
            prop_assume!(distinct.len() > 2);
            let other: Vec<f64> = distinct.iter().map(|x| x.exp()).collect();
            let reversed: Vec<f64> = distinct.iter().map(|x| -x).collect();
            prop_assert!((kendall_tau(&distinct, &other) - 1.0).abs() < 1e-12);
            prop_assert!((kendall_tau(&distinct, &reversed) + 1.0).abs() < 1e-12);
            let none = vec![Vec::new(); distinct.len()];
            prop_assert!((conditional_information(&distinct, &other, &none) - 1.0).abs() < 1e-12);
            prop_assert!((conditional_information(&reversed, &other, &none) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_measure_that_only_tells_a_hyper_parameter_knows_nothing_more() {
        let parameters: Vec<Vec<usize>> = (0..12).map(|i| vec![i / 4]).collect();
        let measure: Vec<f64> = (0..12).map(|i| f64::from(i / 4)).collect();
        // The gap follows the hyper-parameter, and within its values something else.
        let gap: Vec<f64> = (0..12).map(|i| 10.0 * f64::from(i / 4) + f64::from((i * 5) % 4)).collect();
        let none = vec![Vec::new(); 12];
        assert!(conditional_information(&measure, &gap, &none) > 0.4);
        assert!(conditional_information(&measure, &gap, &parameters).abs() < 1e-12);
    }
}
