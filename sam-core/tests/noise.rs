//! The random direction's numbers are standard normal, and a function of seed, step and index.

use sam_core::Gaussian;

#[test]
fn moments_are_those_of_the_standard_normal() {
    let mut z = vec![0.0f64; 200_000];
    Gaussian::new(1).fill(&mut z);
    let moment = |k: i32| z.iter().map(|z| z.powi(k)).sum::<f64>() / z.len() as f64;
    // Within four standard deviations of an estimate from 200,000 numbers.
    assert!(moment(1).abs() < 0.009, "{}", moment(1));
    assert!((moment(2) - 1.0).abs() < 0.013, "{}", moment(2));
    assert!(moment(3).abs() < 0.035, "{}", moment(3));
    assert!((moment(4) - 3.0).abs() < 0.09, "{}", moment(4));
    let beyond = z.iter().filter(|z| z.abs() > 1.959_964).count() as f64 / z.len() as f64;
    assert!((beyond - 0.05).abs() < 0.002, "{beyond}");
    let neighbours = z.windows(2).map(|z| z[0] * z[1]).sum::<f64>() / z.len() as f64;
    assert!(neighbours.abs() < 0.009, "{neighbours}");
}

#[test]
fn seeds_differ_and_repeat() {
    let draw = |seed, n| {
        let mut z = vec![0.0f32; n];
        Gaussian::new(seed).fill(&mut z);
        z
    };
    assert_eq!(draw(5, 100), draw(5, 200)[..100]);
    assert!(draw(5, 100).iter().zip(draw(6, 100)).all(|(a, b)| *a != b));
}
