//! Schedules: ends, monotony, and agreement with the textbook formulas.

use proptest::prelude::*;
use sam_core::Schedule;
use sam_core::schedule::{Decay, tied};

proptest! {
    #[test]
    fn warm_up_is_a_straight_line_to_the_peak(peak in 1e-4..10.0f64, warmup in 1..500u64, step in 0..500u64, kind in 0..4usize) {
        let step = step % warmup;
        let schedule = [
            Schedule::constant(peak), Schedule::linear(peak), Schedule::cosine(peak), Schedule::step(peak, 3, 0.1),
        ][kind].with_warmup(warmup);
        let rate = schedule.rate(step, 1000);
        prop_assert!((rate - peak * (step + 1) as f64 / warmup as f64).abs() <= 1e-15 * peak);
        prop_assert_eq!(schedule.rate(warmup - 1, 1000), peak);
        prop_assert_eq!(schedule.rate(warmup, 1000), peak);
    }

    #[test]
    fn cosine_is_the_textbook_s(peak in 1e-4..10.0f64, floor in 0.0..1e-4f64, total in 1..3000u64, warmup in 0..100u64, step in 0..4000u64) {
        let schedule = Schedule::new(peak, Decay::Cosine { floor }).with_warmup(warmup);
        prop_assume!(step >= warmup && total > warmup);
        let t = ((step - warmup) as f64 / (total - warmup) as f64).min(1.0);
        let expected = floor + 0.5 * (peak - floor) * (1.0 + (std::f64::consts::PI * t).cos());
        prop_assert!((schedule.rate(step, total) - expected).abs() <= 1e-14 * peak);
    }

    #[test]
    fn every_schedule_falls_and_stays(peak in 1e-4..10.0f64, total in 1..300u64, kind in 0..4usize, every in 0..50u64) {
        let schedule = [
            Schedule::constant(peak), Schedule::linear(peak), Schedule::cosine(peak), Schedule::step(peak, every, 0.5),
        ][kind];
        let rates: Vec<f64> = (0..total + 10).map(|step| schedule.rate(step, total)).collect();
        prop_assert_eq!(rates[0], peak);
        prop_assert!(rates.windows(2).all(|r| r[1] <= r[0]));
        let last = rates[total as usize];
        prop_assert!(rates[total as usize..].iter().all(|r| *r == last));
        match kind {
            0 => prop_assert_eq!(last, peak),
            3 => {
                let falls = (total - 1).checked_div(every).unwrap_or(0);
                prop_assert_eq!(last, peak * 0.5f64.powi(falls as i32));
            }
            _ => prop_assert_eq!(last, 0.0),
        }
    }

    #[test]
    fn a_tied_radius_follows_the_rate(low in 0.0..0.1f64, span in 0.01..1.0f64, radius in 0.01..0.1f64, grow in 0.0..1.0f64, t in 0.0..1.0f64) {
        let (rate, ends) = ((low, low + span), (radius, radius + grow));
        prop_assert_eq!(tied(rate.0, rate, ends), ends.0);
        prop_assert!((tied(rate.1, rate, ends) - ends.1).abs() < 1e-12);
        prop_assert!((tied(low + t * span, rate, ends) - (radius + t * grow)).abs() < 1e-12);
        prop_assert_eq!(tied(low, (low, low), ends), ends.1);
    }

    #[test]
    fn single_precision_is_double_precision_rounded(peak in 1e-4..10.0f32, step in 0..300u64) {
        let (single, double) = (Schedule::cosine(peak), Schedule::cosine(f64::from(peak)));
        prop_assert_eq!(single.rate(step, 200), double.rate(step, 200) as f32);
    }
}

#[test]
fn degenerate_lengths_have_rates_too() {
    assert_eq!(Schedule::cosine(0.1).rate(0, 0), 0.0);
    assert_eq!(Schedule::cosine(0.1).with_warmup(5).rate(5, 3), 0.0);
    assert_eq!(Schedule::constant(0.1).rate(u64::MAX, u64::MAX), 0.1);
}
