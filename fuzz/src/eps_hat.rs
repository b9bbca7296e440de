//! Equation 2 over arbitrary bit patterns against the plain `f64` reference.

use arbitrary::Unstructured;
use sam_core::{Norm, ParamSpace, Real, Rule, SliceSpace, Verdict, testkit::eps_hat as reference};

/// The most weights of a case.
const MOST: usize = 48;

/// Reads a rule, weights and a gradient from `data`, once as `f64` and once rounded to `f32`.
pub fn check(data: &[u8]) {
    let mut input = Unstructured::new(data);
    if let Ok(case) = Case::read(&mut input) {
        case.check::<f64>(1e-12);
        case.check::<f32>(1e-5);
    }
}

struct Case {
    p: f64,
    eta: Option<f64>,
    rho: f64,
    w: Vec<f64>,
    g: Vec<f64>,
}

impl Case {
    fn read(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let p = match input.int_in_range(0..=5)? {
            0 => 1.0,
            1 => 2.0,
            2 => f64::INFINITY,
            3 => 1.0 + f64::from(input.arbitrary::<u8>()?) / 64.0,
            _ => f64::from_bits(input.arbitrary()?),
        };
        let eta = match input.int_in_range(0..=3)? {
            0 => Some(0.01),
            1 => Some(f64::from_bits(input.arbitrary()?)),
            _ => None,
        };
        let rho = if input.ratio(1, 2)? { 0.05 } else { f64::from_bits(input.arbitrary()?) };
        let count = input.int_in_range(0..=MOST)?;
        // Small numbers as well: of arbitrary bits nearly all are huge or tiny.
        let number = |input: &mut Unstructured<'_>| -> arbitrary::Result<f64> {
            Ok(match input.int_in_range(0..=2)? {
                0 => f64::from(input.arbitrary::<i16>()?) / 256.0,
                1 => f64::from(f32::from_bits(input.arbitrary()?)),
                _ => f64::from_bits(input.arbitrary()?),
            })
        };
        let numbers =
            |input: &mut Unstructured<'_>| (0..count).map(|_| number(input)).collect::<Result<Vec<_>, _>>();
        let (w, g) = (numbers(input)?, numbers(input)?);
        Ok(Self { p, eta, rho, w, g })
    }

    fn check<R: Real>(&self, tolerance: f64) {
        let Ok(norm) = Norm::from_p(self.p) else {
            assert!(self.p.is_nan() || self.p < 1.0, "p = {} was refused", self.p);
            return;
        };
        assert!(self.p >= 1.0, "p = {} was accepted", self.p);
        let narrow = |values: &[f64]| values.iter().map(|x| R::narrow(*x)).collect::<Vec<R>>();
        let widen = |values: &[R]| values.iter().map(|x| x.widen()).collect::<Vec<f64>>();
        let (mut w, g) = (narrow(&self.w), narrow(&self.g));
        let rule = Rule::new(R::narrow(self.rho), norm).with_adaptive(self.eta.map(R::narrow));
        let (before, wide_g) = (widen(&w), widen(&g));
        let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();

        let mut space = SliceSpace::new(vec![R::narrow(f64::NAN); w.len()]);
        let found = space.dual_norm(&w, &g, &rule).expect("lengths that agree");
        space.ascend(&mut w, &g, &rule, &found).expect("lengths that agree");
        let up = widen(space.perturbed(&w));
        assert_eq!(bits(&widen(&w)), bits(&before), "the weights themselves moved");

        let verdict = space.verdict(&found);
        let moved = bits(&up) != bits(&before);
        if wide_g.iter().any(|g| !g.is_finite()) {
            assert_eq!(verdict, Verdict::NonFinite, "a gradient that is not finite");
        }
        if verdict != Verdict::Finite || rule.rho.widen() == 0.0 {
            assert!(!moved, "{verdict:?}, radius {}: yet the perturbation is not zero", self.rho);
            return;
        }
        // The reference says something where nothing in it over- or underflows.
        let (rho, eta) = (rule.rho.widen(), rule.adaptive.map(Real::widen));
        let ordinary = |x: &f64| *x == 0.0 || (1e-30..1e30).contains(&x.abs());
        let known = self.p == 1.0 || self.p == f64::INFINITY || norm.q() < 1e3;
        let ordinary_radius =
            (1e-30..1e30).contains(&rho) && eta.is_none_or(|eta| (0.0..1e30).contains(&eta));
        if !(known && ordinary_radius && wide_g.iter().chain(&before).all(ordinary)) {
            return;
        }
        let (norm, eps) = reference(self.p, eta, rho, &before, &wide_g);
        let tolerance = tolerance * self.p.clamp(8.0, 64.0);
        let close = |found: f64, expected: f64, scale: f64| {
            // What is below the smallest normal number has fewer digits.
            (found - expected).abs() <= tolerance * scale + R::narrow(1e-37).widen()
        };
        assert!(close(found.value(), norm, norm), "norm {} instead of {norm}", found.value());
        for (i, (up, (w, eps))) in up.iter().zip(before.iter().zip(&eps)).enumerate() {
            let expected = R::narrow(w + eps).widen();
            let scale = w.abs().max(eps.abs());
            assert!(
                close(*up, expected, scale) || !expected.is_finite(),
                "weight {i}: {up} instead of {expected} (w {w}, eps {eps}, p {}, rho {rho}, eta {eta:?})",
                self.p
            );
        }
    }
}
